//! PostgreSQL: the schema, the connections, and the only code that writes events.
//!
//! [`EventWriter::write_batch`] is the one door for events: direct path, fallback and consumer all use it.
//! The other modules hold one entity each, queries beside the type they return. No HTTP, no Kafka.

mod answer_keys;
pub mod catalogue;
mod columns;
mod failure;
pub mod figures;
pub mod fixtures;
mod known;
mod progress;
mod statement;
mod stubs;
pub mod tenants;
pub mod users;
mod write;

use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::PgPool;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

pub use self::progress::Progress;
pub use self::write::{EventWriter, Unavailable, WriteOutcome};
use crate::config::DatabaseConfig;

/// The schema's migrations, embedded for the binaries and the tests.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// What a pool's connections are for; it decides their number and how long a statement may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Writing events: few connections, short statements.
    Write,
    /// Reports, logins and health: as many as the configuration allows.
    Read,
}

/// Opens a pool without connecting yet, so that a process can start while the database is away.
///
/// # Errors
/// If the connection URL cannot be read.
pub fn connect_lazy(config: &DatabaseConfig, purpose: Purpose) -> Result<PgPool, sqlx::Error> {
    let (connections_max, statement_timeout_ms) = match purpose {
        Purpose::Write => (
            config.database_write_connections_max,
            config.database_write_timeout_ms,
        ),
        Purpose::Read => (
            config.database_connections_max,
            config.database_read_timeout_ms,
        ),
    };
    let options: PgConnectOptions = config.database_url.expose_secret().parse()?;
    let mut options = options.application_name("analytics-ingestor").options([
        ("statement_timeout", statement_timeout_ms.to_string()),
        // An acknowledgement promises that the event is on disk, whatever the role's default is.
        ("synchronous_commit", "on".to_owned()),
        // Short statements over indexes: compiling them costs more than it saves.
        ("jit", "off".to_owned()),
    ]);
    if purpose == Purpose::Write {
        options = options.options([
            // Planning the write statement takes longer than running it for a few events; one plan does for all sizes.
            ("plan_cache_mode", "force_generic_plan"),
            // That plan may be made while a table is empty and used when it has millions of rows.
            ("enable_seqscan", "off"),
        ]);
    }
    Ok(PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(Duration::from_millis(config.database_connect_timeout_ms))
        // A dead connection shows at its next use, where writes retry anyway; a ping each time would double the
        // round trips.
        .test_before_acquire(false)
        .connect_lazy_with(options))
}

/// Asks the database for a sign of life.
///
/// # Errors
/// If it gives none.
pub async fn ping(db: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT 1").execute(db).await.map(|_| ())
}
