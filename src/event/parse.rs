//! From what a client sent to an [`Event`], once and for both write paths.

use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use time::{Duration, OffsetDateTime, UtcOffset};
use uuid::Uuid;

use super::invalid::{Fault, InvalidEvent};
use super::wire_in::{EventIn, Key, Scalar};
use super::{Event, EventId, Fact, type_name};
use crate::tenant::Tenant;

/// How far a client's clock may be ahead of the server's.
pub const MAX_CLOCK_AHEAD: Duration = Duration::hours(24);

/// Longest event type quoted back in a refusal, in characters.
const QUOTED_CHARS_MAX: usize = 100;

/// What the server adds to an event: whose it is, and when it came.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// Whose event it is, proven by token or envelope.
    pub tenant: Tenant,
    /// The server's clock when the event came in.
    pub received_at: OffsetDateTime,
}

impl EventIn<'_> {
    /// The first field that every event of this type must have and this one lacks.
    ///
    /// Checked before anything else; in a batch it is the one fault that fails the whole batch.
    pub fn missing_common_field(&self) -> Option<InvalidEvent> {
        let common = [
            Key::EventId,
            Key::EventType,
            Key::Timestamp,
            Key::SessionId,
            Key::QuizId,
            Key::ClassroomId,
        ];
        // The original asked every type for a question; a session's start and end have no use for one.
        let question = match self.get(Key::EventType) {
            Scalar::Text(name)
                if *name == type_name::SESSION_STARTED || *name == type_name::SESSION_ENDED =>
            {
                None
            }
            _ => Some(Key::QuestionId),
        };
        common
            .into_iter()
            .chain(question)
            .find(|key| self.is_absent(*key))
            .map(|key| InvalidEvent::in_field(key.name(), Fault::Missing))
    }

    /// Checks every rule of the contract.
    ///
    /// # Errors
    /// The first rule that is broken, with the field at fault.
    pub fn parse(&self, origin: Origin) -> Result<Event, InvalidEvent> {
        if let Some(field) = self.repeated() {
            return Err(InvalidEvent::in_field(field, Fault::Repeated));
        }
        if let Some(missing) = self.missing_common_field() {
            return Err(missing);
        }
        let event_id = EventId::parse(self.required_text(Key::EventId)?)?;
        let fact = match self.required_text(Key::EventType)? {
            type_name::SESSION_STARTED => Fact::SessionStarted,
            type_name::SESSION_ENDED => Fact::SessionEnded,
            type_name::QUESTION_PUBLISHED => Fact::QuestionPublished {
                question_id: self.required_uuid(Key::QuestionId)?,
                teacher_id: self.optional_uuid(Key::TeacherId)?,
                timer_sec: self.optional_integer(Key::TimerSec, 1)?,
                correct_answer: self.optional_text(Key::CorrectAnswer)?.map(Into::into),
            },
            type_name::ANSWER_SUBMITTED => Fact::AnswerSubmitted {
                question_id: self.required_uuid(Key::QuestionId)?,
                student_id: self.required_uuid(Key::StudentId)?,
                answer: self.required_text(Key::Answer)?.into(),
                response_time_ms: self.optional_integer(Key::ResponseTimeMs, 0)?,
            },
            unknown => {
                let quoted = unknown.chars().take(QUOTED_CHARS_MAX).collect();
                return Err(InvalidEvent::in_field(
                    Key::EventType.name(),
                    Fault::UnknownType(quoted),
                ));
            }
        };
        Ok(Event {
            tenant: origin.tenant,
            event_id,
            session_id: self.required_uuid(Key::SessionId)?,
            quiz_id: self.required_uuid(Key::QuizId)?,
            classroom_id: self.required_uuid(Key::ClassroomId)?,
            occurred_at: self.occurred_at(origin.received_at)?,
            received_at: origin.received_at,
            fact,
        })
    }

    fn occurred_at(&self, received_at: OffsetDateTime) -> Result<OffsetDateTime, InvalidEvent> {
        let fault = |fault| InvalidEvent::in_field(Key::Timestamp.name(), fault);
        let at = OffsetDateTime::parse(self.required_text(Key::Timestamp)?, &Rfc3339)
            .map_err(|_| fault(Fault::NotATimestamp))?;
        // Reports write times as RFC 3339, which has no years before 0.
        if at < datetime!(0001-01-01 00:00 UTC) {
            return Err(fault(Fault::TooEarly));
        }
        if at > received_at.saturating_add(MAX_CLOCK_AHEAD) {
            return Err(fault(Fault::InTheFuture));
        }
        Ok(to_microsecond(at))
    }

    fn is_absent(&self, key: Key) -> bool {
        match self.get(key) {
            Scalar::Absent => true,
            Scalar::Text(text) => text.is_empty(),
            Scalar::Integer(_) | Scalar::Other => false,
        }
    }

    /// An empty text counts as absent: clients send one for an optional field that they have not set.
    fn optional_text(&self, key: Key) -> Result<Option<&str>, InvalidEvent> {
        let fault = |fault| InvalidEvent::in_field(key.name(), fault);
        match self.get(key) {
            Scalar::Absent => Ok(None),
            Scalar::Text(text) if text.is_empty() => Ok(None),
            Scalar::Text(text) if text.contains('\0') => Err(fault(Fault::Nul)),
            Scalar::Text(text) => Ok(Some(text)),
            Scalar::Integer(_) | Scalar::Other => Err(fault(Fault::WrongType {
                expected: "a string",
            })),
        }
    }

    fn required_text(&self, key: Key) -> Result<&str, InvalidEvent> {
        self.optional_text(key)?
            .ok_or(InvalidEvent::in_field(key.name(), Fault::Missing))
    }

    fn optional_uuid(&self, key: Key) -> Result<Option<Uuid>, InvalidEvent> {
        self.optional_text(key)?
            .map(|text| {
                Uuid::try_parse(text)
                    .map_err(|_| InvalidEvent::in_field(key.name(), Fault::NotAUuid))
            })
            .transpose()
    }

    fn required_uuid(&self, key: Key) -> Result<Uuid, InvalidEvent> {
        self.optional_uuid(key)?
            .ok_or(InvalidEvent::in_field(key.name(), Fault::Missing))
    }

    fn optional_integer(&self, key: Key, min: i32) -> Result<Option<i32>, InvalidEvent> {
        let fault = |fault| InvalidEvent::in_field(key.name(), fault);
        match self.get(key) {
            Scalar::Absent => Ok(None),
            Scalar::Integer(number) => i32::try_from(*number)
                .ok()
                .filter(|number| *number >= min)
                .map(Some)
                .ok_or_else(|| {
                    fault(Fault::OutOfRange {
                        min: i64::from(min),
                        max: i64::from(i32::MAX),
                    })
                }),
            Scalar::Text(_) | Scalar::Other => Err(fault(Fault::WrongType {
                expected: "an integer",
            })),
        }
    }
}

/// PostgreSQL keeps microseconds; cutting here makes both write paths and every comparison agree.
fn to_microsecond(at: OffsetDateTime) -> OffsetDateTime {
    let nanos_below = at.nanosecond() % 1_000;
    at - Duration::nanoseconds(i64::from(nanos_below))
}

/// RFC 3339 with the event's own offset, trailing zeros of the fraction cut.
pub(super) fn timestamp_text(at: OffsetDateTime) -> String {
    // Parsing admits only years 1 to 9999 and offsets of whole minutes, all of which the format can write.
    at.format(&Rfc3339)
        .or_else(|_| at.to_offset(UtcOffset::UTC).format(&Rfc3339))
        .unwrap_or_else(|_| at.unix_timestamp().to_string())
}

impl Event {
    /// When it happened, as RFC 3339 with the client's offset; trailing zeros of the fraction are cut.
    pub fn timestamp_text(&self) -> String {
        timestamp_text(self.occurred_at)
    }
}

#[cfg(test)]
mod tests;
