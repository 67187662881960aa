//! What the sets of one partition say; pure.

use std::ops::{AddAssign, Range};

use serde::Serialize;

use crate::offsets::Offsets;

/// Records by what became of them. `accepted` is the sum of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Records that the topic took.
    pub accepted: i64,
    /// Those whose events are rows, copies of rows included.
    pub stored: i64,
    /// Those that are dead letters.
    pub dead_lettered: i64,
    /// Those that the group is still to read.
    pub in_flight: i64,
    /// Those that the group has passed, and that are neither rows nor dead letters.
    pub missing: i64,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.stored += other.stored;
        self.dead_lettered += other.dead_lettered;
        self.in_flight += other.in_flight;
        self.missing += other.missing;
    }
}

/// What is known of one partition.
#[derive(Debug, Clone, Default)]
pub struct Partition {
    /// The first offset that retention has left.
    pub low: i64,
    /// The offset that the next record gets.
    pub high: i64,
    /// Where the group reads next; a group that has never committed begins at `low`.
    pub committed: i64,
    /// Offsets whose events are stored.
    pub stored: Offsets,
    /// Offsets whose records are dead letters.
    pub dead: Offsets,
    /// Offsets that have no record: a transaction's marks, and what compaction removed.
    pub empty: Offsets,
}

impl Partition {
    /// Counts the records of a range of offsets.
    pub fn count(&self, range: &Range<i64>) -> Count {
        let kept = self.kept(range);
        let dead = self.dead.within(&kept);
        let stored = self.stored.within(&kept).without(&self.dead);
        let open = self.open(&kept);
        let missing = open.within(&(kept.start..self.committed)).len();
        let count = Count {
            accepted: 0,
            stored: stored.len(),
            dead_lettered: dead.len(),
            in_flight: open.len() - missing,
            missing,
        };
        Count {
            accepted: count.stored + count.dead_lettered + count.in_flight + count.missing,
            ..count
        }
    }

    /// The offsets that the group has passed and nothing is known of.
    pub fn missing(&self) -> Offsets {
        self.open(&self.kept(&(self.low..self.committed)))
    }

    /// How many offsets retention has removed before anybody had read them.
    pub fn expired(&self) -> i64 {
        let Some(first) = self.stored.first() else {
            return 0;
        };
        let gone = Offsets::from(first..self.low);
        gone.without(&self.stored).without(&self.dead).len()
    }

    fn kept(&self, range: &Range<i64>) -> Range<i64> {
        range.start.max(self.low)..range.end.min(self.high)
    }

    fn open(&self, range: &Range<i64>) -> Offsets {
        let all = Offsets::from(range.clone());
        all.without(&self.stored)
            .without(&self.dead)
            .without(&self.empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: impl IntoIterator<Item = Range<i64>>) -> Offsets {
        ranges.into_iter().collect()
    }

    fn everything(partition: &Partition) -> Count {
        partition.count(&(0..i64::MAX))
    }

    #[test]
    fn every_record_is_in_one_class_and_a_skipped_one_is_missing() {
        let mut partition = Partition {
            low: 10,
            high: 100,
            committed: 80,
            stored: set([10..50, 51..60, 61..80]),
            dead: Offsets::from(50..51),
            empty: Offsets::default(),
        };
        let expected = Count {
            accepted: 90,
            stored: 68,
            dead_lettered: 1,
            in_flight: 20,
            missing: 1,
        };
        assert_eq!(everything(&partition), expected);
        assert_eq!(partition.missing(), Offsets::from(60..61));
        assert_eq!(partition.count(&(55..65)).missing, 1);
        assert_eq!(partition.count(&(61..65)).missing, 0);

        // It is read after all.
        partition.stored = partition.stored.or(&Offsets::from(60..61));
        assert_eq!(everything(&partition).missing, 0);
        assert_eq!(everything(&partition).stored, 69);
    }

    #[test]
    fn what_is_stored_and_not_yet_committed_is_not_in_flight() {
        let partition = Partition {
            high: 100,
            committed: 40,
            stored: Offsets::from(0..60),
            ..Partition::default()
        };
        let count = everything(&partition);
        assert_eq!((count.stored, count.in_flight, count.missing), (60, 40, 0));
    }

    #[test]
    fn a_group_that_is_ahead_of_its_database_misses_the_difference() {
        let partition = Partition {
            low: 5,
            high: 100,
            committed: 100,
            ..Partition::default()
        };
        assert_eq!(everything(&partition).missing, 95);
        assert_eq!(partition.expired(), 0);
    }

    #[test]
    fn a_dead_letter_that_was_stored_later_is_counted_once() {
        let partition = Partition {
            high: 3,
            committed: 3,
            stored: Offsets::from(0..3),
            dead: Offsets::from(1..2),
            ..Partition::default()
        };
        let count = everything(&partition);
        assert_eq!(
            (count.accepted, count.stored, count.dead_lettered),
            (3, 2, 1)
        );
    }

    #[test]
    fn an_offset_without_a_record_is_no_record() {
        let partition = Partition {
            high: 10,
            committed: 10,
            stored: set([0..4, 5..10]),
            empty: Offsets::from(4..5),
            ..Partition::default()
        };
        assert_eq!(everything(&partition).accepted, 9);
        assert_eq!(everything(&partition).missing, 0);
    }

    #[test]
    fn what_retention_removed_unread_is_told_apart_from_what_was_before_the_group() {
        let partition = Partition {
            low: 50,
            high: 60,
            committed: 60,
            stored: set([20..30, 50..60]),
            dead: Offsets::from(30..31),
            ..Partition::default()
        };
        assert_eq!(partition.expired(), 19);
        assert_eq!(everything(&partition).missing, 0);
    }
}
