//! The parts of a query: one for each kind of set that figures count over.

use super::grain::{Grain, Keys};

/// What a part counts over within each group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Answers. Always there, for every group has some.
    Answers,
    /// Answers with a response time.
    Responses,
    /// Students.
    Students,
    /// Sessions.
    Sessions,
    /// Students on the rosters of the sessions, each once.
    Rosters,
    /// Pairs of a session and a student on its roster who answered in it.
    Seats,
    /// Pairs of a session and a question.
    Questions,
    /// Questions published in the sessions, answered or not.
    Publications,
}

impl Part {
    /// What the part must be able to tell apart.
    pub(super) fn keys(self) -> Keys {
        match self {
            Self::Answers
            | Self::Responses
            | Self::Sessions
            | Self::Rosters
            | Self::Publications => Keys::SESSION,
            Self::Students | Self::Seats => Keys::STUDENT,
            Self::Questions => Keys::QUESTION,
        }
    }

    /// Where the part takes its cells from, when dimensions and filters need `keys`.
    pub(super) fn grain(self, keys: Keys) -> Grain {
        match self {
            // Only the figures by question keep response times.
            Self::Responses => Grain::of(keys | Keys::QUESTION),
            _ => Grain::of(keys | self.keys()),
        }
    }

    /// The session's id is a column of the cells if any part uses it.
    pub(super) fn uses_session(self) -> bool {
        !matches!(self, Self::Answers | Self::Responses | Self::Students)
    }
}
