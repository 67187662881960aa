//! Brings every record of a batch to an end: handled, refused, or a dead letter.
//!
//! Owns retries, the consequences of the error classes and the brake on dead letters. A record that is not at its
//! end holds back the partition's finished offset; so does a dead letter that the broker has not confirmed, behind which
//! at most one more batch is handled.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::board::PartitionState;
use super::brake::Brake;
use super::{DeadLetterBudget, Handler, RunError};
use crate::backoff::Backoff;
use crate::config::ConsumerConfig;
use crate::dead_letter::{DeadLetterWriter, GivenUp};
use crate::metrics::PartitionMetrics;
use crate::outcome::{ErrorClass, Failure, Outcome};
use crate::partition::TopicPartition;
use crate::record::{Batch, Record};

/// What is needed to bring the records of one partition to their end.
pub(super) struct Resolver<H> {
    pub(super) handler: Arc<H>,
    pub(super) dead_letters: DeadLetterWriter,
    /// Those of the round before, while they are being written.
    letters: Option<Letters>,
    pub(super) partition: TopicPartition,
    pub(super) state: Arc<PartitionState>,
    pub(super) metrics: PartitionMetrics,
    pub(super) budget: DeadLetterBudget,
    pub(super) backoff: Backoff,
    pub(super) attempts_max: u32,
    pub(super) probe: Duration,
    /// Ends waiting and trying again, but not a call of the handler that is under way.
    pub(super) stop: CancellationToken,
}

/// How often a record has been tried.
#[derive(Debug, Clone, Copy, Default)]
struct Tries {
    handed: u32,
    transient: u32,
}

/// What one round over a batch left to do.
#[derive(Default)]
struct Round {
    again: Vec<Record>,
    tries: Vec<Tries>,
    dead: Vec<GivenUp>,
    held_back: usize,
    dependency_down: bool,
    reason: Option<Failure>,
}

/// Dead letters that are being written while the partition's next batch is handled, so that a bad record here and there
/// costs the good ones no waiting.
struct Letters {
    writing: Pin<Box<dyn Future<Output = bool> + Send>>,
    count: usize,
    /// Everything before this offset is finished once they are written; `None` when nothing is by that alone.
    finishes: Option<i64>,
}

impl<H: Handler> Resolver<H> {
    pub(super) fn new(
        handler: Arc<H>,
        dead_letters: DeadLetterWriter,
        partition: TopicPartition,
        state: Arc<PartitionState>,
        metrics: PartitionMetrics,
        config: &ConsumerConfig,
        stop: CancellationToken,
    ) -> Self {
        Self {
            handler,
            dead_letters,
            letters: None,
            partition,
            state,
            metrics,
            budget: DeadLetterBudget::new(
                config.dlq_run_max,
                config.dlq_ratio_max,
                config.dlq_window_records,
            ),
            backoff: Backoff::new(
                Duration::from_millis(config.retry_backoff_ms),
                Duration::from_millis(config.retry_backoff_max_ms),
            ),
            attempts_max: config.retry_attempts_max,
            probe: Duration::from_millis(config.dlq_probe_ms),
            stop,
        }
    }

    /// Returns when every record is at its end or [on its way](Self::has_letters) to the dead letters, or earlier when
    /// told to stop.
    pub(super) async fn resolve(&mut self, mut batch: Batch) -> Result<(), RunError> {
        let mut tries = vec![Tries::default(); batch.len()];
        let first_offset = batch.records().first().map(|record| record.offset);
        let handler = Arc::clone(&self.handler);
        self.backoff.reset();
        loop {
            let (outcomes, written) = tokio::join!(hand_over(&*handler, &batch), self.settle());
            if !written {
                return Ok(());
            }
            if outcomes.len() != batch.len() {
                return Err(RunError::OutcomeCount {
                    partition: self.partition.clone(),
                    records: batch.len(),
                    outcomes: outcomes.len(),
                });
            }
            let next_offset = batch.next_offset();
            let mut round = if outcomes.iter().all(|outcome| *outcome == Outcome::Done) {
                (0..outcomes.len()).for_each(|_| self.budget.handled());
                self.metrics.done.increment(outcomes.len() as u64);
                Round::default()
            } else {
                let frame = batch.remainder(Vec::new());
                let round = self.sort(batch, tries, outcomes);
                batch = frame;
                round
            };
            let next = round.again.first();
            let finished = next.map_or(next_offset, |record| record.offset);
            let finishes = (Some(finished) != first_offset).then_some(finished);
            if !round.dead.is_empty() {
                self.give_up(std::mem::take(&mut round.dead), finishes);
            } else if let Some(finished) = finishes {
                self.state.finish_up_to(finished);
            }
            if round.again.is_empty() {
                self.rest(None, false);
                return Ok(());
            }
            if !self.settle().await || !self.wait(&round).await {
                return Ok(());
            }
            batch = batch.remainder(round.again);
            tries = round.tries;
        }
    }

    /// Sorts the records of a batch by what follows from their outcomes.
    fn sort(&mut self, batch: Batch, tries: Vec<Tries>, outcomes: Vec<Outcome>) -> Round {
        let mut round = Round::default();
        for ((record, mut tries), outcome) in
            batch.into_records().into_iter().zip(tries).zip(outcomes)
        {
            tries.handed += 1;
            let failure = match outcome {
                Outcome::Done => {
                    self.metrics.done.increment(1);
                    self.handled_behind(&round);
                    continue;
                }
                Outcome::Failed(failure) => failure,
            };
            let give_up = match failure.class {
                ErrorClass::Business => {
                    self.metrics.business.increment(1);
                    self.handled_behind(&round);
                    continue;
                }
                ErrorClass::DependencyDown => {
                    self.metrics.dependency.increment(1);
                    round.dependency_down = true;
                    false
                }
                ErrorClass::Transient => {
                    tries.transient += 1;
                    tries.transient >= self.attempts_max
                }
                ErrorClass::Permanent => true,
            };
            if give_up && self.budget.admit() {
                round.dead.push(GivenUp {
                    record,
                    failure,
                    attempts: tries.handed,
                });
                continue;
            }
            round.held_back += usize::from(give_up);
            if !give_up && failure.class == ErrorClass::Transient {
                self.metrics.transient.increment(1);
            }
            round.reason.get_or_insert(failure);
            round.again.push(record);
            round.tries.push(tries);
        }
        round
    }

    /// Gives room for dead letters, but not to a record that is held back in front of this one.
    fn handled_behind(&mut self, round: &Round) {
        if round.held_back == 0 {
            self.budget.handled();
        }
    }

    /// Whether dead letters are on their way, which [`settle`](Self::settle) waits for.
    pub(super) fn has_letters(&self) -> bool {
        self.letters.is_some()
    }

    /// Waits until the dead letters that are on their way are written; `false` when told to stop before that. Can be
    /// dropped and called again.
    pub(super) async fn settle(&mut self) -> bool {
        let Some(letters) = &mut self.letters else {
            return true;
        };
        let written = letters.writing.as_mut().await;
        if let Some(letters) = self.letters.take()
            && written
        {
            self.metrics.dead.increment(letters.count as u64);
            if let Some(finished) = letters.finishes {
                self.state.finish_up_to(finished);
            }
            self.rest(None, false);
        }
        written
    }

    /// Sends records on their way to the dead letters.
    fn give_up(&mut self, dead: Vec<GivenUp>, finishes: Option<i64>) {
        for given_up in &dead {
            tracing::warn!(
                partition = %self.partition,
                kafka.offset = given_up.record.offset,
                error.class = given_up.failure.class.as_str(),
                error.name = %given_up.failure.name,
                error.message = %given_up.failure.message,
                attempts = given_up.attempts,
                "a record becomes a dead letter"
            );
        }
        let (state, waiting) = (Arc::clone(&self.state), self.metrics.waiting.clone());
        let on_trouble = move || {
            state.set_waiting(true);
            waiting.set(1.0);
        };
        let (partition, stop) = (self.partition.clone(), self.stop.clone());
        self.letters = Some(Letters {
            count: dead.len(),
            writing: Box::pin(
                self.dead_letters
                    .clone()
                    .write(partition, dead, stop, on_trouble),
            ),
            finishes,
        });
    }

    /// Waits as long as the state of things asks for; `false` when told to stop.
    async fn wait(&mut self, round: &Round) -> bool {
        if round.held_back > 0 && self.budget.is_exhausted() {
            return self.brake(round).await;
        }
        let pause = if round.dependency_down || round.held_back == 0 {
            self.backoff.pause()
        } else {
            Duration::ZERO
        };
        self.rest(None, round.dependency_down);
        if round.dependency_down {
            self.explain(round);
        }
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(pause) => true,
        }
    }

    /// Waits until it is time to try the records again, or somebody wants it; `false` when told to stop.
    async fn brake(&mut self, round: &Round) -> bool {
        let reason = round.reason.as_ref();
        let brake = Brake::now(round.held_back, reason, self.probe);
        self.rest(Some(brake), round.dependency_down);
        tracing::error!(
            partition = %self.partition,
            held_back = round.held_back,
            error.name = reason.map(|reason| &*reason.name),
            error.message = reason.map(|reason| &*reason.message),
            next_probe_s = self.probe.as_secs_f64(),
            "too many dead letters: the partition is paused, nothing is lost. Mend what the records fail for; they are \
             tried again by themselves, or at once when the brake is released. See KAFKA_DLQ_RUN_MAX and \
             KAFKA_DLQ_RATIO_MAX"
        );
        tokio::select! {
            biased;
            () = self.stop.cancelled() => return false,
            allowance = self.state.brake.released() => {
                tracing::warn!(partition = %self.partition, allowance, "the brake on dead letters is released by command");
                self.budget.renew(allowance);
            }
            () = tokio::time::sleep(self.probe) => {}
        }
        true
    }

    /// Shows what the partition waits for.
    fn rest(&self, brake: Option<Brake>, waiting: bool) {
        let braked = brake.is_some();
        if self.state.brake.turn(brake) {
            if braked {
                self.metrics.brakes.increment(1);
            } else {
                tracing::info!(partition = %self.partition, "the brake on dead letters is off: the partition goes on");
            }
        }
        self.state.set_waiting(waiting);
        self.metrics.braked.set(f64::from(u8::from(braked)));
        self.metrics.waiting.set(f64::from(u8::from(waiting)));
    }

    fn explain(&self, round: &Round) {
        let Some(reason) = &round.reason else { return };
        tracing::warn!(
            partition = %self.partition,
            records = round.again.len(),
            error.name = %reason.name,
            error.message = %reason.message,
            "waiting for something that the handler needs; nothing is skipped"
        );
    }
}

/// Calls the handler; one that panics costs only the records that make it panic.
async fn hand_over<H: Handler>(handler: &H, batch: &Batch) -> Vec<Outcome> {
    if let Some(outcomes) = unless_panicking(handler.handle(batch)).await {
        return outcomes;
    }
    let mut outcomes = Vec::with_capacity(batch.len());
    for record in batch.records() {
        let alone = batch.remainder(vec![record.clone()]);
        let answer = unless_panicking(handler.handle(&alone)).await;
        outcomes.push(
            answer
                .and_then(|mut outcomes| outcomes.pop())
                .unwrap_or_else(|| {
                    Outcome::transient("handler_panicked", "the handler panicked at this record")
                }),
        );
    }
    outcomes
}

async fn unless_panicking<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Some(value)),
            Err(_) => Poll::Ready(None),
        },
    )
    .await
}
