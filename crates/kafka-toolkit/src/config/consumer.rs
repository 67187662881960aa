//! How records are fetched, batched, retried and given up on.

use std::time::Duration;

use clap::Args;
use rdkafka::ClientConfig;

use super::{ConfigError, KafkaConfig, Problems};

/// How a [`Consumer`](crate::consumer::Consumer) reads.
///
/// Automatic commits and the starting point of a new group (the earliest record) are not settings: either could
/// silently skip records.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(next_help_heading = "Kafka consumer")]
pub struct ConsumerConfig {
    /// Consumer group; its committed offsets say what has been handled.
    #[arg(
        id = "kafka_group_id",
        long = "kafka-group-id",
        env = "KAFKA_GROUP_ID",
        value_name = "KAFKA_GROUP_ID",
        default_value = ""
    )]
    pub group_id: String,

    /// Silence after which the group takes this member's partitions away, in milliseconds.
    #[arg(
        id = "kafka_session_timeout_ms",
        long = "kafka-session-timeout-ms",
        env = "KAFKA_SESSION_TIMEOUT_MS",
        value_name = "KAFKA_SESSION_TIMEOUT_MS",
        default_value_t = 10_000
    )]
    pub session_timeout_ms: u64,

    /// Pause between two signs of life to the group, in milliseconds. By their answers a member learns that others come or
    /// go, so partitions wait about that long when they are handed over.
    #[arg(
        id = "kafka_heartbeat_ms",
        long = "kafka-heartbeat-ms",
        env = "KAFKA_HEARTBEAT_MS",
        value_name = "KAFKA_HEARTBEAT_MS",
        default_value_t = 500
    )]
    pub heartbeat_ms: u64,

    /// Longest time the broker holds back an empty answer to a fetch, in milliseconds.
    #[arg(
        id = "kafka_fetch_wait_ms",
        long = "kafka-fetch-wait-ms",
        env = "KAFKA_FETCH_WAIT_MS",
        value_name = "KAFKA_FETCH_WAIT_MS",
        default_value_t = 100
    )]
    pub fetch_wait_ms: u64,

    /// Most kilobytes fetched ahead for one partition.
    #[arg(
        id = "kafka_prefetch_kbytes_max",
        long = "kafka-prefetch-kbytes-max",
        env = "KAFKA_PREFETCH_KBYTES_MAX",
        value_name = "KAFKA_PREFETCH_KBYTES_MAX",
        default_value_t = 16_384
    )]
    pub prefetch_kbytes_max: u64,

    /// Most records in one batch.
    #[arg(
        id = "kafka_batch_records_max",
        long = "kafka-batch-records-max",
        env = "KAFKA_BATCH_RECORDS_MAX",
        value_name = "KAFKA_BATCH_RECORDS_MAX",
        default_value_t = 1000
    )]
    pub batch_records_max: usize,

    /// Most kilobytes in one batch; a single larger record is a batch of its own.
    #[arg(
        id = "kafka_batch_kbytes_max",
        long = "kafka-batch-kbytes-max",
        env = "KAFKA_BATCH_KBYTES_MAX",
        value_name = "KAFKA_BATCH_KBYTES_MAX",
        default_value_t = 8192
    )]
    pub batch_kbytes_max: usize,

    /// How long the first record of a batch waits for company, in milliseconds.
    #[arg(
        id = "kafka_batch_age_ms",
        long = "kafka-batch-age-ms",
        env = "KAFKA_BATCH_AGE_MS",
        value_name = "KAFKA_BATCH_AGE_MS",
        default_value_t = 5
    )]
    pub batch_age_ms: u64,

    /// How often a record that fails for a passing reason is tried before it becomes a dead letter.
    #[arg(
        id = "kafka_retry_attempts_max",
        long = "kafka-retry-attempts-max",
        env = "KAFKA_RETRY_ATTEMPTS_MAX",
        value_name = "KAFKA_RETRY_ATTEMPTS_MAX",
        default_value_t = 5
    )]
    pub retry_attempts_max: u32,

    /// Longest pause before the first retry, in milliseconds; it doubles with each one.
    #[arg(
        id = "kafka_retry_backoff_ms",
        long = "kafka-retry-backoff-ms",
        env = "KAFKA_RETRY_BACKOFF_MS",
        value_name = "KAFKA_RETRY_BACKOFF_MS",
        default_value_t = 100
    )]
    pub retry_backoff_ms: u64,

    /// Longest pause before any retry, in milliseconds.
    #[arg(
        id = "kafka_retry_backoff_max_ms",
        long = "kafka-retry-backoff-max-ms",
        env = "KAFKA_RETRY_BACKOFF_MAX_MS",
        value_name = "KAFKA_RETRY_BACKOFF_MAX_MS",
        default_value_t = 5000
    )]
    pub retry_backoff_max_ms: u64,

    /// Time to finish what is being handled at a stop or a rebalance, in milliseconds.
    #[arg(
        id = "kafka_drain_deadline_ms",
        long = "kafka-drain-deadline-ms",
        env = "KAFKA_DRAIN_DEADLINE_MS",
        value_name = "KAFKA_DRAIN_DEADLINE_MS",
        default_value_t = 5000
    )]
    pub drain_deadline_ms: u64,

    /// Pause between two commits of offsets, in milliseconds.
    #[arg(
        id = "kafka_commit_interval_ms",
        long = "kafka-commit-interval-ms",
        env = "KAFKA_COMMIT_INTERVAL_MS",
        value_name = "KAFKA_COMMIT_INTERVAL_MS",
        default_value_t = 200
    )]
    pub commit_interval_ms: u64,

    /// Most dead letters in a row from one partition before it pauses.
    #[arg(
        id = "kafka_dlq_run_max",
        long = "kafka-dlq-run-max",
        env = "KAFKA_DLQ_RUN_MAX",
        value_name = "KAFKA_DLQ_RUN_MAX",
        default_value_t = 100
    )]
    pub dlq_run_max: u32,

    /// Largest part of a partition's latest records that may become dead letters before it pauses, from 0 to 1.
    #[arg(
        id = "kafka_dlq_ratio_max",
        long = "kafka-dlq-ratio-max",
        env = "KAFKA_DLQ_RATIO_MAX",
        value_name = "KAFKA_DLQ_RATIO_MAX",
        default_value_t = 0.2
    )]
    pub dlq_ratio_max: f64,

    /// How many of the latest records that part is taken of.
    #[arg(
        id = "kafka_dlq_window_records",
        long = "kafka-dlq-window-records",
        env = "KAFKA_DLQ_WINDOW_RECORDS",
        value_name = "KAFKA_DLQ_WINDOW_RECORDS",
        default_value_t = 1000
    )]
    pub dlq_window_records: u32,

    /// Pause before a paused partition tries its records again, in milliseconds.
    #[arg(
        id = "kafka_dlq_probe_ms",
        long = "kafka-dlq-probe-ms",
        env = "KAFKA_DLQ_PROBE_MS",
        value_name = "KAFKA_DLQ_PROBE_MS",
        default_value_t = 30_000
    )]
    pub dlq_probe_ms: u64,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            group_id: String::new(),
            session_timeout_ms: 10_000,
            heartbeat_ms: 500,
            fetch_wait_ms: 100,
            prefetch_kbytes_max: 16_384,
            batch_records_max: 1000,
            batch_kbytes_max: 8192,
            batch_age_ms: 5,
            retry_attempts_max: 5,
            retry_backoff_ms: 100,
            retry_backoff_max_ms: 5000,
            drain_deadline_ms: 5000,
            commit_interval_ms: 200,
            dlq_run_max: 100,
            dlq_ratio_max: 0.2,
            dlq_window_records: 1000,
            dlq_probe_ms: 30_000,
        }
    }
}

impl ConsumerConfig {
    /// Reads the settings from the environment alone.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`] when a variable does not hold a value of its type.
    pub fn from_env() -> Result<Self, ConfigError> {
        super::from_env()
    }

    /// Gives the group a name where the environment did not.
    #[must_use]
    pub fn with_default_group(mut self, group_id: &str) -> Self {
        if self.group_id.is_empty() {
            group_id.clone_into(&mut self.group_id);
        }
        self
    }

    /// Checks the settings against each other.
    ///
    /// # Errors
    /// [`ConfigError::Unusable`] with every problem, each naming its variable.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut problems = Problems::default();
        problems.unless(
            !self.group_id.trim().is_empty(),
            "KAFKA_GROUP_ID",
            "must not be empty",
        );
        problems.range(
            "KAFKA_SESSION_TIMEOUT_MS",
            self.session_timeout_ms,
            1000..=3_600_000,
        );
        problems.unless(
            self.heartbeat_ms >= 100
                && self.heartbeat_ms.saturating_mul(2) <= self.session_timeout_ms,
            "KAFKA_HEARTBEAT_MS",
            format!(
                "is {}, but must be at least 100 and at most half of KAFKA_SESSION_TIMEOUT_MS",
                self.heartbeat_ms
            ),
        );
        problems.range("KAFKA_FETCH_WAIT_MS", self.fetch_wait_ms, 0..=30_000);
        problems.range(
            "KAFKA_PREFETCH_KBYTES_MAX",
            self.prefetch_kbytes_max,
            1..=2_097_151,
        );
        problems.range(
            "KAFKA_BATCH_RECORDS_MAX",
            self.batch_records_max as u64,
            1..=100_000,
        );
        problems.range(
            "KAFKA_BATCH_KBYTES_MAX",
            self.batch_kbytes_max as u64,
            1..=1_048_576,
        );
        problems.range("KAFKA_BATCH_AGE_MS", self.batch_age_ms, 0..=60_000);
        problems.range(
            "KAFKA_RETRY_ATTEMPTS_MAX",
            u64::from(self.retry_attempts_max),
            1..=1000,
        );
        problems.range(
            "KAFKA_RETRY_BACKOFF_MAX_MS",
            self.retry_backoff_max_ms,
            1..=600_000,
        );
        problems.unless(
            (1..=self.retry_backoff_max_ms).contains(&self.retry_backoff_ms),
            "KAFKA_RETRY_BACKOFF_MS",
            format!(
                "is {}, but must be at least 1 and at most KAFKA_RETRY_BACKOFF_MAX_MS",
                self.retry_backoff_ms
            ),
        );
        problems.range(
            "KAFKA_DRAIN_DEADLINE_MS",
            self.drain_deadline_ms,
            0..=120_000,
        );
        problems.range(
            "KAFKA_COMMIT_INTERVAL_MS",
            self.commit_interval_ms,
            10..=60_000,
        );
        problems.range(
            "KAFKA_DLQ_RUN_MAX",
            u64::from(self.dlq_run_max),
            1..=u32::MAX.into(),
        );
        problems.unless(
            (0.0..=1.0).contains(&self.dlq_ratio_max),
            "KAFKA_DLQ_RATIO_MAX",
            format!("is {}, but must be between 0 and 1", self.dlq_ratio_max),
        );
        problems.range(
            "KAFKA_DLQ_WINDOW_RECORDS",
            u64::from(self.dlq_window_records),
            1..=1_000_000,
        );
        problems.range("KAFKA_DLQ_PROBE_MS", self.dlq_probe_ms, 10..=3_600_000);
        problems.result()
    }

    /// How long a stop may take.
    #[must_use]
    pub fn drain_deadline(&self) -> Duration {
        Duration::from_millis(self.drain_deadline_ms)
    }

    pub(crate) fn client(&self, kafka: &KafkaConfig) -> Result<ClientConfig, ConfigError> {
        self.check()?;
        let mut client = kafka.client()?;
        // The broker holds an empty answer back on purpose, which must not look like a dead connection.
        let socket_timeout_ms = kafka.socket_timeout_ms.max(self.fetch_wait_ms + 2_000);
        // Also how long a rebalance waits for a member that does not come back and that the broker does not take for dead
        // (seen after a broker had loaded its groups twice in a row). Ours polls all the time but while it drains, so the
        // default of five minutes would buy nothing.
        let poll_interval_ms = 3 * self.session_timeout_ms + self.drain_deadline_ms;
        client
            .set("max.poll.interval.ms", poll_interval_ms.to_string())
            .set("socket.timeout.ms", socket_timeout_ms.to_string())
            .set("group.id", &self.group_id)
            .set("session.timeout.ms", self.session_timeout_ms.to_string())
            .set("heartbeat.interval.ms", self.heartbeat_ms.to_string())
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false")
            .set("topic.metadata.refresh.interval.ms", "30000")
            .set("fetch.wait.max.ms", self.fetch_wait_ms.to_string())
            // The default of a second starves a reader that is briefly slower than the broker.
            .set("fetch.queue.backoff.ms", "10")
            .set(
                "queued.max.messages.kbytes",
                self.prefetch_kbytes_max.to_string(),
            )
            .set(
                "queued.min.messages",
                (self.batch_records_max * 10)
                    .clamp(1000, 1_000_000)
                    .to_string(),
            )
            .set("statistics.interval.ms", "5000");
        Ok(client)
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::BaseConsumer;

    use super::*;

    fn client(session_timeout_ms: u64) -> ClientConfig {
        let config = ConsumerConfig {
            group_id: "g".to_owned(),
            session_timeout_ms,
            ..ConsumerConfig::default()
        };
        config.client(&KafkaConfig::default()).unwrap()
    }

    #[test]
    fn a_rebalance_waits_for_nobody_longer_than_a_few_sessions_and_a_drain() {
        let waits = client(10_000);
        assert_eq!(waits.get("max.poll.interval.ms"), Some("35000"));
    }

    /// It refuses a poll interval that is shorter than the session.
    #[test]
    fn librdkafka_takes_every_session_timeout_that_is_allowed() {
        for session_timeout_ms in [1_000, 3_600_000] {
            client(session_timeout_ms).create::<BaseConsumer>().unwrap();
        }
    }
}
