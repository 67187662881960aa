//! Numbers as the contract sends them: exact until the end, rounded once, half away from zero, two decimals.

use serde::{Serialize, Serializer};

/// How many of how many.
pub type Share = (i64, i64);

/// The share as a fraction that can be calculated with: of nothing it is 0.
pub fn fraction((part, whole): Share) -> (i128, i128) {
    match whole {
        0 => (0, 1),
        _ => (part.into(), whole.into()),
    }
}

/// A number with two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Hundredths(i64);

impl Hundredths {
    /// `numerator` ÷ `denominator`; 0 where the denominator is 0.
    pub fn ratio(numerator: i128, denominator: i128) -> Self {
        Self(round_div(numerator * 100, denominator))
    }

    /// `part` of `whole` as a percentage; 0 where the whole is 0.
    pub fn percent(part: i64, whole: i64) -> Self {
        Self::ratio(i128::from(part) * 100, i128::from(whole))
    }

    /// The mean of two percentages, from their unrounded values.
    pub fn mean_percent(first: Share, second: Share) -> Self {
        let [(first_part, first_whole), (second_part, second_whole)] =
            [first, second].map(fraction);
        let sum = first_part * second_whole + second_part * first_whole;
        Self::ratio(sum * 100, 2 * first_whole * second_whole)
    }

    /// The mean in seconds of so many durations with this sum; 0 where there are none.
    pub fn mean_seconds(sum_us: i64, count: i64) -> Self {
        Self::ratio(i128::from(sum_us), i128::from(count) * 1_000_000)
    }

    /// Whether the number is at least this whole number: the labels are chosen from the rounded value.
    pub fn at_least(self, whole: i64) -> bool {
        self.0 >= whole * 100
    }

    /// Whether the number is at most this whole number.
    pub fn at_most(self, whole: i64) -> bool {
        self.0 <= whole * 100
    }

    /// The number times 100, as stored; the way in for figures that SQL has rounded.
    pub fn from_hundredths(hundredths: i64) -> Self {
        Self(hundredths)
    }
}

/// Divides and rounds half away from zero; 0 where the denominator is 0.
pub fn round_div(numerator: i128, denominator: i128) -> i64 {
    if denominator == 0 {
        return 0;
    }
    let (numerator, denominator) = if denominator < 0 {
        (-numerator, -denominator)
    } else {
        (numerator, denominator)
    };
    let half = if numerator < 0 {
        -denominator
    } else {
        denominator
    };
    i64::try_from((2 * numerator + half) / (2 * denominator)).unwrap_or(i64::MAX)
}

impl Serialize for Hundredths {
    /// Whole numbers are written without a point, as the original wrote them.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 100 == 0 {
            serializer.serialize_i64(self.0 / 100)
        } else {
            #[expect(
                clippy::cast_precision_loss,
                reason = "figures have far fewer than 15 digits"
            )]
            serializer.serialize_f64(self.0 as f64 / 100.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: Hundredths) -> String {
        serde_json::to_string(&number).unwrap()
    }

    #[test]
    fn two_decimals_are_rounded_half_away_from_zero() {
        assert_eq!(text(Hundredths::percent(2, 3)), "66.67");
        assert_eq!(text(Hundredths::percent(5, 8)), "62.5");
        assert_eq!(text(Hundredths::ratio(1, 8)), "0.13");
        assert_eq!(text(Hundredths::ratio(-1, 8)), "-0.13");
        assert_eq!(text(Hundredths::percent(1, 1)), "100");
    }

    #[test]
    fn the_mean_of_two_percentages_is_rounded_once() {
        assert_eq!(text(Hundredths::mean_percent((1, 3), (2, 3))), "50");
        // 0.005 and 0: 0.0025, where the rounded 0.01 would make 0.01.
        assert_eq!(text(Hundredths::mean_percent((1, 20_000), (0, 1))), "0");
        assert_eq!(text(Hundredths::mean_percent((1, 1), (0, 0))), "50");
    }

    #[test]
    fn a_mean_of_durations_is_in_seconds() {
        assert_eq!(text(Hundredths::mean_seconds(45_000_000, 4)), "11.25");
        assert_eq!(text(Hundredths::mean_seconds(0, 0)), "0");
    }

    #[test]
    fn a_ratio_to_nothing_is_zero() {
        assert_eq!(text(Hundredths::percent(5, 0)), "0");
    }
}
