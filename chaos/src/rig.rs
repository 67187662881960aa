//! What all runs share: the services, the network between them and the programs, and a fresh start for each run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use analytics_ingestor::auth::{Role, Tokens};
use analytics_ingestor::store::MIGRATOR;
use analytics_ingestor::tenant::Tenant;
use anyhow::Context;
use kafka_toolkit::{KafkaConfig, TopicRegistry, TopicSpec};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::options::Options;
use crate::plan::Pair;
use crate::ports::Ports;
use crate::program::{Launch, Program};
use crate::proxy::{Aftermath, Proxy};
use crate::service::Service;

/// As many as start-kafka.sh gives the product's topic.
const PARTITIONS: i32 = 3;
/// A dead letter is the record and its story, as in start-kafka.sh.
const DEAD_LETTER_BYTES_MAX: i64 = 2_097_152;
/// Migrated once; every run's database is a copy of it.
const TEMPLATE: &str = "chaos_template";
/// Small enough for the small disk, and for several rigs on a machine.
const POSTGRES_SETTINGS: [&str; 4] = [
    "shared_buffers = '128MB'",
    "max_wal_size = '128MB'",
    "min_wal_size = '64MB'",
    "max_connections = 100",
];

/// Tenants of the writers; both use the same event ids now and then.
pub(crate) const TENANTS: [i32; 2] = [1, 2];

/// Services and network.
pub(crate) struct Rig {
    pub(crate) options: Options,
    pub(crate) folder: PathBuf,
    pub(crate) database: Mutex<Service>,
    pub(crate) broker: Mutex<Service>,
    proxies: Vec<(Pair, Proxy)>,
    addresses: Addresses,
    password: String,
    /// The broker without a proxy.
    pub(crate) kafka: KafkaConfig,
    secret: SecretString,
    pub(crate) http: reqwest::Client,
    pub(crate) has_spool: bool,
    _ports: Ports,
}

/// Where everything listens.
#[derive(Debug)]
struct Addresses {
    postgres: u16,
    server: u16,
    /// The two consumers', and one for those that join and leave.
    consumers: [u16; 3],
    proxies: Vec<(Pair, u16)>,
}

impl Addresses {
    fn proxied(&self, pair: Pair) -> u16 {
        let found = self.proxies.iter().find(|(of, _)| *of == pair);
        found.map_or(0, |(_, port)| *port)
    }
}

/// What belongs to one run alone.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) database: String,
    pub(crate) topic: String,
    pub(crate) dead_letters: String,
    pub(crate) group: String,
    /// Logs of the programs.
    pub(crate) folder: PathBuf,
}

impl Rig {
    /// Starts the services and the network.
    ///
    /// # Errors
    /// If a service does not start.
    pub(crate) async fn start(options: Options, folder: PathBuf) -> anyhow::Result<Self> {
        let mut ports = Ports::take()?;
        let (postgres, kafka, controller, server) =
            (ports.next()?, ports.next()?, ports.next()?, ports.next()?);
        let consumers = [ports.next()?, ports.next()?, ports.next()?];
        let mut proxies = Vec::new();
        let mut listeners = Vec::new();
        let mut addresses = Addresses {
            postgres,
            server,
            consumers,
            proxies: Vec::new(),
        };
        for pair in Pair::ALL {
            let port = ports.next()?;
            let to = match pair {
                Pair::ClientServer => server,
                Pair::ServerDatabase | Pair::ConsumerDatabase(_) => postgres,
                // A broker tells its clients where to go next, so each of them needs a listener of its own.
                Pair::ServerBroker | Pair::ConsumerBroker(_) => {
                    let listener = ports.next()?;
                    listeners.push((listener, port));
                    listener
                }
            };
            proxies.push((pair, Proxy::open(port, to).await?));
            addresses.proxies.push((pair, port));
        }
        let project = std::path::absolute(&options.project)?;
        let mut database = Service::postgres(&project, &folder, postgres);
        let mut broker = Service::kafka(&project, &folder, kafka, controller, &listeners);
        let started = tokio::join!(database.start(), broker.start());
        started.0?;
        started.1?;
        std::fs::create_dir_all(folder.join("pids"))?;
        let password = std::fs::read_to_string(folder.join("postgres.password"))?;
        let has_spool = knows(&options.programs.join("server"), "SPOOL_DIR").await?;
        let rig = Self {
            folder,
            database: Mutex::new(database),
            broker: Mutex::new(broker),
            proxies,
            addresses,
            password,
            kafka: KafkaConfig {
                brokers: vec![format!("127.0.0.1:{kafka}")],
                ..KafkaConfig::default()
            },
            secret: SecretString::from(Uuid::new_v4().simple().to_string()),
            http: reqwest::Client::builder().no_proxy().build()?,
            has_spool,
            _ports: ports,
            options,
        };
        rig.make_template().await?;
        Ok(rig)
    }

    async fn make_template(&self) -> anyhow::Result<()> {
        let mut connection = self.connect("postgres").await?;
        for setting in POSTGRES_SETTINGS {
            execute(&mut connection, &format!("ALTER SYSTEM SET {setting}")).await?;
        }
        execute(&mut connection, &format!("CREATE DATABASE {TEMPLATE}")).await?;
        connection.close().await?;
        let mut connection = self.connect(TEMPLATE).await?;
        MIGRATOR.run(&mut connection).await?;
        connection.close().await?;
        // Some of the settings want a new start.
        let mut database = self.database.lock().await;
        let orderly = database.orderly();
        database.end(orderly);
        database.ended().await;
        database.start().await
    }

    /// A connection past the network.
    ///
    /// # Errors
    /// If the database does not answer.
    pub(crate) async fn connect(&self, database: &str) -> anyhow::Result<PgConnection> {
        let options: PgConnectOptions = self
            .database_url(database, self.addresses.postgres)
            .parse()?;
        options
            .disable_statement_logging()
            .connect()
            .await
            .context("the rig's own database does not answer")
    }

    pub(crate) fn database_url(&self, database: &str, port: u16) -> String {
        format!(
            "postgres://ingestor:{}@127.0.0.1:{port}/{database}",
            self.password
        )
    }

    /// The database without a proxy.
    pub(crate) fn direct_url(&self, names: &Names) -> String {
        self.database_url(&names.database, self.addresses.postgres)
    }

    /// The server as clients reach it.
    pub(crate) fn server_url(&self) -> String {
        format!(
            "http://127.0.0.1:{}",
            self.addresses.proxied(Pair::ClientServer)
        )
    }

    /// The server without a proxy.
    pub(crate) fn direct_server_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.addresses.server)
    }

    pub(crate) fn proxy(&self, pair: Pair) -> Option<&Proxy> {
        let found = self.proxies.iter().find(|(of, _)| *of == pair);
        found.map(|(_, proxy)| proxy)
    }

    /// A clear network; what was connected through it is reset if that is wanted.
    pub(crate) fn heal_network(&self, aftermath: Aftermath) {
        for (_, proxy) in &self.proxies {
            proxy.heal(aftermath);
        }
    }

    /// A writer's token for each tenant.
    ///
    /// # Errors
    /// If signing fails.
    pub(crate) fn tokens(&self) -> anyhow::Result<Vec<(i32, String)>> {
        let tokens = Tokens::new(&self.secret, 2);
        TENANTS
            .into_iter()
            .map(|tenant| {
                let tenant = Tenant::from_operator(tenant.into()).context("no tenant")?;
                Ok((tenant.id(), tokens.sign(1, tenant, Role::Writer)?))
            })
            .collect()
    }

    /// A database, topics and a folder that nobody has used.
    ///
    /// # Errors
    /// If a service does not answer.
    pub(crate) async fn fresh(&self, seed: u64) -> anyhow::Result<Names> {
        let id = format!("chaos_{seed}_{}", fastrand::u32(..));
        let names = Names {
            database: id.clone(),
            topic: id.clone(),
            dead_letters: format!("{id}-dlq"),
            group: format!("{id}-group"),
            folder: self.folder.join(&id),
        };
        std::fs::create_dir_all(&names.folder)?;
        let mut connection = self.connect("postgres").await?;
        let create = format!("CREATE DATABASE {} TEMPLATE {TEMPLATE}", names.database);
        execute(&mut connection, &create).await?;
        connection.close().await?;
        let topics = TopicRegistry::connect(&self.kafka, Duration::from_secs(30))?;
        topics
            .ensure(&[
                TopicSpec::new(&names.topic, PARTITIONS),
                TopicSpec::new(&names.dead_letters, PARTITIONS)
                    .max_message_bytes(DEAD_LETTER_BYTES_MAX),
            ])
            .await?;
        Ok(names)
    }

    /// Removes what a run leaves behind, except its topics, which the broker forgets with everything else.
    ///
    /// # Errors
    /// If the database does not answer.
    pub(crate) async fn remove(&self, names: &Names) -> anyhow::Result<()> {
        let mut connection = self.connect("postgres").await?;
        let drop = format!("DROP DATABASE {} WITH (FORCE)", names.database);
        execute(&mut connection, &drop).await?;
        connection.close().await?;
        std::fs::remove_dir_all(&names.folder)?;
        Ok(())
    }

    /// The server of a run; its own settings come on top.
    pub(crate) fn server(&self, names: &Names, own: Vec<(&'static str, String)>) -> Program {
        let mut settings = self.settings(names, Pair::ServerDatabase, Pair::ServerBroker);
        settings.push(("PORT", self.addresses.server.to_string()));
        settings.push(("JWT_SECRET", self.secret.expose_secret().to_owned()));
        settings.extend(own);
        self.program("server", "server", names, settings, self.addresses.server)
    }

    /// A consumer of a run; those from the third on share the network of the second.
    pub(crate) fn consumer(&self, names: &Names, number: usize) -> Program {
        let network = number.min(1);
        let mut settings = self.settings(
            names,
            Pair::ConsumerDatabase(network),
            Pair::ConsumerBroker(network),
        );
        let port = self.addresses.consumers[number.min(2)];
        settings.extend([
            ("CONSUMER_PORT", port.to_string()),
            ("KAFKA_GROUP_ID", names.group.clone()),
            // The broker forgets a killed member after this time; less is not allowed.
            ("KAFKA_SESSION_TIMEOUT_MS", "6000".to_owned()),
            ("KAFKA_HEARTBEAT_MS", "1000".to_owned()),
            // A flood of poison stops a partition; the rig need not wait long for the next probe.
            ("KAFKA_DLQ_PROBE_MS", "2000".to_owned()),
        ]);
        let name = format!("consumer{}", number + 1);
        self.program("consumer", &name, names, settings, port)
    }

    fn settings(&self, names: &Names, database: Pair, broker: Pair) -> Vec<(&'static str, String)> {
        let database = self.database_url(&names.database, self.addresses.proxied(database));
        let broker = format!("127.0.0.1:{}", self.addresses.proxied(broker));
        vec![
            ("LISTEN_ADDRESS", "127.0.0.1".to_owned()),
            ("DATABASE_URL", database),
            ("KAFKA_BROKERS", broker),
            ("KAFKA_TOPIC", names.topic.clone()),
            ("KAFKA_DLQ_TOPIC", names.dead_letters.clone()),
            // Soon enough to be seen at work, and done soon after the end.
            ("REFRESH_QUIET_MS", "500".to_owned()),
            ("REFRESH_STALE_MAX_MS", "3000".to_owned()),
        ]
    }

    fn program(
        &self,
        file: &str,
        name: &str,
        names: &Names,
        settings: Vec<(&'static str, String)>,
        port: u16,
    ) -> Program {
        Program::new(Launch {
            path: self.options.programs.join(file),
            settings,
            port,
            log: names.folder.join(format!("{name}.log")),
            pid_file: self.folder.join("pids").join(name),
        })
    }

    /// Everything that could tell what happened in a run, copied to a folder that stays.
    ///
    /// # Errors
    /// If it cannot be copied.
    pub(crate) async fn keep_logs(&self, names: &Names, to: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(to)?;
        for entry in std::fs::read_dir(&names.folder)?.flatten() {
            if entry.path().is_file() {
                std::fs::copy(entry.path(), to.join(entry.file_name()))?;
            }
        }
        for service in [&self.database, &self.broker] {
            let log = service.lock().await.log();
            if let Some(name) = log.file_name() {
                std::fs::copy(&log, to.join(name))?;
            }
        }
        Ok(())
    }
}

async fn execute(connection: &mut PgConnection, statement: &str) -> anyhow::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(connection)
        .await
        .with_context(|| statement.to_owned())?;
    Ok(())
}

async fn knows(program: &Path, setting: &str) -> anyhow::Result<bool> {
    let help = tokio::process::Command::new(program)
        .arg("--help")
        .output()
        .await
        .with_context(|| format!("{} cannot be started", program.display()))?;
    Ok(String::from_utf8_lossy(&help.stdout).contains(setting))
}
