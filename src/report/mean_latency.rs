//! The mean latency of a student's answers, as the reports on students show it.

use serde::Serialize;
use time::Duration;

use super::duration;
use super::number::{Hundredths, round_div};

/// Two fields of a report or of a row, the same figure as text and as a number.
#[derive(Debug, Serialize)]
pub struct MeanLatency {
    /// A duration in whole milliseconds, `N/A` where no answer has a latency.
    average_response_time: String,
    average_response_time_seconds: Option<Hundredths>,
}

impl MeanLatency {
    /// Of so many latencies, given their sum.
    pub fn of(latency_us: i64, timed: i64) -> Self {
        if timed == 0 {
            return Self {
                average_response_time: "N/A".to_owned(),
                average_response_time_seconds: None,
            };
        }
        let (sum_us, count) = (i128::from(latency_us), i128::from(timed));
        let milliseconds = round_div(sum_us, count * 1_000);
        Self {
            average_response_time: duration::to_text(Duration::milliseconds(milliseconds)),
            average_response_time_seconds: Some(Hundredths::ratio(sum_us, count * 1_000_000)),
        }
    }
}
