//! The figures of one question over all its sessions, attempt by attempt: what 8.14 shows and 8.15 lists.

use std::collections::BTreeMap;

use sqlx::types::Json;

use super::number::Hundredths;

/// A row of the function `question_figures`; the counts are of attempts.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct QuestionFigures {
    /// Sessions in which the question was published.
    pub(super) sessions: i64,
    pub(super) attempts: i64,
    pub(super) graded: i64,
    pub(super) correct: i64,
    pub(super) timed: i64,
    latency_us: i64,
    distribution: Json<BTreeMap<String, i64>>,
}

impl QuestionFigures {
    pub(super) fn accuracy(&self) -> Hundredths {
        Hundredths::percent(self.correct, self.graded)
    }

    /// Mean seconds from publication to attempt.
    pub(super) fn seconds(&self) -> Hundredths {
        Hundredths::mean_seconds(self.latency_us, self.timed)
    }

    /// `Unrated` as long as nothing could be graded.
    pub(super) fn difficulty_rating(&self) -> &'static str {
        let accuracy = self.accuracy();
        if self.graded == 0 {
            "Unrated"
        } else if accuracy.at_least(80) {
            "Easy"
        } else if accuracy.at_least(60) {
            "Medium"
        } else if accuracy.at_least(40) {
            "Hard"
        } else {
            "Very Hard"
        }
    }

    /// Attempts per answer text, as sent.
    pub(super) fn into_distribution(self) -> BTreeMap<String, i64> {
        self.distribution.0
    }
}
