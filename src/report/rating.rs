//! Words for figures, where several reports use the same: 8.20 for a classroom, 8.21 for one student.

use super::number::Hundredths;

pub(super) fn performance_level(accuracy: Hundredths) -> &'static str {
    if accuracy.at_least(90) {
        "excellent"
    } else if accuracy.at_least(75) {
        "good"
    } else if accuracy.at_least(60) {
        "satisfactory"
    } else if accuracy.at_least(40) {
        "needs_improvement"
    } else {
        "poor"
    }
}

/// By the mean over so many latencies.
pub(super) fn response_speed(seconds: Hundredths, latencies: i64) -> &'static str {
    if latencies == 0 {
        "no_data"
    } else if seconds.at_most(10) {
        "very_fast"
    } else if seconds.at_most(30) {
        "fast"
    } else if seconds.at_most(60) {
        "moderate"
    } else if seconds.at_most(120) {
        "slow"
    } else {
        "very_slow"
    }
}
