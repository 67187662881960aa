//! Whether a percentage rose or fell: by 5 points at least, or it is level.

use super::number::{Share, fraction};

/// How the newer of two percentages stands to the older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trend {
    /// At least 5 points higher.
    Up,
    /// At least 5 points lower.
    Down,
    /// In between.
    Level,
}

impl Trend {
    /// Compares without rounding; a share of nothing is 0 %.
    pub fn between(older: Share, newer: Share) -> Self {
        let [(older_part, older_whole), (newer_part, newer_whole)] = [older, newer].map(fraction);
        let points = 100 * (newer_part * older_whole - older_part * newer_whole);
        let five_points = 5 * older_whole * newer_whole;
        if points >= five_points {
            Self::Up
        } else if points <= -five_points {
            Self::Down
        } else {
            Self::Level
        }
    }
}

/// The graded answers of a student in the order of time, cut in half; the row of `classroom_student_halves`.
#[derive(Debug, Default, sqlx::FromRow)]
pub struct Halves {
    older_graded: i64,
    older_correct: i64,
    newer_graded: i64,
    newer_correct: i64,
}

impl Halves {
    /// Fewest graded answers that show a trend.
    const ANSWERS_MIN: i64 = 4;

    /// The word for the student's accuracy over time.
    pub fn trend(&self) -> &'static str {
        if self.older_graded + self.newer_graded < Self::ANSWERS_MIN {
            return "insufficient_data";
        }
        let older = (self.older_correct, self.older_graded);
        match Trend::between(older, (self.newer_correct, self.newer_graded)) {
            Trend::Up => "improving",
            Trend::Down => "declining",
            Trend::Level => "stable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_points_make_a_trend_and_less_does_not() {
        for (older, newer, trend) in [
            ((10, 20), (11, 20), Trend::Up),
            ((11, 20), (10, 20), Trend::Down),
            ((50, 100), (54, 100), Trend::Level),
            ((54, 100), (50, 100), Trend::Level),
            // 4.9999 points would be 5.00 when rounded.
            ((0, 1), (49_999, 1_000_000), Trend::Level),
            ((0, 0), (1, 20), Trend::Up),
            ((1, 20), (0, 0), Trend::Down),
            ((0, 0), (0, 0), Trend::Level),
        ] {
            assert_eq!(Trend::between(older, newer), trend, "{older:?} {newer:?}");
        }
    }
}
