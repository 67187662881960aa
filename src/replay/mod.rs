//! Events from the topic into PostgreSQL once more, beside the consumers and without their group.
//!
//! Owns which records are meant, the order of reading and storing, and the account of what came of them. It decodes as
//! the consumer does and stores through the same door, so that whatever is stored already changes nothing. It joins no
//! group, commits no offset, moves no progress and writes no dead letter; what it has stored it adds to the offsets that
//! the group has finished, so that a record which was missing is missing no more. It knows no terminal: that is `ctl`'s.

mod pace;
mod selection;
mod tally;
mod target;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::time::Duration;

use kafka_toolkit::Inspector;
use kafka_toolkit::inspect::{InspectError, Located, Range};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::pace::Pace;
pub use self::selection::{Expired, Partitions, Plan, PlanError, Selection, Span};
pub use self::tally::Tally;
use self::target::Patience;
pub use self::target::Target;
use crate::consumer::decode_record;
use crate::event::Event;

/// Records that are read ahead of the batch that is being stored.
const READ_AHEAD: usize = 1_000;

/// What happens meanwhile.
#[derive(Debug)]
pub enum Notice<'e> {
    /// So many more records are done with.
    Done(u64),
    /// The database takes no events; they are tried again after the pause.
    Waiting(&'e sqlx::Error, Duration),
    /// It takes them again.
    GoingOn,
}

/// How it ended.
#[derive(Debug)]
pub enum End {
    /// Every record is done with.
    Finished,
    /// It was told to stop.
    Stopped,
    /// The records could not be read on.
    Failed(InspectError),
}

/// What came of a replay.
#[derive(Debug)]
pub struct Replayed {
    /// How it ended.
    pub end: End,
    /// What came of the records.
    pub tally: Tally,
    /// What is left to do; empty when finished.
    pub remaining: Vec<Range>,
}

/// A replay that is ready to run.
#[derive(Debug)]
pub struct Replay {
    /// Reads the topic.
    pub inspector: Inspector,
    /// The topic.
    pub topic: String,
    /// Which records are meant.
    pub selection: Selection,
    /// What is done with their events.
    pub target: Target,
    /// Most records a second; as fast as both sides allow if there is none.
    pub rate: Option<NonZeroU32>,
}

impl Replay {
    /// Reads what is planned and does it, batch by batch, until it is done or told to stop.
    ///
    /// A database that is away is waited for without end. What was stored stays stored; doing it again is safe.
    pub async fn run(
        &self,
        plan: &Plan,
        stop: &CancellationToken,
        mut notice: impl FnMut(Notice<'_>),
    ) -> Replayed {
        let (sender, mut records) = mpsc::channel(READ_AHEAD);
        let reading = tokio::spawn({
            let (inspector, topic) = (self.inspector.clone(), self.topic.clone());
            let ranges = plan.ranges.clone();
            async move {
                let hand_over = move |(): &mut (), located| match sender.blocking_send(located) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                };
                inspector.fold(&topic, &ranges, (), hand_over).await
            }
        });
        let mut pace = Pace::new(self.rate);
        let mut tally = Tally::default();
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        let mut batch = Vec::new();
        let end = loop {
            batch.clear();
            let received = async {
                pace.wait().await;
                records.recv_many(&mut batch, pace.batch).await
            };
            let received = tokio::select! {
                biased;
                () = stop.cancelled() => break End::Stopped,
                received = received => received,
            };
            if received == 0 {
                break match reading.await {
                    Ok(Ok(())) => End::Finished,
                    Ok(Err(error)) => End::Failed(error),
                    Err(error) => End::Failed(InspectError::Cluster(error.to_string())),
                };
            }
            pace.took(received);
            let mut of_batch = Tally::default();
            let (events, places) = self.decode(&batch, &mut of_batch);
            let mut patience = Patience {
                stop,
                notice: &mut notice,
            };
            let taken =
                self.target
                    .take(&self.topic, &events, &places, &mut of_batch, &mut patience);
            if taken.await.is_none() {
                break End::Stopped;
            }
            tally += of_batch;
            for located in &batch {
                next.insert(located.partition, located.record.offset + 1);
            }
            notice(Notice::Done(received as u64));
        };
        let remaining = match end {
            End::Finished => Vec::new(),
            End::Stopped | End::Failed(_) => plan.remaining(&next),
        };
        Replayed {
            end,
            tally,
            remaining,
        }
    }

    /// The events of these records that are meant, and the partition and offset of each.
    fn decode(&self, batch: &[Located], tally: &mut Tally) -> (Vec<Event>, Vec<(i32, i64)>) {
        let mut events = Vec::with_capacity(batch.len());
        let mut places = Vec::with_capacity(batch.len());
        for located in batch {
            tally.read += 1;
            match decode_record(&located.record) {
                Ok(event) if self.selection.wants(&event) => {
                    tally.decoded += 1;
                    events.push(event);
                    places.push((located.partition, located.record.offset));
                }
                Err(invalid) if self.selection.may_want(&located.record) => {
                    *tally.undecodable.entry(invalid.code()).or_default() += 1;
                }
                Ok(_) | Err(_) => tally.passed_over += 1,
            }
        }
        (events, places)
    }
}
