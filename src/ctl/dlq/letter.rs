//! What is told of one dead letter.

use kafka_toolkit::DeadLetter;
use kafka_toolkit::inspect::Located;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::state::State;

/// One record of the dead-letter topic, without its payload.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Letter {
    pub(super) partition: i32,
    pub(super) offset: i64,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(super) time: Option<OffsetDateTime>,
    pub(super) key: Option<String>,
    pub(super) payload_bytes: usize,
    pub(super) state: State,
    /// `None` for a record that carries no readable origin: somebody else wrote it.
    #[serde(flatten)]
    pub(super) origin: Option<Origin>,
    /// Why the record is no dead letter of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unreadable: Option<String>,
}

/// Where a dead letter came from, and why it is one.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Origin {
    pub(super) original_topic: String,
    pub(super) original_partition: i32,
    pub(super) original_offset: i64,
    pub(super) error_class: String,
    pub(super) error_name: String,
    pub(super) error_message: String,
    pub(super) attempts: u32,
    /// How often it had been put back before it failed this time.
    pub(super) redrives: u32,
}

impl Letter {
    /// As if nothing had become of it yet.
    pub(super) fn read(located: &Located) -> Self {
        let record = &located.record;
        let letter = DeadLetter::from_record(record);
        let unreadable = letter.as_ref().err().map(ToString::to_string);
        Self {
            partition: located.partition,
            offset: record.offset,
            time: record.timestamp_ms.and_then(time_of),
            key: record
                .key
                .as_ref()
                .map(|key| String::from_utf8_lossy(key).into_owned()),
            payload_bytes: record.payload.as_ref().map_or(0, bytes::Bytes::len),
            state: State::Pending,
            origin: letter.ok().map(Origin::from),
            unreadable,
        }
    }
}

impl From<DeadLetter> for Origin {
    fn from(letter: DeadLetter) -> Self {
        Self {
            original_topic: letter.topic,
            original_partition: letter.partition,
            original_offset: letter.record.offset,
            error_class: letter.error_class,
            error_name: letter.error_name,
            error_message: letter.error_message,
            attempts: letter.attempts,
            redrives: letter.redrives,
        }
    }
}

/// A record's timestamp, in milliseconds since 1970, as a time.
pub(super) fn time_of(timestamp_ms: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(timestamp_ms) * 1_000_000).ok()
}

/// A time as it stands in a table.
pub(super) fn time_cell(time: Option<OffsetDateTime>) -> String {
    time.and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| "-".to_owned())
}
