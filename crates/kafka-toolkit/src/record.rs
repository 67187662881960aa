//! What comes out of a topic: records, and the batches of them that a handler is given.

use std::sync::Arc;

use bytes::Bytes;

use crate::header::Headers;
use crate::outcome::Outcome;

/// One record of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the partition.
    pub offset: i64,
    /// The key's bytes, if it has one.
    pub key: Option<Bytes>,
    /// The payload's bytes; `None` is a tombstone.
    pub payload: Option<Bytes>,
    /// Its headers.
    pub headers: Headers,
    /// When it was created or appended, in milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
}

impl Record {
    /// A record without headers or timestamp, as tests need it.
    #[must_use]
    pub fn new(offset: i64, key: impl Into<Bytes>, payload: impl Into<Bytes>) -> Self {
        Self {
            offset,
            key: Some(key.into()),
            payload: Some(payload.into()),
            headers: Headers::new(),
            timestamp_ms: None,
        }
    }
}

/// Records of one partition in the order of their offsets, never empty when a handler sees it.
#[derive(Debug, Clone)]
pub struct Batch {
    topic: Arc<str>,
    partition: i32,
    records: Vec<Record>,
    next_offset: i64,
}

impl Batch {
    /// A batch of these records, which must be in the order of their offsets.
    #[must_use]
    pub fn new(topic: impl Into<Arc<str>>, partition: i32, records: Vec<Record>) -> Self {
        let next_offset = records.last().map_or(0, |record| record.offset + 1);
        Self {
            topic: topic.into(),
            partition,
            records,
            next_offset,
        }
    }

    /// The rest of a batch that has been handled in part.
    pub(crate) fn remainder(&self, records: Vec<Record>) -> Self {
        Self {
            topic: self.topic.clone(),
            partition: self.partition,
            records,
            next_offset: self.next_offset,
        }
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// The records, in the order of their offsets.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Where the partition is to be read on from once every record here is finished.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Where the partition is to be read on from after these outcomes: the end of the longest finished prefix.
    #[must_use]
    pub fn next_offset_after(&self, outcomes: &[Outcome]) -> i64 {
        self.records
            .iter()
            .zip(outcomes)
            .find(|(_, outcome)| matches!(outcome, Outcome::Failed(failure) if !failure.class.is_final()))
            .map_or(self.next_offset, |(record, _)| record.offset)
    }

    pub(crate) fn into_records(self) -> Vec<Record> {
        self.records
    }
}
