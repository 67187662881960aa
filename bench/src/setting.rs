//! The services and programs that every cell uses, and a fresh start for each cell.

use std::time::Duration;

use analytics_ingestor::auth::{Role, Tokens};
use analytics_ingestor::store::MIGRATOR;
use analytics_ingestor::tenant::Tenant;
use anyhow::Context;
use kafka_toolkit::{TopicRegistry, TopicSpec};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use uuid::Uuid;

use crate::options::Options;
use crate::program::Programs;
use crate::{cost, messages};

/// As many as start-kafka.sh gives the product's topic.
const PARTITIONS: i32 = 3;

pub(crate) struct Setting {
    pub(crate) options: Options,
    pub(crate) programs: Programs,
    /// A writer's token.
    pub(crate) token: String,
    /// A reader's token.
    pub(crate) reader: String,
    pub(crate) db: PgPool,
    pub(crate) connect: PgConnectOptions,
    postmaster: u32,
    topics: TopicRegistry,
}

impl Setting {
    /// Looks for the services, migrates the database and writes what the raw producer will send.
    pub(crate) async fn prepare(options: Options) -> anyhow::Result<Self> {
        let connect: PgConnectOptions = options.database_url.expose_secret().parse()?;
        let db = PgPoolOptions::new()
            .max_connections(2)
            .connect_with(connect.clone())
            .await
            .context("the database cannot be reached (DATABASE_URL)")?;
        MIGRATOR.run(&db).await?;
        let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&db)
            .await?;
        let topics = TopicRegistry::connect(&options.kafka, Duration::from_secs(30))?;
        let secret = SecretString::from(Uuid::new_v4().simple().to_string());
        let tokens = Tokens::new(&secret, 2);
        std::fs::create_dir_all(&options.folder)?;
        let setting = Self {
            programs: Programs {
                folder: options.programs.clone(),
                logs: options.folder.clone(),
                settings: vec![
                    ("LISTEN_ADDRESS", "127.0.0.1".to_owned()),
                    (
                        "DATABASE_URL",
                        options.database_url.expose_secret().to_owned(),
                    ),
                    ("JWT_SECRET", secret.expose_secret().to_owned()),
                    ("KAFKA_BROKERS", options.kafka.brokers.join(",")),
                ],
            },
            postmaster: cost::parent_of(u32::try_from(backend)?)?,
            token: tokens.sign(1, Tenant::DEFAULT, Role::Writer)?,
            reader: tokens.sign(2, Tenant::DEFAULT, Role::Reader)?,
            db,
            connect,
            topics,
            options,
        };
        messages::write(&setting.messages())?;
        Ok(setting)
    }

    /// File of the messages that the raw producer sends.
    pub(crate) fn messages(&self) -> std::path::PathBuf {
        self.options.folder.join("messages")
    }

    /// Empties the database, and writes out what a former cell left to be written.
    pub(crate) async fn fresh_tables(&self) -> anyhow::Result<()> {
        sqlx::raw_sql(
            "TRUNCATE answers, publications, session_events, sessions, questions, students, classrooms, quizzes,
                      classroom_students, consumer_progress, stale_sessions, stored_session_figures,
                      stored_session_questions, stored_session_students",
        )
        .execute(&self.db)
        .await?;
        sqlx::raw_sql("CHECKPOINT").execute(&self.db).await?;
        Ok(())
    }

    /// Makes a topic of its own, and one for its dead letters.
    pub(crate) async fn fresh_topic(&self) -> anyhow::Result<String> {
        let name = format!("bench-{}", Uuid::now_v7().simple());
        let topics = [name.clone(), dead_letters_of(&name)];
        let specs = topics.map(|topic| TopicSpec::new(topic, PARTITIONS));
        self.topics.ensure(&specs).await?;
        Ok(name)
    }

    /// Counts processor time from now on; `program` is whatever is under measurement.
    pub(crate) fn meter(&self, program: Option<u32>) -> anyhow::Result<Meter> {
        let mut meter = Meter {
            program,
            postmaster: self.postmaster,
            broker: self.options.broker_pid,
            before: Vec::new(),
        };
        meter.before = meter.read()?;
        Ok(meter)
    }
}

/// Where the dead letters of a topic go.
pub(crate) fn dead_letters_of(topic: &str) -> String {
    format!("{topic}-dlq")
}

/// Processor time since a moment.
pub(crate) struct Meter {
    program: Option<u32>,
    postmaster: u32,
    broker: Option<u32>,
    before: Vec<(&'static str, Duration)>,
}

impl Meter {
    fn read(&self) -> anyhow::Result<Vec<(&'static str, Duration)>> {
        let mut times = Vec::new();
        if let Some(pid) = self.program {
            times.push(("program µs", cost::of_process(pid)?));
        }
        times.push(("PostgreSQL µs", cost::of_family(self.postmaster)?));
        if let Some(pid) = self.broker {
            times.push(("broker µs", cost::of_process(pid)?));
        }
        Ok(times)
    }

    /// Microseconds for each event since the beginning, by who spent them.
    pub(crate) fn per_event(&self, events: u64) -> anyhow::Result<Vec<(&'static str, f64)>> {
        let now = self.read()?;
        let spent = now.into_iter().zip(&self.before);
        Ok(spent
            .map(|((name, now), (_, before))| (name, micros_each(now - *before, events)))
            .collect())
    }
}

pub(crate) fn micros_each(time: Duration, events: u64) -> f64 {
    time.as_secs_f64() * 1e6 / events.max(1) as f64
}
