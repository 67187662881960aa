//! A database of its own for every test, copied from a migrated template and dropped at the end.

use std::hash::{DefaultHasher, Hash, Hasher};

use analytics_ingestor::config::DatabaseConfig;
use analytics_ingestor::store::{self, EventWriter, MIGRATOR, Purpose};
use clap::Parser;
use reqwest::Url;
use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgPool};
use tokio::sync::OnceCell;

use super::cleanup::at_the_end;
use super::wait::{PATIENCE, eventually};

/// Serialises the making of the template over all test processes.
const TEMPLATE_LOCK: i64 = 0x6974_5f74_6d70_6c00;

#[derive(Parser)]
struct Environment {
    #[command(flatten)]
    database: DatabaseConfig,
}

/// The server that the tests may make databases on.
///
/// # Panics
/// When `DATABASE_URL` is missing.
fn server_url() -> Url {
    let environment = Environment::try_parse_from(["it"]).unwrap_or_else(|error| {
        panic!(
            "the tests need a PostgreSQL server in DATABASE_URL; `make test` starts one\n{error}"
        )
    });
    environment
        .database
        .database_url
        .expose_secret()
        .parse()
        .expect("DATABASE_URL is a URL")
}

fn with_path(mut url: Url, database: &str) -> Url {
    url.set_path(database);
    url
}

async fn connect(url: &Url) -> PgConnection {
    PgConnection::connect(url.as_str())
        .await
        .unwrap_or_else(|error| {
            panic!(
                "no PostgreSQL answers at {}:{} (DATABASE_URL); `make test` starts one: {error}",
                url.host_str().unwrap_or_default(),
                url.port().unwrap_or(5432)
            )
        })
}

async fn run(connection: &mut PgConnection, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement.clone()))
        .execute(connection)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// The migrated database that all others are copied from; it stays for the next run, as long as the migrations do.
async fn template() -> &'static str {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let mut hasher = DefaultHasher::new();
            for migration in MIGRATOR.iter() {
                migration.checksum.hash(&mut hasher);
            }
            let name = format!("it_template_{:016x}", hasher.finish());
            let mut server = connect(&server_url()).await;
            sqlx::query("SELECT pg_advisory_lock($1)")
                .bind(TEMPLATE_LOCK)
                .execute(&mut server)
                .await
                .expect("a lock can be taken");
            let others: Vec<String> = sqlx::query_scalar(
                "SELECT datname FROM pg_database WHERE datname LIKE 'it\\_template\\_%'",
            )
            .fetch_all(&mut server)
            .await
            .expect("the databases can be listed");
            if !others.contains(&name) {
                for stale in others {
                    run(&mut server, format!("DROP DATABASE {stale} WITH (FORCE)")).await;
                }
                // A run that is interrupted here must not leave a template that is migrated in part.
                let unfinished = format!("{name}_unfinished");
                run(
                    &mut server,
                    format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)"),
                )
                .await;
                run(&mut server, format!("CREATE DATABASE {unfinished}")).await;
                let mut fresh = connect(&with_path(server_url(), &unfinished)).await;
                MIGRATOR.run(&mut fresh).await.expect("the migrations run");
                fresh.close().await.expect("the connection closes");
                run(
                    &mut server,
                    format!("ALTER DATABASE {unfinished} RENAME TO {name}"),
                )
                .await;
            }
            server.close().await.expect("the connection closes");
            name
        })
        .await
}

/// A migrated database, dropped with this value.
pub(crate) struct TestDb {
    name: String,
    url: Url,
    /// Whether the database goes with its whole server.
    is_on_own_server: bool,
    /// For looking at what was stored.
    pub(crate) pool: PgPool,
}

impl TestDb {
    pub(crate) async fn new() -> Self {
        let template = template().await;
        let name = format!("it_{}", uuid::Uuid::new_v4().simple());
        let mut server = connect(&server_url()).await;
        run(
            &mut server,
            format!("CREATE DATABASE {name} TEMPLATE {template}"),
        )
        .await;
        server.close().await.expect("the connection closes");
        Self::open(with_path(server_url(), &name), name, false)
    }

    /// On a server of the test's own.
    pub(crate) async fn on(server: Url) -> Self {
        let name = format!("it_{}", uuid::Uuid::new_v4().simple());
        run(
            &mut connect(&server).await,
            format!("CREATE DATABASE {name}"),
        )
        .await;
        let url = with_path(server, &name);
        MIGRATOR
            .run(&mut connect(&url).await)
            .await
            .expect("the migrations run");
        Self::open(url, name, true)
    }

    fn open(url: Url, name: String, is_on_own_server: bool) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .connect_lazy(url.as_str())
            .expect("the URL is well formed");
        Self {
            name,
            url,
            is_on_own_server,
            pool,
        }
    }

    pub(crate) fn url(&self) -> String {
        self.url.to_string()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The settings of a program that works on it, and may wait long for a connection if the machine is busy.
    pub(crate) fn config(&self) -> DatabaseConfig {
        config(&self.url(), 4)
    }

    /// Whether nobody takes its server away.
    pub(crate) fn is_always_there(&self) -> bool {
        !self.is_on_own_server
    }

    /// A pool as the programs use it for writing, with so many connections.
    pub(crate) fn write_pool(&self, connections: u32) -> PgPool {
        write_pool(&self.url(), connections)
    }

    /// A writer with a pool of its own.
    pub(crate) fn writer(&self, connections: u32) -> EventWriter {
        let deadline = std::time::Duration::from_secs(20);
        EventWriter::new(self.write_pool(connections), deadline, "direct")
    }

    pub(crate) async fn execute(&self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// Deadlocks in this database so far, once nobody but the test has a connection: a connection reports at its end.
    pub(crate) async fn deadlocks(&self) -> i64 {
        let others = format!(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = '{}' AND application_name LIKE 'analytics-ingestor%'",
            self.name
        );
        eventually("the others' connections are gone", PATIENCE, || async {
            self.number(&others).await == 0
        })
        .await;
        let query = format!(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = '{}'",
            self.name
        );
        self.number(&query).await
    }

    /// The one number that a query yields.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        number(&self.pool, query).await
    }
}

/// A pool as the programs use it for writing.
pub(crate) fn write_pool(url: &str, connections: u32) -> PgPool {
    store::connect_lazy(&config(url, connections), Purpose::Write).expect("the URL is well formed")
}

/// For settings of programs that find the database there: the default is for those that may not.
pub(crate) const PATIENT_CONNECT_MS: &str = "30000";

fn config(url: &str, write_connections: u32) -> DatabaseConfig {
    let connections = write_connections.to_string();
    let arguments = [
        "it",
        "--database-url",
        url,
        "--database-write-connections-max",
        &connections,
        "--database-connect-timeout-ms",
        PATIENT_CONNECT_MS,
    ];
    let environment = Environment::try_parse_from(arguments).expect("the arguments are good");
    environment.database
}

/// The one number that a query yields.
pub(crate) async fn number(pool: &PgPool, query: &str) -> i64 {
    let query = format!("SELECT ({query})::bigint");
    sqlx::query_scalar(AssertSqlSafe(query.clone()))
        .fetch_one(pool)
        .await
        .unwrap_or_else(|error| panic!("{query}: {error}"))
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if self.is_on_own_server {
            return;
        }
        let name = std::mem::take(&mut self.name);
        at_the_end(async move {
            let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            run(&mut connect(&server_url()).await, drop).await;
        });
    }
}
