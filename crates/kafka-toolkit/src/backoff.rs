//! Pauses between retries: doubling, capped, and fully random so that many waiters do not come back together.

use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    ceiling: Duration,
    first: Duration,
    cap: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, cap: Duration) -> Self {
        Self {
            ceiling: first,
            first,
            cap,
        }
    }

    /// The next pause: anything up to a ceiling that doubles each time.
    pub(crate) fn pause(&mut self) -> Duration {
        let ceiling = self.ceiling.min(self.cap);
        self.ceiling = ceiling.saturating_mul(2).min(self.cap);
        ceiling.mul_f64(fastrand::f64())
    }

    pub(crate) fn reset(&mut self) {
        self.ceiling = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_cap_and_start_again_after_a_reset() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(10), ms(40));
        for ceiling in [10, 20, 40, 40] {
            assert_eq!(backoff.ceiling, ms(ceiling));
            assert!(backoff.pause() <= ms(ceiling));
        }
        backoff.reset();
        assert_eq!(backoff.ceiling, ms(10));
    }
}
