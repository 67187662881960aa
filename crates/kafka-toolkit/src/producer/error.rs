//! Why a message was not acknowledged.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::config::ConfigError;

/// Why a producer could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The settings can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The client library refused the settings.
    #[error("the Kafka client refused its settings: {0}")]
    Client(String),
}

impl From<KafkaError> for ConnectError {
    fn from(error: KafkaError) -> Self {
        Self::Client(error.to_string())
    }
}

/// Why there is no acknowledgement for a message.
///
/// After [`Deadline`](Self::Deadline), [`Fatal`](Self::Fatal) and [`Broker`](Self::Broker) the message may still
/// be, or come to be, in the topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The bounded queue has no room; nothing was queued.
    #[error("the producer's queue is full")]
    QueueFull,
    /// The broker did not acknowledge in time.
    #[error("no acknowledgement within the deadline")]
    Deadline,
    /// The message exceeds what producer or broker accept.
    #[error("the message is too large")]
    TooLarge,
    /// The broker refuses this very record.
    #[error("the broker refuses the record: {0}")]
    InvalidRecord(String),
    /// There is no such topic.
    #[error("the topic does not exist")]
    UnknownTopic,
    /// The login may not write to the topic.
    #[error("not allowed to write to the topic")]
    Unauthorized,
    /// The client lost its place in the sequence of messages and is being rebuilt.
    #[error("the producer had to be rebuilt")]
    Fatal,
    /// The producer has been closed.
    #[error("the producer is closed")]
    Closed,
    /// Any other trouble with the broker.
    #[error("the broker did not take the message: {0}")]
    Broker(String),
}

impl SendError {
    /// Whether the message itself is at fault, so that nothing follows for the health of the broker.
    #[must_use]
    pub fn is_payload_fault(&self) -> bool {
        matches!(self, Self::TooLarge | Self::InvalidRecord(_))
    }

    /// Every name that [`as_str`](Self::as_str) can give.
    pub const NAMES: [&'static str; 9] = [
        "queue_full",
        "deadline",
        "too_large",
        "invalid_record",
        "unknown_topic",
        "unauthorized",
        "fatal",
        "closed",
        "broker",
    ];

    /// The name used in metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Deadline => "deadline",
            Self::TooLarge => "too_large",
            Self::InvalidRecord(_) => "invalid_record",
            Self::UnknownTopic => "unknown_topic",
            Self::Unauthorized => "unauthorized",
            Self::Fatal => "fatal",
            Self::Closed => "closed",
            Self::Broker(_) => "broker",
        }
    }

    pub(crate) fn from_code(code: RDKafkaErrorCode) -> Self {
        use RDKafkaErrorCode as Code;
        match code {
            Code::QueueFull => Self::QueueFull,
            Code::MessageTimedOut | Code::RequestTimedOut => Self::Deadline,
            Code::MessageSizeTooLarge | Code::MessageBatchTooLarge => Self::TooLarge,
            Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::PolicyViolation => Self::InvalidRecord(code.to_string()),
            Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::InvalidTopic => {
                Self::UnknownTopic
            }
            Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => Self::Unauthorized,
            // A client that is being replaced empties its queues.
            Code::Fatal | Code::PurgeQueue | Code::PurgeInflight => Self::Fatal,
            // An idempotent client has lost its place; librdkafka calls this fatal too, but on another path.
            Code::OutOfOrderSequenceNumber
            | Code::GaplessGuarantee
            | Code::InvalidProducerEpoch
            | Code::ProducerFenced => Self::Fatal,
            code => Self::Broker(code.to_string()),
        }
    }
}

impl From<&KafkaError> for SendError {
    fn from(error: &KafkaError) -> Self {
        match error.rdkafka_error_code() {
            Some(code) => Self::from_code(code),
            // Only a topic name with a zero byte has no code.
            None => Self::UnknownTopic,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_listed_once() {
        let errors = [
            SendError::QueueFull,
            SendError::Deadline,
            SendError::TooLarge,
            SendError::InvalidRecord(String::new()),
            SendError::UnknownTopic,
            SendError::Unauthorized,
            SendError::Fatal,
            SendError::Closed,
            SendError::Broker(String::new()),
        ];
        assert_eq!(errors.map(|error| error.as_str()), SendError::NAMES);
    }
}
