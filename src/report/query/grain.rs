//! Where the cells come from: the answers themselves, or the figures of sessions where these tell as much.

use std::ops::BitOr;

/// What of an answer a query must be able to tell apart, beside the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) question: bool,
    pub(super) student: bool,
    answer: bool,
}

impl Keys {
    /// Every grain knows the session.
    pub(super) const SESSION: Self = Self {
        question: false,
        student: false,
        answer: false,
    };
    pub(super) const QUESTION: Self = Self {
        question: true,
        ..Self::SESSION
    };
    pub(super) const STUDENT: Self = Self {
        student: true,
        ..Self::SESSION
    };
    /// Something that only the single answer has.
    pub(super) const ANSWER: Self = Self {
        answer: true,
        ..Self::SESSION
    };
}

impl BitOr for Keys {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            question: self.question | other.question,
            student: self.student | other.student,
            answer: self.answer | other.answer,
        }
    }
}

/// One row stands for…
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grain {
    /// the answers of a session
    Session,
    /// the answers of a student in a session
    Student,
    /// the answers to a question in a session
    Question,
    /// one answer.
    Answer,
}

impl Grain {
    pub(super) const ALL: [Self; 4] = [Self::Session, Self::Student, Self::Question, Self::Answer];

    /// The coarsest grain that tells these apart.
    pub(super) fn of(keys: Keys) -> Self {
        match keys {
            Keys { answer: true, .. } => Self::Answer,
            Keys {
                question: true,
                student: true,
                ..
            } => Self::Answer,
            Keys { question: true, .. } => Self::Question,
            Keys { student: true, .. } => Self::Student,
            _ => Self::Session,
        }
    }

    /// The name of the cells in the text.
    pub(super) fn cells(self) -> &'static str {
        match self {
            Self::Session => "by_session",
            Self::Student => "by_student",
            Self::Question => "by_question",
            Self::Answer => "by_answer",
        }
    }

    /// The alias that has the session's own columns.
    pub(super) fn session(self) -> &'static str {
        match self {
            Self::Answer => "s",
            _ => "a",
        }
    }

    /// The rows, called `a`. The figures also have sessions and questions without an answer, which no group may count.
    pub(super) fn source(self) -> &'static str {
        match self {
            Self::Session => "(SELECT * FROM session_figures WHERE answers > 0) a",
            Self::Student => "(SELECT * FROM session_students WHERE answers > 0) a",
            Self::Question => "(SELECT * FROM session_questions WHERE answers > 0) a",
            Self::Answer => "answers a",
        }
    }
}

/// What a cell adds up over its answers. The names are those of the sessions' figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    Answers,
    Graded,
    Correct,
    Timed,
    LatencyUs,
    LeastLatencyUs,
    Attempts,
    Responses,
    ResponseUs,
    LeastResponseUs,
    GreatestResponseUs,
    PublishedAnswered,
}

const LATENCY_US: &str = "(extract(epoch FROM a.submitted_at - r.published_at) * 1000000)::bigint";

impl Column {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Graded => "graded",
            Self::Correct => "correct",
            Self::Timed => "timed",
            Self::LatencyUs => "latency_us",
            Self::LeastLatencyUs => "least_latency_us",
            Self::Attempts => "attempts",
            Self::Responses => "responses",
            Self::ResponseUs => "response_us",
            Self::LeastResponseUs => "least_response_us",
            Self::GreatestResponseUs => "greatest_response_us",
            Self::PublishedAnswered => "published_answered",
        }
    }

    /// Whether the sum over some answers can be taken off the sum over all.
    pub(super) fn can_be_subtracted(self) -> bool {
        !matches!(
            self,
            Self::LeastLatencyUs
                | Self::LeastResponseUs
                | Self::GreatestResponseUs
                | Self::Attempts
        )
    }

    /// The sum over single answers; the sessions' figures have it ready.
    pub(super) fn sum_sql(self) -> String {
        let response_us = format!("coalesce(a.response_time_ms * 1000::bigint, {LATENCY_US})");
        match self {
            Self::Answers => "count(*)".to_owned(),
            Self::Graded => "count(is_correct(a.answer, k.key))".to_owned(),
            Self::Correct => "count(*) FILTER (WHERE is_correct(a.answer, k.key))".to_owned(),
            Self::Timed => "count(r.published_at)".to_owned(),
            Self::LatencyUs => format!("sum({LATENCY_US})"),
            Self::LeastLatencyUs => format!("min({LATENCY_US})"),
            Self::Attempts => "sum(1 + coalesce(er.attempts, 0))".to_owned(),
            Self::Responses => format!("count({response_us})"),
            Self::ResponseUs => format!("sum({response_us})"),
            Self::LeastResponseUs => format!("min({response_us})"),
            Self::GreatestResponseUs => format!("max({response_us})"),
            Self::PublishedAnswered => "count(pq.question_id)".to_owned(),
        }
    }
}
