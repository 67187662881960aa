//! How an operator's command reaches the cluster.

use std::fmt::Display;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use kafka_toolkit::config::{ConfigError, KafkaConfig};
use kafka_toolkit::topic::TopicError;
use kafka_toolkit::{Inspector, TopicRegistry};

use crate::config::TopicConfig;

/// The topics and the cluster that holds them.
#[derive(Debug, Args)]
pub struct ClusterArgs {
    /// Most time for one answer of the cluster, in milliseconds.
    #[arg(long, env = "KAFKA_ANSWER_TIMEOUT_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub kafka_answer_timeout_ms: u64,
    /// The topics.
    #[command(flatten)]
    pub topics: TopicConfig,
    /// How to reach Kafka.
    #[command(flatten)]
    pub kafka: KafkaConfig,
}

impl ClusterArgs {
    pub(super) fn inspector(&self) -> Result<Inspector, ConfigError> {
        Inspector::new(&self.kafka, self.timeout())
    }

    pub(super) fn registry(&self) -> Result<TopicRegistry, TopicError> {
        TopicRegistry::connect(&self.kafka, self.timeout())
    }

    /// A failure in the operator's words; the toolkit's own text already holds its causes.
    pub(super) fn explain(&self, error: impl Display) -> anyhow::Error {
        anyhow!("Kafka at {}: {error}", self.kafka.brokers.join(","))
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.kafka_answer_timeout_ms)
    }
}
