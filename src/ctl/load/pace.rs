//! When a request is due, so that a wanted rate holds over all connections together.
//!
//! The times are fixed from the start and do not shift when the server is slow: what it delays is caught up, and shows
//! as latency.

use std::time::Duration;

use tokio::time::Instant;

/// The schedule of a load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    started: Instant,
    events_per_second: Option<f64>,
}

impl Pace {
    pub(super) fn new(started: Instant, events_per_second: Option<f64>) -> Self {
        Self {
            started,
            events_per_second,
        }
    }

    /// When a request is due that so many events go before; `None` is at once.
    pub(super) fn due(&self, events_before: usize) -> Option<Instant> {
        let seconds = events_before as f64 / self.events_per_second?;
        Some(self.started + Duration::from_secs_f64(seconds.min(1e9)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_due_at_the_wanted_rate() {
        let started = Instant::now();
        let pace = Pace::new(started, Some(200.0));
        let due = |before| pace.due(before).map(|due| due - started);
        assert_eq!(due(0), Some(Duration::ZERO));
        assert_eq!(due(1), Some(Duration::from_millis(5)));
        assert_eq!(due(1_000), Some(Duration::from_secs(5)));
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        assert_eq!(Pace::new(Instant::now(), None).due(1_000), None);
    }
}
