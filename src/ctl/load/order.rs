//! The order in which events are sent: the stored result must not depend on it, and this is how to see that.

use clap::ValueEnum;

/// Order of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// As they stand in the file, or as they happen.
    Forwards,
    /// Last one first.
    Reverse,
    /// Mixed, the same way for the same seed.
    Shuffled,
}

impl Order {
    pub(super) fn arrange<T>(self, events: &mut [T], seed: u64) {
        match self {
            Self::Forwards => {}
            Self::Reverse => events.reverse(),
            Self::Shuffled => fastrand::Rng::with_seed(seed).shuffle(events),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arranged(order: Order, seed: u64) -> Vec<u32> {
        let mut events: Vec<u32> = (0..100).collect();
        order.arrange(&mut events, seed);
        events
    }

    #[test]
    fn reverse_starts_with_the_last_event() {
        assert_eq!(arranged(Order::Forwards, 1)[..2], [0, 1]);
        assert_eq!(arranged(Order::Reverse, 1)[..2], [99, 98]);
    }

    #[test]
    fn a_shuffle_depends_on_its_seed_alone_and_loses_nothing() {
        let mixed = arranged(Order::Shuffled, 7);
        assert_eq!(mixed, arranged(Order::Shuffled, 7));
        assert_ne!(mixed, arranged(Order::Shuffled, 8));
        let mut sorted = mixed.clone();
        sorted.sort_unstable();
        assert_ne!(mixed, sorted);
        assert_eq!(sorted, arranged(Order::Forwards, 7));
    }
}
