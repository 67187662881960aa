//! One event as a client sent it: JSON that is well formed, and nothing more.
//!
//! Values are taken as whatever scalar they are, so that a value of a wrong type is a fault of *its field* and not
//! an unreadable body; [`EventIn::parse`](super::parse) does the judging.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::invalid::{Fault, InvalidEvent};

/// A well-formed JSON object that claims to be an event; unknown keys are dropped.
#[derive(Debug, Default)]
pub struct EventIn<'a> {
    fields: [Scalar<'a>; FIELDS.len()],
    repeated: Option<&'static str>,
}

/// The keys of contract section 3.1, in the order of [`Key`].
const FIELDS: [&str; 13] = [
    "event_id",
    "event_type",
    "timestamp",
    "session_id",
    "quiz_id",
    "classroom_id",
    "question_id",
    "teacher_id",
    "timer_sec",
    "student_id",
    "answer",
    "response_time_ms",
    "correct_answer",
];

#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
pub(super) enum Key {
    EventId,
    EventType,
    Timestamp,
    SessionId,
    QuizId,
    ClassroomId,
    QuestionId,
    TeacherId,
    TimerSec,
    StudentId,
    Answer,
    ResponseTimeMs,
    CorrectAnswer,
    #[serde(other)]
    Unknown,
}

impl Key {
    pub(super) fn name(self) -> &'static str {
        FIELDS[self as usize]
    }
}

/// A JSON value, as far as an event can use it.
#[derive(Debug, Default)]
pub(crate) enum Scalar<'a> {
    /// The key is absent, or its value is null.
    #[default]
    Absent,
    Text(Cow<'a, str>),
    Integer(i64),
    /// A fraction, a boolean, an array, an object, or an integer that no field can hold.
    Other,
}

impl<'a> EventIn<'a> {
    /// Reads one JSON object.
    ///
    /// # Errors
    /// If the bytes are not JSON, or JSON of another kind than an object.
    pub fn from_json(json: &'a [u8]) -> Result<Self, InvalidEvent> {
        serde_json::from_slice(json).map_err(|error| {
            // Every value is taken, so the only data error left is that the whole is no object.
            InvalidEvent::whole(match error.classify() {
                serde_json::error::Category::Data => Fault::NotAnObject,
                _ => Fault::BrokenJson(error.to_string()),
            })
        })
    }

    /// The event id as sent, for naming the event in an answer even when it is refused.
    pub fn event_id(&self) -> Option<&str> {
        match self.get(Key::EventId) {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The timestamp as sent.
    pub fn timestamp(&self) -> Option<&str> {
        match self.get(Key::Timestamp) {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn get(&self, key: Key) -> &Scalar<'a> {
        &self.fields[key as usize]
    }

    pub(super) fn repeated(&self) -> Option<&'static str> {
        self.repeated
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for EventIn<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = EventIn<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut event = EventIn::default();
                let mut seen = [false; FIELDS.len()];
                while let Some(key) = map.next_key::<Key>()? {
                    if matches!(key, Key::Unknown) {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    if std::mem::replace(&mut seen[key as usize], true) {
                        event.repeated.get_or_insert(key.name());
                    }
                    event.fields[key as usize] = map.next_value()?;
                }
                Ok(event)
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;

        impl<'de> Visitor<'de> for ScalarVisitor {
            type Value = Scalar<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Scalar::Integer(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(i64::try_from(number).map_or(Scalar::Other, Scalar::Integer))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Scalar::Other)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Scalar::Other)
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Scalar::Absent)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }

        deserializer.deserialize_any(ScalarVisitor)
    }
}
