//! The event: what happened in a live quiz, already checked.
//!
//! Owns the rules of what an event is, pure and without I/O, so that the HTTP server and the consumer agree on
//! them: an [`Event`] is made from a client's JSON by [`EventIn::parse`], and [`envelope`] reads the topic's records
//! through the same door. Knows nothing of HTTP, SQL or Kafka.

pub mod batch;
pub mod envelope;
mod id;
mod invalid;
mod parse;
mod wire_in;

use time::OffsetDateTime;
use uuid::Uuid;

pub use self::id::EventId;
pub use self::invalid::{Fault, InvalidEvent};
pub use self::parse::{MAX_CLOCK_AHEAD, Origin};
pub use self::wire_in::EventIn;
pub(crate) use self::wire_in::Scalar;
use crate::tenant::Tenant;

/// One event that satisfies every rule of the contract.
///
/// Copies of one event (same tenant, session and event id) are taken to be equal; the first one stored wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whose event it is.
    pub tenant: Tenant,
    /// Unique within the session.
    pub event_id: EventId,
    /// The session it happened in.
    pub session_id: Uuid,
    /// The quiz that the client names; the session's own start decides.
    pub quiz_id: Uuid,
    /// The classroom that the client names; the session's own start decides.
    pub classroom_id: Uuid,
    /// When it happened, by the client's clock, with the client's offset, to the microsecond.
    pub occurred_at: OffsetDateTime,
    /// When the server accepted it, by the server's clock, in UTC.
    pub received_at: OffsetDateTime,
    /// What happened.
    pub fact: Fact,
}

/// What happened, with the fields that only this type of event has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A session began.
    SessionStarted,
    /// A session ended.
    SessionEnded,
    /// A question was put to the class; publishing it again opens a new round.
    QuestionPublished {
        /// The question.
        question_id: Uuid,
        /// Who published it, where the client says so.
        teacher_id: Option<Uuid>,
        /// Whole seconds to answer, at least 1; `None` is no time limit.
        timer_sec: Option<i32>,
        /// An answer key that the publication brings along.
        correct_answer: Option<Box<str>>,
    },
    /// A student answered.
    AnswerSubmitted {
        /// The question.
        question_id: Uuid,
        /// Who answered.
        student_id: Uuid,
        /// A letter or the full answer text, as sent.
        answer: Box<str>,
        /// Milliseconds, measured by the client.
        response_time_ms: Option<i32>,
    },
}

/// The types of events, by their names on the wire.
pub mod type_name {
    /// A session began.
    pub const SESSION_STARTED: &str = "SESSION_STARTED";
    /// A session ended.
    pub const SESSION_ENDED: &str = "SESSION_ENDED";
    /// A question was put to the class.
    pub const QUESTION_PUBLISHED: &str = "QUESTION_PUBLISHED";
    /// A student answered.
    pub const ANSWER_SUBMITTED: &str = "ANSWER_SUBMITTED";
    /// All of them.
    pub const ALL: [&str; 4] = [
        SESSION_STARTED,
        SESSION_ENDED,
        QUESTION_PUBLISHED,
        ANSWER_SUBMITTED,
    ];
}

impl Event {
    /// The name of the event's type on the wire.
    pub fn type_name(&self) -> &'static str {
        match self.fact {
            Fact::SessionStarted => type_name::SESSION_STARTED,
            Fact::SessionEnded => type_name::SESSION_ENDED,
            Fact::QuestionPublished { .. } => type_name::QUESTION_PUBLISHED,
            Fact::AnswerSubmitted { .. } => type_name::ANSWER_SUBMITTED,
        }
    }

    /// The question that the event is about, if it is about one.
    pub fn question_id(&self) -> Option<Uuid> {
        match self.fact {
            Fact::QuestionPublished { question_id, .. }
            | Fact::AnswerSubmitted { question_id, .. } => Some(question_id),
            Fact::SessionStarted | Fact::SessionEnded => None,
        }
    }
}
