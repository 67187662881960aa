//! `ctl topics ensure`: creates the topics that are missing and reports what differs in the others.

use std::fmt;
use std::time::Duration;

use clap::{Args, Subcommand};
use kafka_toolkit::TopicSpec;
use serde::Serialize;

use super::answer::Answer;
use super::kafka::ClusterArgs;

/// Topics.
#[derive(Debug, Subcommand)]
pub enum TopicsCommand {
    /// Create the topics of events and dead letters where they are missing, and check them; never alters one.
    Ensure(EnsureArgs),
}

/// Arguments of `ctl topics ensure`.
#[derive(Debug, Args)]
pub struct EnsureArgs {
    /// Partitions of each topic.
    #[arg(long, env = "KAFKA_TOPIC_PARTITIONS", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub kafka_topic_partitions: i32,
    /// Copies of each partition.
    #[arg(long, env = "KAFKA_TOPIC_REPLICATION", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=100))]
    pub kafka_topic_replication: i32,
    /// How long records are kept, in hours.
    #[arg(long, env = "KAFKA_TOPIC_RETENTION_HOURS", default_value_t = 168, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub kafka_topic_retention_hours: u32,
    /// The topics and the cluster that holds them.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// How the topics are.
#[derive(Debug, Serialize)]
pub(super) struct Ensured {
    topics: Vec<String>,
    created: Vec<String>,
    /// What differs from the settings, in words.
    mismatches: Vec<String>,
}

/// A dead letter is the record and its story: it must fit even when the record alone filled a message.
const DEAD_LETTER_BYTES_MAX: i64 = 2 * 1024 * 1024;

pub(super) async fn ensure(args: EnsureArgs) -> anyhow::Result<Ensured> {
    let retention = Duration::from_secs(u64::from(args.kafka_topic_retention_hours) * 3600);
    let cluster = &args.cluster;
    let spec = |topic: &str| {
        TopicSpec::new(topic, args.kafka_topic_partitions)
            .replication(args.kafka_topic_replication)
            .retention(retention)
    };
    let topics = vec![
        cluster.topics.kafka_topic.clone(),
        cluster.topics.kafka_dlq_topic.clone(),
    ];
    let specs = [
        spec(&topics[0]),
        spec(&topics[1]).max_message_bytes(DEAD_LETTER_BYTES_MAX),
    ];
    let registry = cluster.registry().map_err(|error| cluster.explain(error))?;
    let created = registry
        .ensure(&specs)
        .await
        .map_err(|error| cluster.explain(error))?;
    let mismatches = registry
        .check(&specs)
        .await
        .map_err(|error| cluster.explain(error))?;
    Ok(Ensured {
        topics,
        created,
        mismatches: mismatches.iter().map(ToString::to_string).collect(),
    })
}

impl Answer for Ensured {
    fn is_failure(&self) -> bool {
        !self.mismatches.is_empty()
    }
}

impl fmt::Display for Ensured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for topic in &self.topics {
            let state = if self.created.contains(topic) {
                "created"
            } else {
                "exists"
            };
            writeln!(f, "topic {topic}: {state}")?;
        }
        for mismatch in &self.mismatches {
            writeln!(f, "differs: {mismatch}")?;
        }
        Ok(())
    }
}
