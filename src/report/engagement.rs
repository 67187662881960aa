//! The engagement of a classroom over some of its sessions: what the figures of `classroom_engagement` come to.

use super::number::{Hundredths, Share};

/// Counts of one row of `classroom_engagement`; all zero where there was no session.
#[derive(Debug, Clone, Copy, Default, sqlx::FromRow)]
pub struct Engagement {
    /// Roster students with an answer.
    pub active_students: i64,
    graded: i64,
    correct: i64,
    /// Distinct published questions.
    pub questions: i64,
    answerable: i64,
    answered: i64,
}

impl Engagement {
    /// Active students of the roster.
    pub fn activity(self, roster_students: i64) -> Share {
        (self.active_students, roster_students)
    }

    /// Correct answers of the graded ones, guests included.
    pub fn accuracy(self) -> Share {
        (self.correct, self.graded)
    }

    /// Of the questions put to students of the roster who were active in that session, those they answered.
    pub fn response(self) -> Share {
        (self.answered, self.answerable)
    }
}

/// A share as the percentage that is sent.
pub fn percent((part, whole): Share) -> Hundredths {
    Hundredths::percent(part, whole)
}
