//! The brake of one partition as others see it: since when it is on and for what, and the command that takes it off.
//!
//! When it comes on is the budget's decision; what happens while it is on, the resolver's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;
use tokio::sync::Notify;

use super::board::Board;
use crate::outcome::Failure;
use crate::partition::TopicPartition;

/// A partition that is paused because of too many dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brake {
    /// Since when.
    pub since: OffsetDateTime,
    /// Records that wait at its head because they would become dead letters; others may wait behind them.
    pub held_back: usize,
    /// What the first of them fails for: the stable name of the fault.
    pub error_name: String,
    /// The same as a sentence for a person.
    pub error_message: String,
    /// When they are tried again by themselves.
    pub next_probe: OffsetDateTime,
}

impl Brake {
    pub(super) fn now(
        held_back: usize,
        reason: Option<&Failure>,
        probe_in: std::time::Duration,
    ) -> Self {
        let now = OffsetDateTime::now_utc();
        Self {
            since: now,
            held_back,
            error_name: reason.map_or_else(String::new, |reason| reason.name.to_string()),
            error_message: reason.map_or_else(String::new, |reason| reason.message.clone()),
            next_probe: now + probe_in,
        }
    }
}

/// The brake of one partition, shared between the work on it and those who look at it.
#[derive(Debug, Default)]
pub(super) struct BrakeLever {
    state: Mutex<Lever>,
    pulled: Notify,
}

#[derive(Debug, Default)]
struct Lever {
    brake: Option<Brake>,
    /// Dead letters that a release lets through, until the work has taken note of it.
    released: Option<u32>,
}

impl BrakeLever {
    fn state(&self) -> MutexGuard<'_, Lever> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Turns it on or off, and answers whether that changes anything. It counts as on since it was first turned on.
    pub(super) fn turn(&self, brake: Option<Brake>) -> bool {
        let mut state = self.state();
        let since = state.brake.as_ref().map(|before| before.since);
        let changes = since.is_some() != brake.is_some();
        state.brake = brake.map(|brake| Brake {
            since: since.unwrap_or(brake.since),
            ..brake
        });
        if state.brake.is_none() {
            state.released = None;
        }
        changes
    }

    pub(super) fn brake(&self) -> Option<Brake> {
        self.state().brake.clone()
    }

    /// Takes it off, if it is on.
    fn release(&self, dead_letters: u32) -> bool {
        let mut state = self.state();
        let is_on = state.brake.is_some();
        if is_on {
            state.released = Some(dead_letters);
            self.pulled.notify_one();
        }
        is_on
    }

    /// Waits until somebody takes it off, and answers how many dead letters that lets through.
    pub(super) async fn released(&self) -> u32 {
        loop {
            if let Some(dead_letters) = self.state().released.take() {
                return dead_letters;
            }
            self.pulled.notified().await;
        }
    }
}

/// Takes brakes off while the consumer runs; cheap to clone.
#[derive(Debug, Clone)]
pub struct Brakes {
    board: Arc<Board>,
}

impl Brakes {
    pub(super) fn new(board: Arc<Board>) -> Self {
        Self { board }
    }

    /// Lets the braked partitions of this number, or all, go on at once instead of at the next probe, and answers which
    /// those are.
    ///
    /// So many records may become dead letters before the limits count again, and they count from the beginning then.
    /// With 0 this is a probe that may fail as often as a fresh start.
    pub fn release(&self, partition: Option<i32>, dead_letters: u32) -> Vec<TopicPartition> {
        let mut released = Vec::new();
        self.board.each(|found, state| {
            if partition.is_none_or(|wanted| wanted == found.partition)
                && state.brake.release(dead_letters)
            {
                released.push(found.clone());
            }
        });
        released
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn a_brake() -> Brake {
        Brake::now(1, None, Duration::from_secs(1))
    }

    #[tokio::test]
    async fn a_release_counts_once_and_only_while_the_brake_is_on() {
        let lever = BrakeLever::default();
        assert!(!lever.release(5));
        assert!(lever.turn(Some(a_brake())));
        let since = lever.brake().unwrap().since;
        assert!(!lever.turn(Some(a_brake())), "it was on");
        assert_eq!(lever.brake().unwrap().since, since);
        assert!(lever.release(5));
        assert_eq!(lever.released().await, 5);
        assert!(lever.release(6));
        assert!(lever.turn(None), "a probe was faster");
        lever.turn(Some(a_brake()));
        let none = tokio::time::timeout(Duration::from_millis(50), lever.released()).await;
        assert!(none.is_err());
    }
}
