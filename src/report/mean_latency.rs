//! The mean latency of a student's answers, given the sum of so many.

use time::Duration;

use super::duration;
use super::number::{Hundredths, round_div};

/// As a duration in whole milliseconds; `N/A` of none.
pub fn text(latency_us: i64, timed: i64) -> String {
    if timed == 0 {
        return "N/A".to_owned();
    }
    let milliseconds = round_div(latency_us.into(), i128::from(timed) * 1_000);
    duration::to_text(Duration::milliseconds(milliseconds))
}

/// In seconds; nothing of none.
pub fn seconds(latency_us: i64, timed: i64) -> Option<Hundredths> {
    (timed > 0).then(|| Hundredths::ratio(latency_us.into(), i128::from(timed) * 1_000_000))
}
