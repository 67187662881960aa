//! How far a consumer has come, as it is stored beside the facts.

use time::OffsetDateTime;

/// Where a consumer stands once a batch is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The consumer group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset after the last record of the batch.
    pub next_offset: i64,
    /// Timestamp of the last record of the batch.
    pub record_at: Option<OffsetDateTime>,
}
