//! Dead letters: records that could not be handled, kept whole with the reason in headers.
//!
//! Owns the format and the confirmed write. It does not decide which records become dead letters.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::header::Headers;
use crate::message::Message;
use crate::outcome::Failure;
use crate::partition::TopicPartition;
use crate::producer::{ConnectError, Producer};
use crate::record::Record;

/// Topic that the record came from.
pub const ORIGINAL_TOPIC: &str = "dlq.original.topic";
/// Partition that the record came from.
pub const ORIGINAL_PARTITION: &str = "dlq.original.partition";
/// Offset that the record had.
pub const ORIGINAL_OFFSET: &str = "dlq.original.offset";
/// Timestamp that the record had, in milliseconds since 1970; absent when it had none.
pub const ORIGINAL_TIMESTAMP: &str = "dlq.original.timestamp";
/// `permanent` or `transient`.
pub const ERROR_CLASS: &str = "dlq.error.class";
/// The stable name of the fault.
pub const ERROR_NAME: &str = "dlq.error.name";
/// A sentence for a person.
pub const ERROR_MESSAGE: &str = "dlq.error.message";
/// How often the record was handed to the handler.
pub const ATTEMPTS: &str = "dlq.attempts";
/// When it was given up, RFC 3339.
pub const FAILED_AT: &str = "dlq.failed_at";
/// How often the record has been put back into its topic; absent when it never was. The record that is put back carries
/// it, and so does the dead letter that it may become again.
pub const REDRIVES: &str = "dlq.redrives";

const PREFIX: &str = "dlq.";
/// The reason must not make a record too large that was not.
const MESSAGE_BYTES_MAX: usize = 1024;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A record that was given up, with where it came from and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Topic that the record came from.
    pub topic: String,
    /// Partition that the record came from.
    pub partition: i32,
    /// The record as it was, original offset, timestamp and headers included.
    pub record: Record,
    /// `permanent` or `transient`.
    pub error_class: String,
    /// The stable name of the fault.
    pub error_name: String,
    /// A sentence for a person.
    pub error_message: String,
    /// How often the record was handed to the handler.
    pub attempts: u32,
    /// When it was given up.
    pub failed_at: OffsetDateTime,
    /// How often the record had been put back into its topic before.
    pub redrives: u32,
}

/// Why a record of a dead-letter topic can't be read as a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the header {header} is missing or unreadable")]
pub struct NotADeadLetter {
    /// The first header that is at fault.
    pub header: &'static str,
}

impl DeadLetter {
    /// Reads back what a [`DeadLetterWriter`] wrote.
    ///
    /// # Errors
    /// [`NotADeadLetter`] naming the first header that is missing or unreadable.
    pub fn from_record(record: &Record) -> Result<Self, NotADeadLetter> {
        let text = |header: &'static str| {
            record
                .headers
                .get_str(header)
                .ok_or(NotADeadLetter { header })
        };
        let number = |header: &'static str| {
            text(header)?
                .parse::<i64>()
                .map_err(|_| NotADeadLetter { header })
        };
        let small = |header: &'static str| {
            i32::try_from(number(header)?).map_err(|_| NotADeadLetter { header })
        };
        let timestamp_ms = match record.headers.get(ORIGINAL_TIMESTAMP) {
            Some(_) => Some(number(ORIGINAL_TIMESTAMP)?),
            None => None,
        };
        Ok(Self {
            topic: text(ORIGINAL_TOPIC)?.to_owned(),
            partition: small(ORIGINAL_PARTITION)?,
            error_class: text(ERROR_CLASS)?.to_owned(),
            error_name: text(ERROR_NAME)?.to_owned(),
            error_message: text(ERROR_MESSAGE)?.to_owned(),
            attempts: u32::try_from(number(ATTEMPTS)?)
                .map_err(|_| NotADeadLetter { header: ATTEMPTS })?,
            failed_at: OffsetDateTime::parse(text(FAILED_AT)?, &Rfc3339)
                .map_err(|_| NotADeadLetter { header: FAILED_AT })?,
            redrives: redrives_of(&record.headers),
            record: Record {
                offset: number(ORIGINAL_OFFSET)?,
                key: record.key.clone(),
                payload: record.payload.clone(),
                headers: without_own(&record.headers),
                timestamp_ms,
            },
        })
    }

    /// The record as it is to be put back into its topic: original key, payload and headers, nothing added.
    #[must_use]
    pub fn to_message(&self) -> Message {
        Message::copy_of(&self.record)
    }

    /// The same with one header more, [`REDRIVES`], so that a record that fails again and again is known by it.
    #[must_use]
    pub fn to_redriven(&self) -> Message {
        let mut message = self.to_message();
        let redrives = self.redrives.saturating_add(1);
        message.headers.push(REDRIVES, redrives.to_string());
        message
    }
}

/// A counter that somebody else wrote in a form of his own counts as none.
fn redrives_of(headers: &Headers) -> u32 {
    headers
        .get_str(REDRIVES)
        .and_then(|count| count.parse().ok())
        .unwrap_or(0)
}

fn without_own(headers: &Headers) -> Headers {
    headers
        .iter()
        .filter(|header| !header.name.starts_with(PREFIX))
        .cloned()
        .collect()
}

/// Writes dead letters and waits until the broker has them.
#[derive(Debug, Clone)]
pub struct DeadLetterWriter {
    producer: Producer,
    topic: String,
}

/// One record to be given up.
pub(crate) struct GivenUp {
    pub(crate) record: Record,
    pub(crate) failure: Failure,
    pub(crate) attempts: u32,
}

impl DeadLetterWriter {
    /// A writer to this topic, over a producer that others may use too.
    #[must_use]
    pub fn new(producer: Producer, topic: impl Into<String>) -> Self {
        Self {
            producer,
            topic: topic.into(),
        }
    }

    /// A writer to this topic with a producer of its own, which takes records of any size that brokers take.
    ///
    /// # Errors
    /// [`ConnectError`] when the settings can't be used.
    pub fn connect(
        kafka: &crate::config::KafkaConfig,
        config: &crate::config::ProducerConfig,
        topic: impl Into<String>,
    ) -> Result<Self, ConnectError> {
        let config = crate::config::ProducerConfig {
            // The added headers must not make a record too large that the source topic took.
            message_bytes_max: config
                .message_bytes_max
                .saturating_mul(2)
                .min(1_000_000_000),
            ..config.clone()
        };
        Ok(Self::new(Producer::connect(kafka, &config)?, topic))
    }

    /// The dead-letter topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Writes all records that a partition gives up, trying again for as long as it takes; `false` when told to stop
    /// before that.
    pub(crate) async fn write(
        self,
        partition: TopicPartition,
        given_up: Vec<GivenUp>,
        stop: CancellationToken,
        on_trouble: impl Fn(),
    ) -> bool {
        let topic = &*partition.topic;
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut missing: Vec<&GivenUp> = given_up.iter().collect();
        loop {
            let messages = missing
                .iter()
                .map(|given_up| dead_letter(&partition, given_up))
                .collect();
            let answers = self.producer.send_all(&self.topic, messages).await;
            let mut still_missing = Vec::new();
            let mut reason = None;
            for (given_up, answer) in missing.into_iter().zip(answers) {
                match answer {
                    Ok(_) => self
                        .producer
                        .metrics()
                        .dead_letter(topic, given_up.failure.class.as_str()),
                    Err(error) => {
                        self.producer.metrics().dead_letter_failed(error.as_str());
                        reason.get_or_insert(error);
                        still_missing.push(given_up);
                    }
                }
            }
            let Some(error) = reason else { return true };
            tracing::error!(
                %partition,
                kafka.offset = still_missing[0].record.offset,
                records = still_missing.len(),
                dead_letter.topic = self.topic,
                %error,
                "dead letters could not be written and are tried again"
            );
            on_trouble();
            missing = still_missing;
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(backoff.pause()) => {}
            }
        }
    }
}

fn dead_letter(from: &TopicPartition, given_up: &GivenUp) -> Message {
    let GivenUp {
        record,
        failure,
        attempts,
    } = given_up;
    let mut message = Message::copy_of(record);
    // A record that comes from a dead-letter topic itself must not speak of two origins.
    message.headers = without_own(&record.headers);
    let headers = &mut message.headers;
    headers.push(ORIGINAL_TOPIC, from.topic.to_string());
    headers.push(ORIGINAL_PARTITION, from.partition.to_string());
    headers.push(ORIGINAL_OFFSET, record.offset.to_string());
    if let Some(timestamp_ms) = record.timestamp_ms {
        headers.push(ORIGINAL_TIMESTAMP, timestamp_ms.to_string());
    }
    headers.push(ERROR_CLASS, failure.class.as_str());
    headers.push(ERROR_NAME, failure.name.to_string());
    headers.push(ERROR_MESSAGE, truncated(&failure.message).to_owned());
    headers.push(ATTEMPTS, attempts.to_string());
    headers.push(FAILED_AT, now());
    let redrives = redrives_of(&record.headers);
    if redrives > 0 {
        headers.push(REDRIVES, redrives.to_string());
    }
    message
}

fn truncated(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE_BYTES_MAX)]
}

fn now() -> String {
    OffsetDateTime::now_utc()
        .format(&Rfc3339)
        .unwrap_or_else(|_| String::from("1970-01-01T00:00:00Z"))
}
