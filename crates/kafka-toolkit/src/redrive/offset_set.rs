//! Which offsets of a partition are done, in a form that fits into the commit of a group.
//!
//! A commit holds one offset and a short text. The offset is the first one that is not done, as every tool expects; the
//! text holds what is done behind it, so that work can be done in any order and none of it twice.

use std::collections::BTreeMap;

/// Most bytes of the text; brokers take 4,096 (`offset.metadata.max.bytes`).
const METADATA_BYTES_MAX: usize = 4_000;
/// First characters of the text, so that a text of somebody else is not taken for one.
const MARK: &str = "done:";
/// Each character holds five bits and whether another one follows.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BITS: u32 = 5;
const MORE: u64 = 1 << BITS;

/// Offsets of one partition: all before a position, and ranges behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OffsetSet {
    position: i64,
    /// From the first of a range to the one behind its last; they neither overlap nor touch.
    ranges: BTreeMap<i64, i64>,
}

impl OffsetSet {
    /// All offsets before this one.
    pub(super) const fn before(position: i64) -> Self {
        Self {
            position,
            ranges: BTreeMap::new(),
        }
    }

    /// The first offset that is not in the set.
    pub(super) const fn position(&self) -> i64 {
        self.position
    }

    pub(super) fn contains(&self, offset: i64) -> bool {
        let found = self.ranges.range(..=offset).next_back();
        offset < self.position || found.is_some_and(|(_, &end)| offset < end)
    }

    pub(super) fn insert(&mut self, offset: i64) {
        if self.contains(offset) {
            return;
        }
        let end = self.ranges.remove(&(offset + 1)).unwrap_or(offset + 1);
        match self.ranges.range_mut(..offset).next_back() {
            Some((_, before)) if *before == offset => *before = end,
            _ => drop(self.ranges.insert(offset, end)),
        }
        self.join();
    }

    /// Takes in everything before this offset, because there is nothing any more.
    pub(super) fn raise(&mut self, low: i64) {
        self.position = self.position.max(low);
        self.join();
    }

    /// Moves the position behind the ranges that it has reached.
    fn join(&mut self) {
        while let Some((&start, &end)) = self.ranges.first_key_value() {
            if start > self.position {
                return;
            }
            self.position = self.position.max(end);
            self.ranges.pop_first();
        }
    }

    /// The text for the commit; `None` when the ranges are too many for it.
    pub(super) fn to_metadata(&self) -> Option<String> {
        if self.ranges.is_empty() {
            return Some(String::new());
        }
        let mut text = MARK.to_owned();
        let mut at = self.position;
        for (&start, &end) in &self.ranges {
            push_number(&mut text, start.abs_diff(at));
            push_number(&mut text, end.abs_diff(start));
            at = end;
            if text.len() > METADATA_BYTES_MAX {
                return None;
            }
        }
        Some(text)
    }

    /// The set that was committed; a text that is none of ours stands for no ranges.
    pub(super) fn from_commit(position: i64, metadata: &str) -> Self {
        let mut set = Self::before(position);
        let Some(digits) = metadata.strip_prefix(MARK) else {
            return set;
        };
        let mut digits = digits.bytes();
        let mut at = position;
        while let (Some(gap), Some(run)) = (next_number(&mut digits), next_number(&mut digits)) {
            let start = at.saturating_add_unsigned(gap);
            at = start.saturating_add_unsigned(run);
            set.ranges.insert(start, at);
        }
        set
    }
}

fn push_number(text: &mut String, mut number: u64) {
    loop {
        let low = number % MORE;
        number >>= BITS;
        let digit = if number > 0 { low | MORE } else { low };
        text.push(char::from(DIGITS[digit as usize]));
        if number == 0 {
            return;
        }
    }
}

fn next_number(digits: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut number = 0_u64;
    for place in 0..=u64::BITS / BITS {
        let byte = digits.next()?;
        let digit = DIGITS.iter().position(|&known| known == byte)? as u64;
        number |= (digit % MORE).checked_shl(place * BITS)?;
        if digit < MORE {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(position: i64, offsets: impl IntoIterator<Item = i64>) -> OffsetSet {
        let mut set = OffsetSet::before(position);
        offsets.into_iter().for_each(|offset| set.insert(offset));
        set
    }

    #[test]
    fn the_position_follows_what_is_done_without_a_gap() {
        let mut done = set(10, [12, 11, 15]);
        assert_eq!(done.position(), 10);
        assert!([9, 11, 12, 15].iter().all(|&offset| done.contains(offset)));
        assert!(![10, 13, 14, 16].iter().any(|&offset| done.contains(offset)));
        done.insert(10);
        assert_eq!(done.position(), 13);
        done.raise(14);
        assert_eq!(done, OffsetSet::before(14).with(15));
        done.insert(14);
        assert_eq!(done, OffsetSet::before(16));
    }

    impl OffsetSet {
        fn with(mut self, offset: i64) -> Self {
            self.insert(offset);
            self
        }
    }

    #[test]
    fn a_commit_brings_back_what_was_done_in_any_order() {
        let mut offsets: Vec<i64> = (0..5_000).filter(|n| n % 7 != 3 && n % 31 != 0).collect();
        fastrand::Rng::with_seed(1).shuffle(&mut offsets);
        let done = set(0, offsets.iter().copied());
        let text = done.to_metadata().unwrap();
        assert!(text.len() < METADATA_BYTES_MAX, "{}", text.len());
        assert_eq!(OffsetSet::from_commit(done.position(), &text), done);
        let far = set(5, [1 << 40, i64::MAX - 1]);
        assert_eq!(OffsetSet::from_commit(5, &far.to_metadata().unwrap()), far);
        assert_eq!(set(3, []).to_metadata().unwrap(), "");
    }

    #[test]
    fn a_set_that_no_commit_can_hold_is_known_as_such() {
        assert!(set(0, (1..7_000).step_by(2)).to_metadata().is_none());
    }

    #[test]
    fn a_text_of_somebody_else_stands_for_nothing() {
        for text in [
            "",
            "hello",
            "done:",
            "done:A",
            "done:!!",
            "done:gggggggggggggggggggg",
        ] {
            let read = OffsetSet::from_commit(4, text);
            assert_eq!(read, OffsetSet::before(4), "{text}");
        }
    }
}
