//! Two schools that differ in nothing but their size, each in a database of its own on the benchmark's server.

use std::process::Stdio;
use std::time::{Duration, Instant};

use analytics_ingestor::store::MIGRATOR;
use anyhow::{Context, ensure};
use secrecy::ExposeSecret;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::process::Command;

use crate::cost;
use crate::program::Program;
use crate::setting::Setting;

/// Answers in each session of a school.
const ANSWERS_PER_SESSION: u64 = 100;
/// How often the memory of a running `ctl` is read.
const MEMORY_LOOK: Duration = Duration::from_millis(20);

/// A school's database.
pub(super) struct School {
    pub(super) sessions: u64,
    pub(super) db: PgPool,
    url: String,
}

/// What a run of `ctl` took.
pub(super) struct Ran {
    pub(super) took: Duration,
    /// Most memory that it held.
    pub(super) memory_mib: f64,
}

impl School {
    /// Builds the school of so many answers, unless a former run left it.
    pub(super) async fn open(setting: &Setting, answers: u64) -> anyhow::Result<Self> {
        let sessions = answers / ANSWERS_PER_SESSION;
        ensure!(
            sessions > 0 && sessions.is_multiple_of(1_000),
            "a school has whole quizzes: a multiple of 100,000 answers"
        );
        let name = format!("bench_school_{answers}");
        let (server, _) = setting
            .options
            .database_url
            .expose_secret()
            .rsplit_once('/')
            .context("DATABASE_URL names no database")?;
        let url = format!("{server}/{name}");
        let is_there: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
                .bind(&name)
                .fetch_one(&setting.db)
                .await?;
        if !is_there {
            setting.execute(format!("CREATE DATABASE {name}")).await?;
        }
        let db = PgPoolOptions::new()
            .max_connections(1)
            .connect_with(url.parse()?)
            .await?;
        let school = Self { sessions, db, url };
        if school.answers().await? != answers {
            eprintln!("building a school of {answers} answers");
            school.build(setting).await?;
        }
        Ok(school)
    }

    async fn answers(&self) -> anyhow::Result<u64> {
        MIGRATOR.run(&self.db).await?;
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM answers")
            .fetch_one(&self.db)
            .await?;
        Ok(u64::try_from(count)?)
    }

    async fn build(&self, setting: &Setting) -> anyhow::Result<()> {
        let mut connection = self.db.acquire().await?;
        sqlx::query("SELECT set_config('bench.sessions', $1, false)")
            .bind(self.sessions.to_string())
            .execute(&mut *connection)
            .await?;
        sqlx::raw_sql(include_str!("load.sql"))
            .execute(&mut *connection)
            .await?;
        drop(connection);
        let rebuilt = self.ctl(setting, &["rebuild"]).await?;
        eprintln!("  its figures were worked out in {:?}", rebuilt.took);
        sqlx::raw_sql("VACUUM (ANALYZE)").execute(&self.db).await?;
        setting.execute("CHECKPOINT".to_owned()).await
    }

    /// Runs a command of `ctl` on the school; it must succeed.
    pub(super) async fn ctl(&self, setting: &Setting, command: &[&str]) -> anyhow::Result<Ran> {
        let began = Instant::now();
        let mut child = Command::new(setting.programs.path("ctl"))
            .args(command)
            .envs(setting.programs.settings.iter().cloned())
            .env("DATABASE_URL", &self.url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().context("ctl has ended")?;
        let mut memory_mib: f64 = 0.0;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                () = tokio::time::sleep(MEMORY_LOOK) => {
                    memory_mib = memory_mib.max(cost::memory_mib(pid).unwrap_or(0.0));
                }
            }
        };
        ensure!(status.success(), "ctl {command:?} ended with {status}");
        Ok(Ran {
            took: began.elapsed(),
            memory_mib,
        })
    }

    /// Starts a server over the school.
    pub(super) async fn serve(&self, setting: &Setting) -> anyhow::Result<Program> {
        let settings = [
            ("DATABASE_URL", self.url.clone()),
            ("KAFKA_ENABLED", "false".to_owned()),
            // Sessions that are made to be behind must stay so.
            ("REFRESH_ENABLED", "false".to_owned()),
            ("DATABASE_READ_TIMEOUT_MS", "120000".to_owned()),
        ];
        let server = setting.programs.path("server");
        setting
            .programs
            .start("server-reading", &server, &[], "PORT", &settings)
            .await
    }

    /// Runs a statement about one entity; milliseconds until all its rows are there.
    pub(super) async fn raw_ms(
        &self,
        statement: &'static str,
        entity: Option<uuid::Uuid>,
    ) -> anyhow::Result<f64> {
        let began = Instant::now();
        let mut query = sqlx::query(statement);
        if let Some(entity) = entity {
            query = query.bind(entity);
        }
        query.fetch_all(&self.db).await?;
        Ok(began.elapsed().as_secs_f64() * 1_000.0)
    }

    /// An entity's id, as load.sql makes it.
    pub(super) async fn id(&self, kind: &str, number: u64) -> anyhow::Result<uuid::Uuid> {
        Ok(sqlx::query_scalar("SELECT md5($1 || $2)::uuid")
            .bind(kind)
            .bind(number.to_string())
            .fetch_one(&self.db)
            .await?)
    }

    /// Makes the figures of so many sessions of a classroom out of date.
    pub(super) async fn outdate(&self, classroom: uuid::Uuid, sessions: i64) -> anyhow::Result<()> {
        sqlx::query(
            "SELECT outdate_sessions(array_agg(tenant_id), array_agg(session_id))
             FROM (SELECT tenant_id, session_id FROM sessions WHERE tenant_id = 1 AND classroom_id = $1
                   ORDER BY session_id LIMIT $2) AS chosen",
        )
        .bind(classroom)
        .bind(sessions)
        .execute(&self.db)
        .await?;
        Ok(())
    }
}

impl Setting {
    async fn execute(&self, statement: String) -> anyhow::Result<()> {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&self.db)
            .await?;
        Ok(())
    }
}
