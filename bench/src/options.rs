//! What to measure, how long, how often, and with which services.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use kafka_toolkit::KafkaConfig;
use secrecy::SecretString;

/// A group of figures that are measured together, because their ratios are what counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cell {
    /// Direct mode, single events, 64 and 256 connections, and the two baseline servers.
    Direct,
    /// Kafka mode, single events, 256 connections.
    Kafka,
    /// Kafka mode, batches of 1,000, and the raw producer.
    KafkaBatch,
    /// Direct mode, batches of 1,000, and the bare writer with 4 connections.
    DirectBatch,
    /// The store alone, in batches of 1,000 and of 200, with 1 and 2 writers, and the bare writer.
    Store,
    /// The consumer on a backlog, with and without the refresher, and the bare writer with 2 connections.
    Drain,
    /// The refresher while 2,000 answers a second come over 100 sessions.
    Live,
    /// The consumer on a backlog with one record in a thousand that can never be stored, and on one without.
    Poison,
    /// From acceptance to the row, at 1,000 events a second, and the raw producer at that rate.
    Stored,
    /// Single events in Kafka mode at half of the peak rate, and the raw producer at that rate.
    HalfPeak,
    /// The server's memory at peak, in both modes; only when asked for.
    Memory,
    /// Kafka lost for minutes at half load, frozen first and killed then; only when asked for.
    Outage,
    /// The reports, the generic query and the audit at two sizes of the database; only when asked for.
    Reading,
}

/// What to measure, how long, how often, and with which services.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Measure only this; can be given several times.
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) only: Vec<Cell>,
    /// How often everything is measured; the table shows medians.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// Length of each measurement, after a warm-up.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
    /// One run of 2 seconds each and a small backlog, to see that everything works; its figures mean little.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Length of the memory measurement in each mode; also adds it to what is measured.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(2..))]
    pub(crate) memory_minutes: Option<u64>,
    /// Length of the outage in the cell of that name.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(10..))]
    pub(crate) outage_seconds: u64,
    /// Records in the backlog that the consumer drains.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) backlog: u64,
    /// Answers in the larger of the two databases that reading is measured on; the other has a hundredth, and both have
    /// 100,000 at least.
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) answers: u64,
    /// The database, which is emptied; its role must be a superuser.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: SecretString,
    /// The broker.
    #[command(flatten)]
    pub(crate) kafka: KafkaConfig,
    /// Process of the broker, to count its processor time.
    #[arg(long, env = "BENCH_BROKER_PID")]
    pub(crate) broker_pid: Option<u32>,
    /// Folder of the built programs.
    #[arg(long, env = "BENCH_PROGRAMS")]
    pub(crate) programs: PathBuf,
    /// Folder for the programs' logs and for messages on file.
    #[arg(long, env = "BENCH_FOLDER")]
    pub(crate) folder: PathBuf,
}

impl Options {
    pub(crate) fn wants(&self, cell: Cell) -> bool {
        if cell == Cell::Memory {
            return self.memory_minutes.is_some() || self.only.contains(&cell);
        }
        (self.only.is_empty() && !matches!(cell, Cell::Reading | Cell::Outage))
            || self.only.contains(&cell)
    }

    /// Whether only this is asked for.
    pub(crate) fn wants_only(&self, cell: Cell) -> bool {
        self.only == [cell]
    }

    /// What the memory measurement takes in each mode.
    pub(crate) fn memory_time(&self) -> Duration {
        Duration::from_secs(60 * self.memory_minutes.unwrap_or(10))
    }

    pub(crate) fn runs(&self) -> u32 {
        if self.quick { 1 } else { self.runs }
    }

    pub(crate) fn measured(&self) -> Duration {
        Duration::from_secs(if self.quick { 2 } else { self.seconds })
    }

    pub(crate) fn warm_up(&self) -> Duration {
        Duration::from_secs(if self.quick { 1 } else { 2 })
    }

    /// How long the live stream is watched: several times what a session may be behind.
    pub(crate) fn live_time(&self) -> Duration {
        Duration::from_secs(if self.quick { 25 } else { 75 })
    }

    /// Rows that a writer of the store writes.
    pub(crate) fn store_rows(&self) -> usize {
        if self.quick { 10_000 } else { 60_000 }
    }

    /// Records in the backlog: whole batches.
    pub(crate) fn backlog(&self) -> u64 {
        let wanted = if self.quick { 100_000 } else { self.backlog };
        wanted.next_multiple_of(1_000)
    }
}
