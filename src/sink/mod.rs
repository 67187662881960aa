//! Where accepted events go: straight into PostgreSQL, or onto the Kafka topic with PostgreSQL as the fallback; and,
//! where there is a spool, onto the local disk while neither takes them.
//!
//! Policy lives here (which path, when to change over), mechanism in the paths. [`Ingest::write`] resolves when
//! each event is durable or refused, never before. No HTTP.

mod breaker;
mod direct;
mod drain;
mod ingest;
mod kafka;
mod spool;
mod stores;

use std::time::Duration;

pub use self::breaker::{Breaker, BreakerState};
pub use self::direct::DirectPath;
#[cfg(feature = "bench")]
pub use self::ingest::Baseline;
pub use self::ingest::Ingest;
pub use self::kafka::KafkaPath;
use self::spool::SpoolPath;

/// The path that made an event durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Committed to PostgreSQL.
    Direct,
    /// Acknowledged by the Kafka brokers.
    Kafka,
    /// On this server's disk, until one of the stores is back.
    Spool,
}

impl Mode {
    /// The name in answers and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Kafka => "kafka",
            Self::Spool => "spool",
        }
    }
}

/// An event that will be in the analytics once, whatever fails next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Where it is durable.
    pub mode: Mode,
    /// Whether it was stored before; only the direct path can tell.
    pub duplicate: bool,
}

/// An event that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No path could take it; the same event may be sent again.
    Unavailable {
        /// When to try again.
        retry_after: Duration,
    },
    /// The store refuses the event itself, and always will.
    Refused {
        /// The SQLSTATE of the refusal.
        sqlstate: String,
    },
}

/// What became of one event.
pub type Outcome = Result<Accepted, Refusal>;
