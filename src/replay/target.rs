//! What is done with the events of a batch, as often as it takes.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Notice, Tally};
use crate::event::Event;
use crate::offsets::Offsets;
use crate::store::progress::add_finished_offsets;
use crate::store::{self, EventWriter, WriteOutcome};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What is done with the events.
#[derive(Debug, Clone)]
pub enum Target {
    /// They are stored.
    Store {
        /// Stores them.
        writer: EventWriter,
        /// Where it is noted that they are stored.
        pool: PgPool,
        /// The group in whose account it is noted.
        group: String,
    },
    /// It is only asked which are not stored yet.
    DryRun(PgPool),
}

impl Target {
    /// Does it with events that are at these partitions and offsets; `None` when told to stop before.
    pub(super) async fn take(
        &self,
        topic: &str,
        events: &[Event],
        places: &[(i32, i64)],
        tally: &mut Tally,
        patience: &mut Patience<'_>,
    ) -> Option<()> {
        match self {
            _ if events.is_empty() => {}
            Self::Store {
                writer,
                pool,
                group,
            } => {
                let write = async || {
                    let written = writer.write_batch(events, None).await;
                    written.map_err(|unavailable| unavailable.0)
                };
                let outcomes = patience.insist(write).await?;
                tally.count_written(events, &outcomes);
                for (partition, offsets) in finished(places, &outcomes) {
                    let note = async || {
                        add_finished_offsets(pool, group, topic, partition, &offsets).await
                    };
                    patience.insist(note).await?;
                }
            }
            Self::DryRun(pool) => {
                let ask = async || store::count_not_stored(pool, events).await;
                let new = patience.insist(ask).await?;
                tally.count_asked(events.len() as u64, new);
            }
        }
        Some(())
    }
}

/// Waits for a database that is away, and says so.
pub(super) struct Patience<'p> {
    pub(super) stop: &'p CancellationToken,
    pub(super) notice: &'p mut dyn FnMut(Notice<'_>),
}

impl Patience<'_> {
    /// Asks until there is an answer; `None` when told to stop before.
    async fn insist<T>(
        &mut self,
        mut ask: impl AsyncFnMut() -> Result<T, sqlx::Error>,
    ) -> Option<T> {
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match ask().await {
                Ok(answer) => {
                    if pause > FIRST_PAUSE {
                        (self.notice)(Notice::GoingOn);
                    }
                    return Some(answer);
                }
                Err(error) => error,
            };
            (self.notice)(Notice::Waiting(&error, pause));
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                () = sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// The offsets whose events are stored, by partition.
fn finished(places: &[(i32, i64)], outcomes: &[WriteOutcome]) -> BTreeMap<i32, Offsets> {
    let mut ranges = BTreeMap::<i32, Vec<std::ops::Range<i64>>>::new();
    for ((partition, offset), outcome) in places.iter().zip(outcomes) {
        if !matches!(outcome, WriteOutcome::Refused { .. }) {
            let ranges = ranges.entry(*partition).or_default();
            ranges.push(*offset..offset + 1);
        }
    }
    ranges
        .into_iter()
        .map(|(partition, ranges)| (partition, ranges.into_iter().collect()))
        .collect()
}
