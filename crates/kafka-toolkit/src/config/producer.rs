//! How messages are batched, bounded and given up on.

use std::time::Duration;

use clap::{Args, ValueEnum};
use rdkafka::ClientConfig;

use super::{ConfigError, KafkaConfig, Problems};

/// How batches are compressed on their way to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Compression {
    /// As they are.
    None,
    /// Fast, and no dearer than none.
    Lz4,
    /// Denser than lz4, at more processor time.
    Zstd,
    /// What older clients expect.
    Snappy,
    /// Widely known, and slow.
    Gzip,
}

impl Compression {
    fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
            Self::Snappy => "snappy",
            Self::Gzip => "gzip",
        }
    }
}

/// How a [`Producer`](crate::producer::Producer) sends.
///
/// Acknowledgement by all in-sync replicas and idempotence are not settings: without them the result of a send
/// would mean nothing.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(next_help_heading = "Kafka producer")]
pub struct ProducerConfig {
    /// How long a message waits for company before its batch is sent, in milliseconds; at 0 every message may wake
    /// the client's thread and make a request of its own.
    #[arg(
        id = "kafka_linger_ms",
        long = "kafka-linger-ms",
        env = "KAFKA_LINGER_MS",
        value_name = "KAFKA_LINGER_MS",
        default_value_t = 1.0
    )]
    pub linger_ms: f64,

    /// Compression of batches.
    #[arg(
        id = "kafka_compression",
        long = "kafka-compression",
        env = "KAFKA_COMPRESSION",
        value_name = "KAFKA_COMPRESSION",
        value_enum,
        ignore_case = true,
        default_value = "lz4"
    )]
    pub compression: Compression,

    /// Longest time a send waits for the broker's acknowledgement, in milliseconds.
    #[arg(
        id = "kafka_produce_deadline_ms",
        long = "kafka-produce-deadline-ms",
        env = "KAFKA_PRODUCE_DEADLINE_MS",
        value_name = "KAFKA_PRODUCE_DEADLINE_MS",
        default_value_t = 1000
    )]
    pub produce_deadline_ms: u64,

    /// Most messages waiting for their acknowledgement; one more is refused at once.
    #[arg(
        id = "kafka_queue_messages_max",
        long = "kafka-queue-messages-max",
        env = "KAFKA_QUEUE_MESSAGES_MAX",
        value_name = "KAFKA_QUEUE_MESSAGES_MAX",
        default_value_t = 100_000
    )]
    pub queue_messages_max: u64,

    /// Most kilobytes waiting for their acknowledgement; one more is refused at once.
    #[arg(
        id = "kafka_queue_kbytes_max",
        long = "kafka-queue-kbytes-max",
        env = "KAFKA_QUEUE_KBYTES_MAX",
        value_name = "KAFKA_QUEUE_KBYTES_MAX",
        default_value_t = 65_536
    )]
    pub queue_kbytes_max: u64,

    /// Largest message, key and headers included, in bytes.
    #[arg(
        id = "kafka_message_bytes_max",
        long = "kafka-message-bytes-max",
        env = "KAFKA_MESSAGE_BYTES_MAX",
        value_name = "KAFKA_MESSAGE_BYTES_MAX",
        default_value_t = 1_000_000
    )]
    pub message_bytes_max: u64,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            linger_ms: 1.0,
            compression: Compression::Lz4,
            produce_deadline_ms: 1000,
            queue_messages_max: 100_000,
            queue_kbytes_max: 65_536,
            message_bytes_max: 1_000_000,
        }
    }
}

impl ProducerConfig {
    /// Reads the settings from the environment alone.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`] when a variable does not hold a value of its type.
    pub fn from_env() -> Result<Self, ConfigError> {
        super::from_env()
    }

    /// Checks the settings against each other.
    ///
    /// # Errors
    /// [`ConfigError::Unusable`] with every problem, each naming its variable.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut problems = Problems::default();
        problems.range(
            "KAFKA_PRODUCE_DEADLINE_MS",
            self.produce_deadline_ms,
            10..=300_000,
        );
        problems.unless(
            self.linger_ms.is_finite()
                && self.linger_ms >= 0.0
                && self.linger_ms < self.produce_deadline_ms as f64,
            "KAFKA_LINGER_MS",
            format!(
                "is {}, but must be at least 0 and below KAFKA_PRODUCE_DEADLINE_MS",
                self.linger_ms
            ),
        );
        problems.range(
            "KAFKA_QUEUE_MESSAGES_MAX",
            self.queue_messages_max,
            1..=10_000_000,
        );
        problems.range(
            "KAFKA_QUEUE_KBYTES_MAX",
            self.queue_kbytes_max,
            1..=2_097_151,
        );
        problems.range(
            "KAFKA_MESSAGE_BYTES_MAX",
            self.message_bytes_max,
            1000..=1_000_000_000,
        );
        problems.result()
    }

    /// How long a send waits for its acknowledgement.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.produce_deadline_ms)
    }

    pub(crate) fn client(&self, kafka: &KafkaConfig) -> Result<ClientConfig, ConfigError> {
        self.check()?;
        let mut client = kafka.client()?;
        client
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", self.linger_ms.to_string())
            .set("compression.type", self.compression.as_str())
            .set(
                "queue.buffering.max.messages",
                self.queue_messages_max.to_string(),
            )
            .set(
                "queue.buffering.max.kbytes",
                self.queue_kbytes_max.to_string(),
            )
            .set("message.max.bytes", self.message_bytes_max.to_string())
            // A message nobody waits for any more should soon make room for the next one.
            .set(
                "message.timeout.ms",
                (self.produce_deadline_ms + self.produce_deadline_ms / 2 + 500).to_string(),
            )
            .set("statistics.interval.ms", "5000");
        Ok(client)
    }
}
