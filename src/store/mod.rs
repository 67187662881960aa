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
pub mod progress;
mod statement;
mod stored;
mod stubs;
pub mod tenants;
pub mod users;
mod write;
mod write_pool;

use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};
use tokio::time::timeout;

pub use self::progress::Progress;
pub use self::stored::{Kinds, count_not_stored};
pub use self::write::{EventWriter, Unavailable, WriteOutcome};
use self::write_pool::OUTLASTS_WAIT;
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
    /// Looking at how far a consumer has come: one connection.
    Watch,
    /// Keeping stored figures up: one connection, so that it takes none from the other two.
    Refresh,
}

/// Most time for bringing one group of sessions up to their facts; a group takes a tenth of a second as a rule.
const REFRESH_TIMEOUT_MS: u64 = 30_000;

/// Longest wait for what is still to come on a connection that is given back.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// The name of the writing connections at the server, by which a refresher sees that writers are at work.
const WRITER: &str = "analytics-ingestor write";

/// Opens a pool without connecting yet, so that a process can start while the database is away.
///
/// # Errors
/// If the connection URL cannot be read.
pub fn connect_lazy(config: &DatabaseConfig, purpose: Purpose) -> Result<PgPool, sqlx::Error> {
    let (name, connections_max, statement_timeout_ms) = match purpose {
        Purpose::Write => (
            WRITER,
            config.database_write_connections_max,
            config.database_write_timeout_ms,
        ),
        Purpose::Read => (
            "analytics-ingestor",
            config.database_connections_max,
            config.database_read_timeout_ms,
        ),
        Purpose::Watch => (
            "analytics-ingestor watch",
            1,
            config.database_read_timeout_ms,
        ),
        Purpose::Refresh => ("analytics-ingestor refresh", 1, REFRESH_TIMEOUT_MS),
    };
    // An acknowledgement promises that the event is on disk, whatever the role's default is. Stored figures promise
    // nothing: a crash that takes them back takes back with them that the session is up to date.
    let synchronous_commit = match purpose {
        Purpose::Write | Purpose::Read | Purpose::Watch => "on",
        Purpose::Refresh => "off",
    };
    let options: PgConnectOptions = config.database_url.expose_secret().parse()?;
    let mut options = options.application_name(name).options([
        ("statement_timeout", statement_timeout_ms.to_string()),
        // A process that is frozen inside a transaction must not hold its locks for longer than a statement may.
        (
            "idle_in_transaction_session_timeout",
            statement_timeout_ms.to_string(),
        ),
        ("synchronous_commit", synchronous_commit.to_owned()),
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
    if purpose == Purpose::Refresh {
        // A refresh may take its time, and a metric says how long it took.
        options = options.disable_statement_logging();
    }
    let mut pool = PgPoolOptions::new();
    if purpose != Purpose::Write {
        // Whoever waits for an answer may give up, and the pool waits for it in their place before it uses the connection
        // again. On one that has died without a word that would be for ever. Writers see to this by themselves, and the
        // round trip would cost them.
        pool = pool.after_release(|connection, _| {
            Box::pin(async move {
                match timeout(RELEASE_TIMEOUT, connection.ping()).await {
                    Ok(pinged) => pinged.map(|()| true),
                    Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
                }
            })
        });
    }
    let outlasts_wait = match purpose {
        Purpose::Write => OUTLASTS_WAIT,
        Purpose::Read | Purpose::Watch | Purpose::Refresh => 1,
    };
    Ok(pool
        .max_connections(connections_max)
        .acquire_timeout(Duration::from_millis(config.database_connect_timeout_ms) * outlasts_wait)
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
