//! What the consumer knows about each assigned partition: how far it is finished, committed, and whether it waits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::brake::{Brake, BrakeLever};
use crate::partition::TopicPartition;

/// Offsets to be read next, by partition.
pub(super) type Offsets = Vec<(TopicPartition, i64)>;

const UNKNOWN: i64 = -1;

/// The state of one assigned partition; a new assignment of the same partition gets a new one.
#[derive(Debug)]
pub(super) struct PartitionState {
    finished: AtomicI64,
    committed: AtomicI64,
    gathered: AtomicUsize,
    pub(super) brake: BrakeLever,
    waiting: AtomicBool,
}

impl PartitionState {
    pub(super) fn new() -> Self {
        Self {
            finished: AtomicI64::new(UNKNOWN),
            committed: AtomicI64::new(UNKNOWN),
            gathered: AtomicUsize::new(0),
            brake: BrakeLever::default(),
            waiting: AtomicBool::new(false),
        }
    }

    /// Everything before this offset is finished.
    pub(super) fn finish_up_to(&self, next_offset: i64) {
        self.finished.fetch_max(next_offset, Ordering::AcqRel);
    }

    pub(super) fn set_gathered(&self, records: usize) {
        self.gathered.store(records, Ordering::Relaxed);
    }

    pub(super) fn set_waiting(&self, waiting: bool) {
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    fn finished(&self) -> Option<i64> {
        Some(self.finished.load(Ordering::Acquire)).filter(|&offset| offset != UNKNOWN)
    }
}

/// All assigned partitions of one consumer.
#[derive(Debug, Default)]
pub(super) struct Board {
    partitions: Mutex<BTreeMap<TopicPartition, Arc<PartitionState>>>,
    polled: Mutex<Option<Instant>>,
}

impl Board {
    fn partitions(&self) -> MutexGuard<'_, BTreeMap<TopicPartition, Arc<PartitionState>>> {
        self.partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, partition: TopicPartition) -> Arc<PartitionState> {
        let state = Arc::new(PartitionState::new());
        self.partitions().insert(partition, Arc::clone(&state));
        state
    }

    pub(super) fn remove(&self, partition: &TopicPartition) {
        self.partitions().remove(partition);
    }

    pub(super) fn len(&self) -> usize {
        self.partitions().len()
    }

    pub(super) fn each(&self, mut look: impl FnMut(&TopicPartition, &PartitionState)) {
        for (partition, state) in self.partitions().iter() {
            look(partition, state);
        }
    }

    pub(super) fn polled(&self) {
        *self.polled.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Finished offsets that the broker has not confirmed.
    pub(super) fn unconfirmed(&self) -> Offsets {
        let partitions = self.partitions();
        let unconfirmed = partitions.iter().filter_map(|(partition, state)| {
            let finished = state.finished()?;
            (state.committed.load(Ordering::Acquire) != finished)
                .then(|| (partition.clone(), finished))
        });
        unconfirmed.collect()
    }

    /// Takes the broker's confirmation of a commit.
    pub(super) fn confirmed(&self, offsets: &Offsets) {
        let partitions = self.partitions();
        for (partition, offset) in offsets {
            if let Some(state) = partitions.get(partition) {
                state.committed.fetch_max(*offset, Ordering::AcqRel);
            }
        }
    }
}

/// A view of a running consumer, for health endpoints; cheap to clone.
#[derive(Debug, Clone)]
pub struct Health {
    board: Arc<Board>,
}

/// The state of a consumer at one moment.
#[derive(Debug, Clone)]
pub struct HealthSnapshot {
    /// Time since the group was last attended to; `None` before the start. More than a few seconds means trouble.
    pub since_last_poll: Option<Duration>,
    /// The partitions that are assigned.
    pub partitions: Vec<PartitionHealth>,
}

/// The state of one assigned partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionHealth {
    /// Which one it is.
    pub partition: TopicPartition,
    /// Everything before this offset is finished; `None` until something is.
    pub next_offset: Option<i64>,
    /// Records that have been gathered behind those that are being handled.
    pub gathered: usize,
    /// Since when and for what it is paused because of too many dead letters; `None` while it is not.
    pub brake: Option<Brake>,
    /// Whether it waits for something that its handler needs.
    pub waiting_on_dependency: bool,
}

impl Health {
    pub(super) fn new(board: Arc<Board>) -> Self {
        Self { board }
    }

    /// The state at this moment.
    #[must_use]
    pub fn snapshot(&self) -> HealthSnapshot {
        let polled = *self
            .board
            .polled
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let partitions = self
            .board
            .partitions()
            .iter()
            .map(|(partition, state)| PartitionHealth {
                partition: partition.clone(),
                next_offset: state.finished(),
                gathered: state.gathered.load(Ordering::Relaxed),
                brake: state.brake.brake(),
                waiting_on_dependency: state.waiting.load(Ordering::Relaxed),
            })
            .collect();
        HealthSnapshot {
            since_last_poll: polled.map(|at| at.elapsed()),
            partitions,
        }
    }
}

impl HealthSnapshot {
    /// Whether any partition is paused because of too many dead letters.
    #[must_use]
    pub fn is_braked(&self) -> bool {
        self.partitions
            .iter()
            .any(|partition| partition.brake.is_some())
    }

    /// Whether any partition waits for something that its handler needs.
    #[must_use]
    pub fn is_waiting_on_dependency(&self) -> bool {
        self.partitions
            .iter()
            .any(|partition| partition.waiting_on_dependency)
    }
}
