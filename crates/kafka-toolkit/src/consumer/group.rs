//! Starts and stops the work on partitions as the group assigns and revokes them.
//!
//! librdkafka calls this on the thread that polls the main queue, which does nothing else, so it may block there
//! until running work is finished: the group waits for it.

use std::collections::HashMap;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::client::{Assignments, GroupClient};
use super::commit::Committer;
use super::resolve::Resolver;
use super::source::{Limits, Source};
use super::wake::wake;
use super::worker::Worker;
use super::{Handler, RunError};
use crate::config::ConsumerConfig;
use crate::dead_letter::DeadLetterWriter;
use crate::metrics::ConsumerMetrics;
use crate::partition::TopicPartition;

/// How long dropped work may take to notice.
const ABANDON_GRACE: Duration = Duration::from_millis(500);
/// How long a commit that must be confirmed may take even when the drain deadline has passed.
const COMMIT_GRACE: Duration = Duration::from_secs(2);

/// The first failure, which ends the consumer.
#[derive(Debug)]
pub(super) struct FirstFailure {
    error: Mutex<Option<RunError>>,
    stop: CancellationToken,
}

impl FirstFailure {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            error: Mutex::new(None),
            stop,
        }
    }

    pub(super) fn set(&self, error: RunError) {
        self.slot().get_or_insert(error);
        self.stop.cancel();
    }

    pub(super) fn take(&self) -> Option<RunError> {
        self.slot().take()
    }

    fn slot(&self) -> MutexGuard<'_, Option<RunError>> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs one worker for each assigned partition.
pub(super) struct Supervisor<H> {
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) handler: Arc<H>,
    pub(super) dead_letters: DeadLetterWriter,
    pub(super) config: ConsumerConfig,
    pub(super) board: Arc<Board>,
    pub(super) committer: Committer,
    pub(super) metrics: ConsumerMetrics,
    pub(super) failure: Arc<FirstFailure>,
    pub(super) running: Mutex<HashMap<TopicPartition, Running>>,
}

pub(super) struct Running {
    stop: CancellationToken,
    abandon: CancellationToken,
    /// Disconnects when the work has ended, also when the runtime has gone away.
    ended: mpsc::Receiver<()>,
}

impl Running {
    fn wait(&self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        self.ended.recv_timeout(left) == Err(RecvTimeoutError::Disconnected)
    }
}

impl<H: Handler> Supervisor<H> {
    fn running(&self) -> MutexGuard<'_, HashMap<TopicPartition, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The partitions that are being worked on.
    pub(super) fn partitions(&self) -> Vec<TopicPartition> {
        self.running().keys().cloned().collect()
    }

    /// Commits what has been finished since the last time, without waiting for the answer.
    pub(super) fn commit_finished(&self, client: &Arc<GroupClient>) {
        self.committer.commit(client, || self.board.unconfirmed());
    }

    fn start(&self, client: &Arc<GroupClient>, partition: TopicPartition) -> Result<(), RunError> {
        let queue = client
            .split_partition_queue(&partition.topic, partition.partition)
            .ok_or_else(|| RunError::Client(format!("{partition} has no queue of its own")))?;
        let limits = Limits {
            records: self.config.batch_records_max,
            bytes: self.config.batch_kbytes_max * 1024,
            age: Duration::from_millis(self.config.batch_age_ms),
        };
        let state = self.board.add(partition.clone());
        let stop = CancellationToken::new();
        let abandon = CancellationToken::new();
        let (ending, ended) = mpsc::channel::<()>();
        let worker = Worker {
            source: Source::new(queue, partition.clone(), Arc::clone(&state), limits),
            resolver: Resolver::new(
                Arc::clone(&self.handler),
                self.dead_letters.clone(),
                partition.clone(),
                state,
                self.metrics
                    .partition(&partition.topic, partition.partition),
                &self.config,
                stop.clone(),
            ),
            stop: stop.clone(),
            abandon: abandon.clone(),
        };
        let failure = Arc::clone(&self.failure);
        self.runtime.spawn(async move {
            let ending = ending;
            if let Err(error) = worker.run().await {
                failure.set(error);
            }
            drop(ending);
        });
        let running = Running {
            stop,
            abandon,
            ended,
        };
        self.running().insert(partition, running);
        Ok(())
    }

    /// Waits for work that was told to stop; what is not finished by the deadline is dropped.
    fn drain(&self, stopping: &[(TopicPartition, Running)]) {
        let deadline = Instant::now() + self.config.drain_deadline();
        for (partition, running) in stopping {
            if !running.wait(deadline) {
                tracing::warn!(%partition, "work was not finished in time and is dropped; its records will be read again");
                running.abandon.cancel();
            }
        }
        let deadline = Instant::now() + ABANDON_GRACE;
        for (partition, running) in stopping {
            if !running.wait(deadline) {
                tracing::error!(%partition, "the handler blocks its thread and could not be dropped");
            }
        }
    }
}

impl<H: Handler> Assignments for Supervisor<H> {
    fn assigned(&self, client: &Arc<GroupClient>, partitions: Vec<TopicPartition>) {
        tracing::info!(count = partitions.len(), partitions = %listed(&partitions), "partitions assigned");
        for partition in partitions {
            if let Err(error) = self.start(client, partition) {
                self.failure.set(error);
            }
        }
        self.metrics.assigned.set(self.board.len() as f64);
    }

    fn revoked(&self, client: &Arc<GroupClient>, partitions: &[TopicPartition], lost: bool) {
        tracing::info!(count = partitions.len(), partitions = %listed(partitions), lost, "partitions revoked");
        let stopping: Vec<(TopicPartition, Running)> = {
            let mut running = self.running();
            partitions
                .iter()
                .filter_map(|partition| running.remove_entry(partition))
                .collect()
        };
        let began = Instant::now();
        for (_, running) in &stopping {
            running.stop.cancel();
            if lost {
                // Somebody else may be reading already, and a commit would be refused.
                running.abandon.cancel();
            }
        }
        self.drain(&stopping);
        if !lost {
            let offsets = self.board.unconfirmed();
            self.committer
                .commit_and_wait(client, &offsets, COMMIT_GRACE);
        }
        if !stopping.is_empty() {
            self.metrics.drain_seconds.record(began.elapsed());
        }
        for partition in partitions {
            self.board.remove(partition);
            self.metrics
                .partition_gone(&partition.topic, partition.partition);
        }
        self.metrics.assigned.set(self.board.len() as f64);
    }

    fn settled(&self, client: &Arc<GroupClient>) {
        wake(client, self.partitions());
    }
}

fn listed(partitions: &[TopicPartition]) -> String {
    let names: Vec<String> = partitions.iter().map(ToString::to_string).collect();
    names.join(", ")
}
