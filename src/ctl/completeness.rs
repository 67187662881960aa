//! `ctl completeness`: whether every record of the topic has come to one of its ends.

use std::fmt;

use clap::Args;
use serde::Serialize;
use time::format_description::well_known::Rfc3339;

use super::answer::Answer;
use super::database;
use super::kafka::ClusterArgs;
use super::table::Table;
use crate::completeness::{Count, Look, LookError, Minute, Missing};
use crate::config::{CONSUMER_GROUP, DatabaseConfig};

/// Arguments of `ctl completeness`.
#[derive(Debug, Args)]
pub struct CompletenessArgs {
    /// How many of the latest minutes to show; everything that the topic holds is counted.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=10_080))]
    pub minutes: u32,
    /// Most missing records to list; all are counted.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// The consumer group.
    #[arg(long = "kafka-group-id", env = "KAFKA_GROUP_ID", default_value = CONSUMER_GROUP, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub group: String,
    /// PostgreSQL.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// The topics and the cluster that holds them.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// What became of the records.
#[derive(Debug, Serialize)]
pub(super) struct Completeness {
    group: String,
    topic: String,
    /// The latest minutes, ascending, the one under way last.
    minutes: Vec<Minute>,
    /// Everything that the topic holds.
    total: Count,
    /// Records that retention removed before the group had read them.
    expired: i64,
    /// The missing ones, up to the limit.
    missing: Vec<Missing>,
}

pub(super) async fn completeness(args: CompletenessArgs) -> anyhow::Result<Completeness> {
    let mut connection = database::connect(&args.database).await?;
    let topics = &args.cluster.topics;
    let mut look = Look::new(
        args.cluster.inspector()?,
        &args.group,
        &topics.kafka_topic,
        &topics.kafka_dlq_topic,
    );
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let found = look
        .count(&mut connection, args.minutes, limit)
        .await
        .map_err(|error| match error {
            LookError::Kafka(error) => args.cluster.explain(error),
            LookError::Database(error) => database::explain(error),
        })?;
    Ok(Completeness {
        total: found.total(),
        expired: found.expired(),
        group: args.group,
        topic: args.cluster.topics.kafka_topic,
        minutes: found.minutes,
        missing: found.missing,
    })
}

impl Answer for Completeness {
    fn is_failure(&self) -> bool {
        self.total.missing > 0 || self.expired > 0
    }
}

impl fmt::Display for Completeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            group,
            topic,
            minutes,
            total,
            expired,
            missing,
        } = self;
        writeln!(f, "group {group}, topic {topic}")?;
        let mut table = Table::new([
            "MINUTE",
            "ACCEPTED",
            "STORED",
            "DEAD LETTERS",
            "IN FLIGHT",
            "MISSING",
        ]);
        let mut row = |name: String, count: &Count| {
            table.row([
                name,
                count.accepted.to_string(),
                count.stored.to_string(),
                count.dead_lettered.to_string(),
                count.in_flight.to_string(),
                count.missing.to_string(),
            ]);
        };
        for minute in minutes.iter().filter(|minute| minute.count.accepted > 0) {
            row(text(minute.began_at), &minute.count);
        }
        row("all that is kept".to_owned(), total);
        table.fmt(f)?;
        if !missing.is_empty() {
            let mut table = Table::new(["PARTITION", "OFFSET", "RECORDED", "EVENT"]);
            for record in missing {
                table.row([
                    record.partition.to_string(),
                    record.offset.to_string(),
                    record.recorded_at.map_or_else(|| "-".to_owned(), text),
                    record.event_id.clone().unwrap_or_else(|| "-".to_owned()),
                ]);
            }
            writeln!(f, "missing:")?;
            table.fmt(f)?;
        }
        if *expired > 0 {
            writeln!(
                f,
                "{expired} records were removed by the topic's retention before the group had read them"
            )?;
        }
        if total.missing > 0 {
            write!(
                f,
                "{} records are missing: the group has passed them, and they are neither stored nor dead letters; docs/OPERATIONS.md says how to read them after all",
                total.missing
            )
        } else {
            write!(f, "no record is missing")
        }
    }
}

fn text(at: time::OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
