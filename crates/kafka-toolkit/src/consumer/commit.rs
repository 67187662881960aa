//! Commits offsets and waits for the broker's word on each commit, on a thread of its own.
//!
//! rdkafka offers no callback for the result of an asynchronous commit, and the synchronous one blocks for as long as
//! the broker is away, which the thread that attends to the group can't afford.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::board::{Board, Offsets};
use super::client::GroupClient;
use crate::metrics::ConsumerMetrics;

pub(super) struct Committer {
    jobs: Sender<Job>,
    busy: Arc<AtomicBool>,
}

struct Job {
    client: Arc<GroupClient>,
    offsets: Offsets,
    answer: Sender<()>,
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

    /// Commits behind all others and waits for the answer, but not for ever.
    pub(super) fn commit_and_wait(
        &self,
        client: &Arc<GroupClient>,
        offsets: Offsets,
        patience: Duration,
    ) {
        if let Some(answered) = self.submit(client, offsets)
            && answered.recv_timeout(patience).is_err()
        {
            tracing::warn!(
                "the last commit of offsets was not answered; some records may be read again"
            );
        }
    }

    fn submit(&self, client: &Arc<GroupClient>, offsets: Offsets) -> Option<Receiver<()>> {
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
        match client.commit(&list(&offsets), CommitMode::Sync) {
            Ok(()) => {
                board.confirmed(&offsets);
                metrics.commits.increment(1);
            }
            Err(error) => {
                metrics.commit_errors.increment(1);
                tracing::warn!(%error, "a commit of offsets failed; it is sent again while the partitions are assigned");
            }
        }
        // Before the answer, so that whoever was answered finds no other reference to the client.
        drop(client);
        busy.store(false, Ordering::Release);
        // Nobody waits for the answer of an ordinary commit.
        let _ = answer.send(());
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
