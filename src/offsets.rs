//! Sets of offsets of one partition; pure. Offsets come in long runs, so a set is its runs.

use std::fmt;
use std::ops::Range;

/// A set of offsets: ranges in ascending order that neither overlap nor touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offsets(Vec<Range<i64>>);

impl Offsets {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> i64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest one.
    #[must_use]
    pub fn first(&self) -> Option<i64> {
        self.0.first().map(|range| range.start)
    }

    /// The runs, ascending.
    #[must_use]
    pub fn ranges(&self) -> &[Range<i64>] {
        &self.0
    }

    /// What is in either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        self.0.iter().chain(&other.0).cloned().collect()
    }

    /// What is in this one and within the range.
    #[must_use]
    pub fn within(&self, range: &Range<i64>) -> Self {
        self.0
            .iter()
            .map(|own| own.start.max(range.start)..own.end.min(range.end))
            .collect()
    }

    /// What is in this one and not in the other.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut others = other.0.iter().peekable();
        for range in &self.0 {
            let mut start = range.start;
            while let Some(taken) = others.peek() {
                if taken.start >= range.end {
                    break;
                }
                left.push(start..taken.start);
                start = start.max(taken.end);
                if taken.end > range.end {
                    break;
                }
                others.next();
            }
            left.push(start..range.end);
        }
        left.into_iter().collect()
    }
}

impl From<Range<i64>> for Offsets {
    fn from(range: Range<i64>) -> Self {
        [range].into_iter().collect()
    }
}

/// Ranges in any order, overlapping or empty.
impl FromIterator<Range<i64>> for Offsets {
    fn from_iter<I: IntoIterator<Item = Range<i64>>>(ranges: I) -> Self {
        let mut ranges: Vec<_> = ranges
            .into_iter()
            .filter(|range| !range.is_empty())
            .collect();
        ranges.sort_unstable_by_key(|range| range.start);
        let mut merged: Vec<Range<i64>> = Vec::with_capacity(ranges.len().min(16));
        for range in ranges {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        Self(merged)
    }
}

/// As PostgreSQL writes a multirange: `{[0,5),[7,9)}`.
impl fmt::Display for Offsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (place, range) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}[{},{})", range.start, range.end)?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn members(offsets: &Offsets) -> BTreeSet<i64> {
        offsets.ranges().iter().cloned().flatten().collect()
    }

    #[test]
    fn it_is_written_as_postgresql_writes_it() {
        let offsets: Offsets = [7..9, 0..3, 3..5, 8..8].into_iter().collect();
        assert_eq!(offsets.to_string(), "{[0,5),[7,9)}");
        assert_eq!(Offsets::default().to_string(), "{}");
    }

    fn some_ranges() -> impl Strategy<Value = Vec<Range<i64>>> {
        vec(
            (0..40_i64, 0..8_i64).prop_map(|(start, length)| start..start + length),
            0..8,
        )
    }

    proptest! {
        #[test]
        fn it_counts_and_combines_as_a_set_does(left in some_ranges(), right in some_ranges(), cut in (0..40_i64, 0..20_i64)) {
            let (left, right): (Offsets, Offsets) = (left.into_iter().collect(), right.into_iter().collect());
            let (in_left, in_right) = (members(&left), members(&right));
            let cut = cut.0..cut.0 + cut.1;
            prop_assert_eq!(left.len(), in_left.len() as i64);
            prop_assert_eq!(left.first(), in_left.first().copied());
            prop_assert_eq!(members(&left.or(&right)), in_left.union(&in_right).copied().collect::<BTreeSet<_>>());
            prop_assert_eq!(members(&left.without(&right)), in_left.difference(&in_right).copied().collect::<BTreeSet<_>>());
            prop_assert_eq!(members(&left.within(&cut)), in_left.iter().copied().filter(|n| cut.contains(n)).collect::<BTreeSet<_>>());
            let minus = left.without(&right);
            prop_assert!(minus.ranges().windows(2).all(|pair| pair[0].end < pair[1].start), "{}", minus);
        }
    }
}
