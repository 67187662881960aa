//! What every handler can reach.

use std::sync::Arc;
use std::time::Duration;

use kafka_toolkit::{Inspector, Producer};
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::Health;
use crate::auth::{Passwords, Tokens};
use crate::config::{HttpConfig, ServerConfig};
use crate::sink::{Breaker, DirectPath, Ingest, KafkaPath};
use crate::spool::Spool;
use crate::store::{self, EventWriter, Purpose};

/// Most time for the brokers to answer a health probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// What every handler can reach.
#[derive(Debug)]
pub struct AppState {
    /// The way in for events.
    pub ingest: Ingest,
    /// The database, for everything but events.
    pub db: PgPool,
    /// Signs and verifies tokens.
    pub tokens: Tokens,
    /// Hashes and verifies passwords.
    pub passwords: Passwords,
    /// Whether everybody may sign up.
    pub signup_enabled: bool,
    /// What a request may bring.
    pub limits: Limits,
    /// Which stores can be reached.
    pub health: Health,
    /// Cancelled when a stop has been asked for.
    pub stopping: CancellationToken,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
}

impl AppState {
    /// Puts the application together as configured; must run inside a runtime. No store has to be up.
    ///
    /// # Errors
    /// If a setting cannot be used.
    pub fn assemble(config: &ServerConfig, metrics: PrometheusHandle) -> anyhow::Result<Self> {
        let db = store::connect_lazy(&config.database, Purpose::Read)?;
        let writer = EventWriter::new(
            store::connect_lazy(&config.database, Purpose::Write)?,
            config.database.write_deadline(),
            "direct",
        );
        let direct = DirectPath::start(writer, &config.ingest);
        let (ingest, inspector) = if config.kafka_mode.kafka_enabled {
            let producer = Producer::connect(&config.kafka, &config.producer)?;
            let breaker = Breaker::new(
                config.kafka_mode.kafka_breaker_failures,
                Duration::from_millis(config.kafka_mode.kafka_breaker_open_ms),
                KafkaPath::silence_max(&config.producer),
            );
            let path = KafkaPath::new(producer, &config.topics.kafka_topic);
            let inspector = Inspector::new(&config.kafka, PROBE_TIMEOUT)?;
            (Ingest::kafka(path, breaker, direct), Some(inspector))
        } else {
            (Ingest::direct(direct), None)
        };
        let ingest = match config.spool.directory() {
            Some(directory) => {
                let (_, reader) = Spool::open(directory, config.spool.spool_bytes_max)?;
                ingest.spooling(reader)
            }
            None => ingest,
        };
        Ok(Self {
            health: Health::new(db.clone(), inspector),
            ingest,
            db,
            tokens: Tokens::new(&config.auth.jwt_secret, config.auth.auth_tokens_cached_max),
            passwords: Passwords::new()?,
            signup_enabled: config.auth.signup_enabled,
            limits: Limits::new(&config.http),
            stopping: CancellationToken::new(),
            metrics,
        })
    }
}

/// What a request may bring; the numbers of contract 12.3.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most bytes of a body as sent.
    pub wire_bytes_max: usize,
    /// Most bytes of a body after decompression.
    pub body_bytes_max: usize,
    /// Most events in a batch.
    pub batch_events_max: usize,
    /// Most time for a body to arrive.
    pub body_timeout: Duration,
    /// Kibibytes of bodies that may be in memory at one time, over all requests.
    pub memory_kib: Arc<Semaphore>,
}

impl Limits {
    /// The contract's limits, with the configured memory.
    pub fn new(config: &HttpConfig) -> Self {
        Self {
            wire_bytes_max: 10 * 1024 * 1024,
            body_bytes_max: 64 * 1024 * 1024,
            batch_events_max: 10_000,
            body_timeout: Duration::from_millis(config.http_body_timeout_ms),
            memory_kib: Arc::new(Semaphore::new(config.http_body_memory_bytes_max / 1024)),
        }
    }
}
