//! The circuit breaker in front of Kafka.
//!
//! Closed: everybody may try. Open: nobody does, at no cost. Half-open: one probe at a time; its success closes
//! the breaker, its failure opens it again. A permit that is dropped without a verdict (the client hung up, the
//! fault was the payload's) changes nothing and frees the probe's place.
//!
//! A crowd that waits and hears nothing at all is a failure, too, before any of it has waited its whole deadline: what
//! goes the other way then still has to get through there.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tracing::{info, warn};

use crate::metrics;

/// So many who wait are a crowd. Fewer are through the other way in no time, and one alone often hears nothing because
/// nobody else asks.
const CROWD: usize = 100;

/// The state that a breaker is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Everybody may try.
    Closed,
    /// Nobody tries.
    Open,
    /// One probe at a time may try.
    HalfOpen,
}

impl BreakerState {
    /// The name in health and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }

    const NAMES: [&'static str; 3] = ["closed", "open", "half_open"];

    /// Every change that there can be.
    const CHANGES: [(Self, Self); 4] = [
        (Self::Closed, Self::Open),
        (Self::Open, Self::HalfOpen),
        (Self::HalfOpen, Self::Closed),
        (Self::HalfOpen, Self::Open),
    ];

    fn record_change_to(self, to: Self) {
        metrics::breaker_is(to.name(), &Self::NAMES);
        metrics::breaker_changed(self.name(), to.name(), 1);
    }
}

/// A circuit breaker; cheap to clone.
#[derive(Debug, Clone)]
pub struct Breaker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    failures_to_open: u32,
    open_for: Duration,
    /// How long a crowd may hear nothing.
    silence: Duration,
    state: Mutex<State>,
    /// Permits that have no verdict yet.
    waiting: AtomicUsize,
    /// Tries that went well, ever.
    heard: AtomicU64,
    /// Wakes those who wait in the order in which they began to: who has lost most time is the first to go direct.
    opened: Notify,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32, generation: u64 },
    Open { since: Instant, generation: u64 },
    HalfOpen { probing: bool, generation: u64 },
}

impl State {
    fn generation(&self) -> u64 {
        match self {
            Self::Closed { generation, .. }
            | Self::Open { generation, .. }
            | Self::HalfOpen { generation, .. } => *generation,
        }
    }
}

impl Breaker {
    /// Opens after `failures_to_open` failures in a row and stays open for `open_for`. A crowd that has heard nothing
    /// for `silence` is a failure.
    pub fn new(failures_to_open: u32, open_for: Duration, silence: Duration) -> Self {
        metrics::breaker_is(BreakerState::Closed.name(), &BreakerState::NAMES);
        for (from, to) in BreakerState::CHANGES {
            metrics::breaker_changed(from.name(), to.name(), 0);
        }
        let state = Mutex::new(State::Closed {
            failures: 0,
            generation: 0,
        });
        Self {
            inner: Arc::new(Inner {
                failures_to_open,
                open_for,
                silence,
                state,
                waiting: AtomicUsize::new(0),
                heard: AtomicU64::new(0),
                opened: Notify::new(),
            }),
        }
    }

    /// Leave to try now; `None` is to be taken as a failure that cost nothing.
    pub fn permit(&self) -> Option<Permit> {
        let mut state = self.inner.lock();
        if let State::Open { since, generation } = *state
            && since.elapsed() >= self.inner.open_for
        {
            *state = State::HalfOpen {
                probing: false,
                generation,
            };
            BreakerState::Open.record_change_to(BreakerState::HalfOpen);
        }
        let generation = state.generation();
        let is_probe = match &mut *state {
            State::Closed { .. } => false,
            State::Open { .. } | State::HalfOpen { probing: true, .. } => return None,
            State::HalfOpen { probing, .. } => {
                *probing = true;
                true
            }
        };
        self.inner.waiting.fetch_add(1, Ordering::Relaxed);
        Some(Permit {
            inner: Arc::clone(&self.inner),
            generation,
            is_probe,
        })
    }

    /// The state now.
    pub fn state(&self) -> BreakerState {
        match *self.inner.lock() {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// How long it takes until somebody may try again; zero when that is now.
    pub fn retry_after(&self) -> Duration {
        match *self.inner.lock() {
            State::Open { since, .. } => self.inner.open_for.saturating_sub(since.elapsed()),
            State::Closed { .. } | State::HalfOpen { .. } => Duration::ZERO,
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// Whether a crowd waits now and nobody has been heard of since there were `heard`.
    fn is_silent_since(&self, heard: u64) -> bool {
        self.heard() == heard && self.waiting.load(Ordering::Relaxed) >= CROWD
    }
}

/// Leave to try once. Dropping it without a verdict changes nothing.
#[derive(Debug)]
pub struct Permit {
    inner: Arc<Inner>,
    generation: u64,
    is_probe: bool,
}

impl Permit {
    /// Resolves when the verdict of somebody else has opened the breaker meanwhile; waiting on makes no sense then. A
    /// probe is what everybody else relies on, and is never overtaken.
    pub async fn overtaken(&self) {
        if self.is_probe {
            return std::future::pending().await;
        }
        let mut opened = pin!(self.inner.opened.notified());
        // Before the look, so that none is missed between the two.
        opened.as_mut().enable();
        if self.inner.lock().generation() == self.generation {
            opened.await;
        }
    }

    /// Resolves when this is one of a crowd of which nobody has heard anything for so long that it is a failure. A probe
    /// is alone.
    pub async fn silence(&self) {
        if self.is_probe {
            return std::future::pending().await;
        }
        loop {
            let heard = self.inner.heard();
            tokio::time::sleep(self.inner.silence).await;
            if self.inner.is_silent_since(heard) {
                return;
            }
        }
    }

    /// The try went well.
    pub fn succeed(self) {
        self.inner.heard.fetch_add(1, Ordering::Relaxed);
        let mut state = self.inner.lock();
        match &mut *state {
            State::Closed {
                failures,
                generation,
            } if *generation == self.generation => *failures = 0,
            State::HalfOpen { generation, .. } if self.is_probe => {
                *state = State::Closed {
                    failures: 0,
                    generation: *generation + 1,
                };
                BreakerState::HalfOpen.record_change_to(BreakerState::Closed);
                info!("Kafka acknowledges again: events go by way of Kafka");
            }
            // The verdict of an earlier time says nothing about now.
            _ => {}
        }
    }

    /// The try failed.
    pub fn fail(self) {
        let mut state = self.inner.lock();
        let next_generation = self.generation + 1;
        let left = match &mut *state {
            State::Closed {
                failures,
                generation,
            } if *generation == self.generation => {
                *failures += 1;
                if *failures < self.inner.failures_to_open {
                    return;
                }
                warn!(
                    open_ms = self.inner.open_for.as_millis(),
                    "Kafka does not acknowledge: events go direct"
                );
                BreakerState::Closed
            }
            State::HalfOpen { .. } if self.is_probe => BreakerState::HalfOpen,
            _ => return,
        };
        *state = State::Open {
            since: Instant::now(),
            generation: next_generation,
        };
        left.record_change_to(BreakerState::Open);
        self.inner.opened.notify_waiters();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.inner.waiting.fetch_sub(1, Ordering::Relaxed);
        if self.is_probe
            && let State::HalfOpen {
                probing,
                generation,
            } = &mut *self.inner.lock()
            && *generation == self.generation
        {
            *probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_TIME: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let breaker = Breaker::new(2, LONG, LONG);
        breaker.permit().unwrap().fail();
        breaker.permit().unwrap().succeed();
        breaker.permit().unwrap().fail();
        assert_eq!(breaker.state(), BreakerState::Closed);
        breaker.permit().unwrap().fail();
        assert_eq!(breaker.state(), BreakerState::Open);
        assert!(breaker.permit().is_none());
        assert!(breaker.retry_after() > LONG / 2);
    }

    #[test]
    fn half_open_lets_one_probe_through_at_a_time() {
        let breaker = Breaker::new(1, NO_TIME, LONG);
        breaker.permit().unwrap().fail();
        let probe = breaker.permit().unwrap();
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert!(breaker.permit().is_none());
        probe.succeed();
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn a_failed_probe_opens_it_again() {
        let breaker = Breaker::new(1, NO_TIME, LONG);
        breaker.permit().unwrap().fail();
        breaker.permit().unwrap().fail();
        assert_eq!(breaker.state(), BreakerState::Open);
        breaker.permit().unwrap().succeed();
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn a_probe_that_is_dropped_frees_its_place() {
        let breaker = Breaker::new(1, NO_TIME, LONG);
        breaker.permit().unwrap().fail();
        drop(breaker.permit().unwrap());
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        breaker.permit().unwrap().succeed();
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn who_waits_is_told_when_it_opens_and_a_probe_is_not() {
        let breaker = Breaker::new(1, NO_TIME, LONG);
        let waiting = breaker.permit().unwrap();
        let mut told = Box::pin(waiting.overtaken());
        let not_yet = tokio::time::timeout(Duration::from_millis(1), &mut told).await;
        assert!(not_yet.is_err());
        breaker.permit().unwrap().fail();
        told.await;
        let probe = breaker.permit().unwrap();
        let never = tokio::time::timeout(Duration::from_millis(1), probe.overtaken()).await;
        assert!(never.is_err());
        probe.succeed();
        let after = breaker.permit().unwrap();
        let not_yet = tokio::time::timeout(Duration::from_millis(1), after.overtaken()).await;
        assert!(not_yet.is_err(), "it is closed again");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn who_waits_longest_is_told_first() {
        let breaker = Breaker::new(1, LONG, LONG);
        let told = Arc::<Mutex<Vec<usize>>>::default();
        let mut waiting = tokio::task::JoinSet::new();
        for place in 0..100 {
            let (permit, told) = (breaker.permit().unwrap(), Arc::clone(&told));
            waiting.spawn(async move {
                permit.overtaken().await;
                told.lock().unwrap().push(place);
            });
        }
        // Few have their turn between two of ours.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        breaker.permit().unwrap().fail();
        waiting.join_all().await;
        assert_eq!(*told.lock().unwrap(), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn silence_is_a_failure_to_a_crowd_only_and_whoever_is_heard_of_ends_it() {
        let breaker = Breaker::new(1, LONG, LONG);
        let mut crowd: Vec<Permit> = (1..CROWD).map(|_| breaker.permit().unwrap()).collect();
        let heard = breaker.inner.heard();
        assert!(
            !breaker.inner.is_silent_since(heard),
            "one less is no crowd"
        );
        crowd.push(breaker.permit().unwrap());
        crowd.push(breaker.permit().unwrap());
        assert!(breaker.inner.is_silent_since(heard));
        crowd.pop().unwrap().succeed();
        assert_eq!(crowd.len(), CROWD);
        assert!(!breaker.inner.is_silent_since(heard));
        let heard = breaker.inner.heard();
        assert!(breaker.inner.is_silent_since(heard));
        drop(crowd.pop());
        assert!(!breaker.inner.is_silent_since(heard));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_crowd_is_told_of_the_silence_and_a_probe_is_not() {
        let breaker = Breaker::new(1, NO_TIME, Duration::from_millis(1));
        let crowd: Vec<Permit> = (0..CROWD).map(|_| breaker.permit().unwrap()).collect();
        crowd[0].silence().await;
        breaker.permit().unwrap().fail();
        let probe = breaker.permit().unwrap();
        let never = tokio::time::timeout(Duration::from_millis(20), probe.silence()).await;
        assert!(never.is_err());
    }

    #[test]
    fn the_verdict_of_an_earlier_time_is_not_heard() {
        let breaker = Breaker::new(1, NO_TIME, LONG);
        let (slow_failure, slow_success) = (breaker.permit().unwrap(), breaker.permit().unwrap());
        breaker.permit().unwrap().fail();
        slow_success.succeed();
        assert_eq!(breaker.state(), BreakerState::Open);
        breaker.permit().unwrap().succeed();
        slow_failure.fail();
        assert_eq!(breaker.state(), BreakerState::Closed);
    }
}
