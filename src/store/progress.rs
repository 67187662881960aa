//! How far a consumer has come and what it has stored, beside the facts.

use std::collections::BTreeMap;

use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::write::WriteOutcome;
use crate::offsets::Offsets;

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
    /// The offset of the record of each event, in the order of the events.
    pub offsets: Vec<i64>,
}

/// Progress together with the offsets that are finished once the statement with it is committed.
#[derive(Debug)]
pub(super) struct Advance<'a> {
    pub(super) progress: &'a Progress,
    /// As text, which PostgreSQL reads as an `int8multirange`.
    pub(super) finished: String,
}

impl Progress {
    /// To be asked when only events are left to be written that may still be stored: refused ones are not finished.
    pub(super) fn advance(&self, outcomes: &[WriteOutcome]) -> Advance<'_> {
        let finished: Offsets = self
            .offsets
            .iter()
            .zip(outcomes)
            .filter(|(_, outcome)| !matches!(outcome, WriteOutcome::Refused { .. }))
            .map(|(&offset, _)| offset..offset + 1)
            .collect();
        Advance {
            progress: self,
            finished: finished.to_string(),
        }
    }
}

/// The offsets that a group has finished, by partition.
///
/// # Errors
/// If the database fails.
pub async fn finished_offsets(
    db: impl PgExecutor<'_>,
    group: &str,
    topic: &str,
) -> Result<BTreeMap<i32, Offsets>, sqlx::Error> {
    let ranges: Vec<(i32, i64, i64)> = sqlx::query_as(
        "SELECT partition, lower(run), upper(run)
         FROM consumer_progress, unnest(finished) AS run
         WHERE consumer_group = $1 AND topic = $2
         ORDER BY 1, 2",
    )
    .bind(group)
    .bind(topic)
    .fetch_all(db)
    .await?;
    let mut by_partition = BTreeMap::<i32, Vec<_>>::new();
    for (partition, from, to) in ranges {
        by_partition.entry(partition).or_default().push(from..to);
    }
    Ok(by_partition
        .into_iter()
        .map(|(partition, ranges)| (partition, ranges.into_iter().collect()))
        .collect())
}

/// Adds offsets that are finished without a batch of the group, as those of dead letters and of a replay are. Where the
/// group has never written into this database, `next_offset` is 0.
///
/// # Errors
/// If the database fails.
pub async fn add_finished_offsets(
    db: impl PgExecutor<'_>,
    group: &str,
    topic: &str,
    partition: i32,
    offsets: &Offsets,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO consumer_progress (consumer_group, topic, partition, next_offset, finished)
         VALUES ($1, $2, $3, 0, $4::text::int8multirange)
         ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET
             finished = consumer_progress.finished + excluded.finished",
    )
    .bind(group)
    .bind(topic)
    .bind(partition)
    .bind(offsets.to_string())
    .execute(db)
    .await
    .map(|_| ())
}
