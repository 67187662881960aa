//! How fast records are taken.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Most events in one transaction.
const BATCH_EVENTS_MAX: u32 = 1_000;

/// Batches in a second where a rate is wanted that asks for smaller ones.
const BATCHES_PER_SECOND: u32 = 4;

/// Holds a rate: batches that are small enough, and pauses between them. Time that is lost elsewhere is not caught up.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Option<NonZeroU32>,
    /// Most records at once.
    pub(super) batch: usize,
    due: Instant,
}

impl Pace {
    pub(super) fn new(rate: Option<NonZeroU32>) -> Self {
        let batch = rate.map_or(BATCH_EVENTS_MAX, |rate| {
            (rate.get() / BATCHES_PER_SECOND).clamp(1, BATCH_EVENTS_MAX)
        });
        Self {
            rate,
            batch: batch as usize,
            due: Instant::now(),
        }
    }

    pub(super) async fn wait(&self) {
        if self.rate.is_some() {
            sleep_until(self.due).await;
        }
    }

    /// So many records have just been taken.
    pub(super) fn took(&mut self, records: usize) {
        if let Some(rate) = self.rate {
            let worth = Duration::from_secs_f64(records as f64 / f64::from(rate.get()));
            self.due = self.due.max(Instant::now()) + worth;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_holds_and_lost_time_is_not_caught_up() {
        let mut pace = Pace::new(NonZeroU32::new(100));
        assert_eq!(pace.batch, 25);
        let began = pace.due;
        pace.due += Duration::from_secs(60);
        pace.took(25);
        pace.took(10);
        assert_eq!(pace.due - began, Duration::from_millis(60_350));

        let late = Instant::now();
        pace.due = began;
        pace.took(25);
        assert!(pace.due >= late + Duration::from_millis(250));
    }

    #[test]
    fn without_a_rate_nothing_is_put_off() {
        let mut pace = Pace::new(None);
        let began = pace.due;
        pace.took(1_000_000);
        assert_eq!(pace.due, began);
        assert_eq!(pace.batch, 1_000);
    }
}
