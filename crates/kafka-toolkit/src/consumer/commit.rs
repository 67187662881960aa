//! Commits offsets and waits for the broker's word on each commit, on a thread of its own.
//!
//! rdkafka offers no callback for the result of an asynchronous commit, and the synchronous one blocks for as long as
//! the broker is away, which the thread that attends to the group can't afford.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::board::{Board, Offsets};
use super::client::GroupClient;
use crate::metrics::ConsumerMetrics;

/// Pause before a commit that was refused for a moment is sent again.
const REFUSED_PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Committer {
    jobs: Sender<Job>,
    busy: Arc<AtomicBool>,
}

/// What the broker said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Committed {
    Yes,
    /// Not now; the same commit may be taken in a moment.
    NotNow,
    /// Not from this member: the group has given its partitions away.
    NotOurs,
}

struct Job {
    client: Arc<GroupClient>,
    offsets: Offsets,
    answer: Sender<Committed>,
}

impl Committer {
    pub(super) fn start(board: Arc<Board>, metrics: ConsumerMetrics) -> std::io::Result<Self> {
        let (jobs, received) = mpsc::channel();
        let busy = Arc::new(AtomicBool::new(false));
        let working = Arc::clone(&busy);
        std::thread::Builder::new()
            .name("kafka-commit".to_owned())
            .spawn(move || work(&received, &board, &metrics, &working))?;
        Ok(Self { jobs, busy })
    }

    /// Starts a commit unless the one before has not been answered yet.
    pub(super) fn commit(&self, client: &Arc<GroupClient>, offsets: impl FnOnce() -> Offsets) {
        if !self.busy.load(Ordering::Acquire) {
            drop(self.submit(client, offsets()));
        }
    }

    /// Commits behind all others and waits for the answer, but not for ever. A commit that meets a rebalance at a bad
    /// moment is refused, and sent again: nobody else would do so once the work has ended.
    #[expect(
        clippy::disallowed_methods,
        reason = "it is called where librdkafka waits for the end of a callback, and must not return before"
    )]
    pub(super) fn commit_and_wait(
        &self,
        client: &Arc<GroupClient>,
        offsets: &Offsets,
        patience: Duration,
    ) {
        let deadline = Instant::now() + patience;
        while let Some(answered) = self.submit(client, offsets.clone()) {
            let left = deadline.saturating_duration_since(Instant::now());
            match answered.recv_timeout(left) {
                Ok(Committed::Yes) => return,
                Ok(Committed::NotNow) if left > REFUSED_PAUSE => {
                    std::thread::sleep(REFUSED_PAUSE);
                }
                Ok(Committed::NotOurs | Committed::NotNow) | Err(_) => {
                    tracing::warn!(
                        "the last commit of offsets was not confirmed; some records may be read again"
                    );
                    return;
                }
            }
        }
    }

    fn submit(&self, client: &Arc<GroupClient>, offsets: Offsets) -> Option<Receiver<Committed>> {
        if offsets.is_empty() {
            return None;
        }
        self.busy.store(true, Ordering::Release);
        let (answer, answered) = mpsc::channel();
        let job = Job {
            client: Arc::clone(client),
            offsets,
            answer,
        };
        self.jobs.send(job).ok().map(|()| answered)
    }
}

fn work(jobs: &Receiver<Job>, board: &Board, metrics: &ConsumerMetrics, busy: &AtomicBool) {
    for job in jobs {
        let Job {
            client,
            offsets,
            answer,
        } = job;
        let sent = Instant::now();
        let answered = client.commit(&list(&offsets), CommitMode::Sync);
        metrics.commit_seconds.record(sent.elapsed());
        let committed = match answered {
            Ok(()) => {
                board.confirmed(&offsets);
                metrics.commits.increment(1);
                Committed::Yes
            }
            Err(error) => {
                metrics.commit_errors.increment(1);
                refused(&error)
            }
        };
        // Before the answer, so that whoever was answered finds no other reference to the client.
        drop(client);
        busy.store(false, Ordering::Release);
        // Nobody waits for the answer of an ordinary commit.
        let _ = answer.send(committed);
    }
}

fn refused(error: &KafkaError) -> Committed {
    match error.rdkafka_error_code() {
        // The ordinary state of a group that is being put together anew: it lasts until everybody has their assignment.
        Some(RDKafkaErrorCode::RebalanceInProgress | RDKafkaErrorCode::IllegalGeneration) => {
            tracing::debug!(%error, "a commit of offsets met a rebalance; it is sent again");
            Committed::NotNow
        }
        Some(RDKafkaErrorCode::UnknownMemberId | RDKafkaErrorCode::FencedInstanceId) => {
            tracing::warn!(%error, "the group has given up on this member; its partitions are with others now");
            Committed::NotOurs
        }
        _ => {
            tracing::warn!(%error, "a commit of offsets failed; it is sent again while the partitions are assigned");
            Committed::NotNow
        }
    }
}

fn list(offsets: &Offsets) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (partition, offset) in offsets {
        // Only an offset that no partition can have would be refused.
        let added = list.add_partition_offset(
            &partition.topic,
            partition.partition,
            Offset::Offset(*offset),
        );
        debug_assert!(added.is_ok());
    }
    list
}
