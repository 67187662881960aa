//! What every handler can reach.

use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio::sync::Semaphore;

use super::Health;
use crate::auth::{Passwords, Tokens};
use crate::config::HttpConfig;
use crate::sink::Ingest;

/// What every handler can reach; cheap to clone.
#[derive(Debug, Clone)]
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
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
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
