//! `ctl dlq list`: the newest dead letters, with where they come from and why.
//!
//! Payloads are not shown: they are somebody's answers, and Kafka's own console consumer shows them to who must see.

use std::fmt;

use clap::{Args, Subcommand};
use kafka_toolkit::DeadLetter;
use kafka_toolkit::inspect::{Located, Range};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::answer::Answer;
use super::kafka::ClusterArgs;
use super::table::Table;

/// Dead letters: records that can never be stored.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// List the newest ones, oldest first.
    List(ListArgs),
}

/// Arguments of `ctl dlq list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Most dead letters to list.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// The topics and the cluster that holds them.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Dead letters of a topic.
#[derive(Debug, Serialize)]
pub(super) struct DeadLetters {
    topic: String,
    /// How many the topic keeps.
    total: i64,
    dead_letters: Vec<Listed>,
}

/// One record of the dead-letter topic.
#[derive(Debug, Serialize)]
struct Listed {
    partition: i32,
    offset: i64,
    #[serde(with = "time::serde::rfc3339::option")]
    time: Option<OffsetDateTime>,
    key: Option<String>,
    payload_bytes: usize,
    /// `None` for a record that carries no readable origin: somebody else wrote it.
    #[serde(flatten)]
    origin: Option<Origin>,
    /// Why the record is no dead letter of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<String>,
}

#[derive(Debug, Serialize)]
struct Origin {
    original_topic: String,
    original_partition: i32,
    original_offset: i64,
    error_class: String,
    error_name: String,
    error_message: String,
    attempts: u32,
}

pub(super) async fn list(args: ListArgs) -> anyhow::Result<DeadLetters> {
    let ListArgs { limit, cluster } = args;
    let inspector = cluster.inspector()?;
    let topic = cluster.topics.kafka_dlq_topic.clone();
    let watermarks = inspector
        .watermarks(&topic)
        .await
        .map_err(|error| cluster.explain(error))?;
    // The newest of all are among the newest of each partition.
    let ranges: Vec<Range> = watermarks
        .iter()
        .map(|watermark| Range {
            partition: watermark.partition,
            from: watermark.low.max(watermark.high - i64::from(limit)),
            to: watermark.high,
        })
        .collect();
    let mut records = inspector
        .read_range(&topic, &ranges, usize::MAX, |_| true)
        .await
        .map_err(|error| cluster.explain(error))?;
    records.sort_by_key(|located| {
        (
            located.record.timestamp_ms,
            located.partition,
            located.record.offset,
        )
    });
    let surplus = records.len().saturating_sub(limit as usize);
    Ok(DeadLetters {
        topic,
        total: watermarks.iter().map(|w| w.high - w.low).sum(),
        dead_letters: records[surplus..].iter().map(Listed::from).collect(),
    })
}

impl From<&Located> for Listed {
    fn from(located: &Located) -> Self {
        let record = &located.record;
        let letter = DeadLetter::from_record(record);
        let unreadable = letter.as_ref().err().map(ToString::to_string);
        Self {
            partition: located.partition,
            offset: record.offset,
            time: record.timestamp_ms.and_then(|ms| {
                OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()
            }),
            key: record
                .key
                .as_ref()
                .map(|key| String::from_utf8_lossy(key).into_owned()),
            payload_bytes: record.payload.as_ref().map_or(0, bytes::Bytes::len),
            origin: letter.ok().map(|letter| Origin {
                original_topic: letter.topic,
                original_partition: letter.partition,
                original_offset: letter.record.offset,
                error_class: letter.error_class,
                error_name: letter.error_name,
                error_message: letter.error_message,
                attempts: letter.attempts,
            }),
            unreadable,
        }
    }
}

impl Answer for DeadLetters {}

impl fmt::Display for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new([
            "PARTITION",
            "OFFSET",
            "TIME",
            "ORIGIN",
            "CLASS",
            "ERROR",
            "ATTEMPTS",
            "MESSAGE",
        ]);
        for letter in &self.dead_letters {
            let time = letter.time.and_then(|time| time.format(&Rfc3339).ok());
            let [origin, class, name, attempts, message] = match &letter.origin {
                Some(origin) => [
                    format!(
                        "{}/{}/{}",
                        origin.original_topic, origin.original_partition, origin.original_offset
                    ),
                    origin.error_class.clone(),
                    origin.error_name.clone(),
                    origin.attempts.to_string(),
                    one_line(&origin.error_message),
                ],
                None => {
                    let why = letter.unreadable.clone().unwrap_or_default();
                    let nothing = || "-".to_owned();
                    [nothing(), nothing(), nothing(), nothing(), why]
                }
            };
            table.row([
                letter.partition.to_string(),
                letter.offset.to_string(),
                time.unwrap_or_else(|| "-".to_owned()),
                origin,
                class,
                name,
                attempts,
                message,
            ]);
        }
        if !self.dead_letters.is_empty() {
            table.fmt(f)?;
        }
        let shown = self.dead_letters.len();
        write!(f, "{shown} of {} in {}", self.total, self.topic)
    }
}

/// A message with control characters replaced: a record's bytes must not steer the terminal.
fn one_line(message: &str) -> String {
    message
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_steer_the_terminal() {
        assert_eq!(one_line("a\u{1b}[2Jb\nc"), "a [2Jb c");
    }
}
