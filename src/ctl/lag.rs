//! `ctl lag`: how far the consumer group is behind.

use std::fmt;
use std::time::Duration;

use clap::Args;
use kafka_toolkit::Inspector;
use kafka_toolkit::config::KafkaConfig;
use serde::Serialize;

use super::answer::Answer;
use super::table::Table;
use crate::config::{CONSUMER_GROUP, TopicConfig};

/// Arguments of `ctl lag`.
#[derive(Debug, Args)]
pub struct LagArgs {
    /// The consumer group.
    #[arg(long = "kafka-group-id", env = "KAFKA_GROUP_ID", default_value = CONSUMER_GROUP)]
    pub group: String,
    /// Most time for one answer of the cluster, in milliseconds.
    #[arg(long, env = "KAFKA_ANSWER_TIMEOUT_MS", default_value_t = 10_000)]
    pub kafka_answer_timeout_ms: u64,
    /// The topics.
    #[command(flatten)]
    pub topics: TopicConfig,
    /// How to reach Kafka.
    #[command(flatten)]
    pub kafka: KafkaConfig,
}

/// How far a group is behind in a topic.
#[derive(Debug, Serialize)]
pub(super) struct GroupLag {
    group: String,
    topic: String,
    partitions: Vec<PartitionLag>,
    /// Events that the group has not finished, in all partitions.
    lag: i64,
    /// Age of the oldest of them.
    lag_seconds: f64,
}

#[derive(Debug, Serialize)]
struct PartitionLag {
    partition: i32,
    committed: Option<i64>,
    end: i64,
    lag: i64,
    lag_seconds: f64,
}

pub(super) async fn lag(args: LagArgs) -> anyhow::Result<GroupLag> {
    let timeout = Duration::from_millis(args.kafka_answer_timeout_ms);
    // Set but empty means the default, as the consumer reads it.
    let group = if args.group.is_empty() {
        CONSUMER_GROUP.to_owned()
    } else {
        args.group
    };
    let topic = args.topics.kafka_topic;
    let partitions: Vec<PartitionLag> = Inspector::new(&args.kafka, timeout)?
        .lag(&group, &topic)
        .await?
        .into_iter()
        .map(|found| PartitionLag {
            partition: found.partition,
            committed: found.committed,
            end: found.high,
            lag: found.lag,
            lag_seconds: found.lag_seconds,
        })
        .collect();
    Ok(GroupLag {
        group,
        topic,
        lag: partitions.iter().map(|partition| partition.lag).sum(),
        lag_seconds: partitions
            .iter()
            .fold(0.0, |most, partition| most.max(partition.lag_seconds)),
        partitions,
    })
}

impl Answer for GroupLag {}

impl fmt::Display for GroupLag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "group {}, topic {}", self.group, self.topic)?;
        let mut table = Table::new(["PARTITION", "COMMITTED", "END", "LAG", "LAG SECONDS"]);
        for partition in &self.partitions {
            table.row([
                partition.partition.to_string(),
                partition
                    .committed
                    .map_or_else(|| "-".to_owned(), |offset| offset.to_string()),
                partition.end.to_string(),
                partition.lag.to_string(),
                format!("{:.1}", partition.lag_seconds),
            ]);
        }
        table.fmt(f)?;
        write!(
            f,
            "behind by {} events, the oldest {:.1} s old",
            self.lag, self.lag_seconds
        )
    }
}
