//! `ctl lag`: how far the consumer group is behind.

use std::fmt;

use clap::Args;
use serde::Serialize;

use super::answer::Answer;
use super::kafka::ClusterArgs;
use super::table::Table;
use crate::config::CONSUMER_GROUP;

/// Arguments of `ctl lag`.
#[derive(Debug, Args)]
pub struct LagArgs {
    /// The consumer group.
    #[arg(long = "kafka-group-id", env = "KAFKA_GROUP_ID", default_value = CONSUMER_GROUP, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub group: String,
    /// The topics and the cluster that holds them.
    #[command(flatten)]
    pub cluster: ClusterArgs,
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
    let LagArgs { group, cluster } = args;
    let topic = cluster.topics.kafka_topic.clone();
    let partitions: Vec<PartitionLag> = cluster
        .inspector()?
        .lag(&group, &topic)
        .await
        .map_err(|error| cluster.explain(error))?
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
