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
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2025-06-20 12:00 UTC);

    fn origin() -> Origin {
        Origin {
            tenant: Tenant::DEFAULT,
            received_at: NOW,
        }
    }

    fn answer() -> Value {
        json!({
            "event_id": "900e8400-e29b-41d4-a716-446655440060",
            "event_type": "ANSWER_SUBMITTED",
            "timestamp": "2025-06-20T10:01:00Z",
            "session_id": "900e8400-e29b-41d4-a716-446655440000",
            "quiz_id": "900e8400-e29b-41d4-a716-446655440010",
            "classroom_id": "900e8400-e29b-41d4-a716-446655440020",
            "question_id": "900e8400-e29b-41d4-a716-446655440030",
            "student_id": "900e8400-e29b-41d4-a716-446655440040",
            "answer": "B",
            "response_time_ms": 1200,
        })
    }

    fn with(field: &str, value: Value) -> Value {
        let mut event = answer();
        event[field] = value;
        event
    }

    fn publication(field: &str, value: Value) -> Value {
        let mut event = with(field, value);
        event["event_type"] = json!("QUESTION_PUBLISHED");
        event
    }

    fn parse(event: &Value) -> Result<Event, InvalidEvent> {
        EventIn::from_json(event.to_string().as_bytes()).and_then(|event| event.parse(origin()))
    }

    fn fault_of(event: &Value) -> (Option<&'static str>, &'static str) {
        let invalid = parse(event).unwrap_err();
        (invalid.field, invalid.code())
    }

    #[test]
    fn an_answer_is_taken_with_all_its_fields() {
        let event = parse(&answer()).unwrap();
        assert_eq!(event.type_name(), "ANSWER_SUBMITTED");
        assert_eq!(event.timestamp_text(), "2025-06-20T10:01:00Z");
        let Fact::AnswerSubmitted {
            answer,
            response_time_ms,
            ..
        } = event.fact
        else {
            panic!("{event:?}")
        };
        assert_eq!((&*answer, response_time_ms), ("B", Some(1200)));
    }

    #[test]
    fn each_common_field_is_required_absent_null_or_empty() {
        for field in [
            "event_id",
            "event_type",
            "timestamp",
            "session_id",
            "quiz_id",
            "classroom_id",
            "question_id",
        ] {
            for value in [Value::Null, json!("")] {
                assert_eq!(
                    fault_of(&with(field, value)),
                    (Some(field), "missing_field")
                );
            }
            let mut event = answer();
            event.as_object_mut().unwrap().remove(field);
            assert_eq!(fault_of(&event), (Some(field), "missing_field"));
        }
    }

    #[test]
    fn a_session_start_and_end_need_no_question() {
        for name in ["SESSION_STARTED", "SESSION_ENDED"] {
            let mut event = with("event_type", json!(name));
            event.as_object_mut().unwrap().remove("question_id");
            assert_eq!(parse(&event).unwrap().type_name(), name);
        }
    }

    #[test]
    fn an_answer_needs_a_student_and_an_answer() {
        for field in ["student_id", "answer"] {
            assert_eq!(
                fault_of(&with(field, Value::Null)),
                (Some(field), "missing_field")
            );
        }
    }

    #[test]
    fn every_id_but_the_event_id_must_be_a_uuid() {
        for field in [
            "session_id",
            "quiz_id",
            "classroom_id",
            "question_id",
            "student_id",
        ] {
            assert_eq!(
                fault_of(&with(field, json!("nope"))),
                (Some(field), "invalid_uuid")
            );
        }
        assert_eq!(
            fault_of(&publication("teacher_id", json!("nope"))),
            (Some("teacher_id"), "invalid_uuid")
        );
        assert_eq!(
            parse(&with("event_id", json!("test-001")))
                .unwrap()
                .event_id
                .to_text(),
            "test-001"
        );
    }

    #[test]
    fn a_uuid_is_taken_in_each_of_its_four_forms() {
        let id = Uuid::from_u128(0x900e8400_e29b_41d4_a716_446655440000);
        for text in [
            id.hyphenated().to_string(),
            id.simple().to_string(),
            id.braced().to_string(),
            id.urn().to_string(),
            id.to_string().to_uppercase(),
        ] {
            assert_eq!(
                parse(&with("session_id", json!(text))).unwrap().session_id,
                id,
                "{text}"
            );
        }
    }

    #[test]
    fn a_value_of_another_type_is_a_fault_of_its_field() {
        for value in [
            json!(5),
            json!(1.5),
            json!(true),
            json!([1, [2]]),
            json!({"a": {"b": 1}}),
        ] {
            assert_eq!(
                fault_of(&with("answer", value.clone())),
                (Some("answer"), "wrong_type"),
                "{value}"
            );
        }
        for value in [json!("60"), json!(60.0), json!(1e30), json!([])] {
            let fault = fault_of(&publication("timer_sec", value.clone()));
            assert_eq!(fault, (Some("timer_sec"), "wrong_type"), "{value}");
        }
    }

    #[test]
    fn a_timer_is_at_least_one_second_or_absent() {
        for value in [0, -1, i64::from(i32::MAX) + 1] {
            assert_eq!(
                fault_of(&publication("timer_sec", json!(value))),
                (Some("timer_sec"), "out_of_range")
            );
        }
        let untimed = parse(&publication("timer_sec", Value::Null)).unwrap();
        assert!(matches!(
            untimed.fact,
            Fact::QuestionPublished {
                timer_sec: None,
                ..
            }
        ));
    }

    #[test]
    fn a_response_time_is_not_negative() {
        let field = "response_time_ms";
        assert_eq!(
            fault_of(&with(field, json!(-1))),
            (Some(field), "out_of_range")
        );
        assert!(parse(&with(field, json!(0))).is_ok());
    }

    #[test]
    fn a_timestamp_needs_an_offset_which_is_echoed_and_stands_for_an_instant() {
        for text in [
            "2025-06-20 10:01:00",
            "2025-06-20T10:01:00",
            "20 June",
            "2025-13-01T00:00:00Z",
        ] {
            assert_eq!(
                fault_of(&with("timestamp", json!(text))),
                (Some("timestamp"), "invalid_timestamp"),
                "{text}"
            );
        }
        let event = parse(&with("timestamp", json!("2025-06-20T12:01:00.500+02:00"))).unwrap();
        assert_eq!(event.timestamp_text(), "2025-06-20T12:01:00.5+02:00");
        assert_eq!(event.occurred_at, datetime!(2025-06-20 10:01:00.5 UTC));
    }

    #[test]
    fn a_timestamp_is_cut_to_the_microsecond() {
        let event = parse(&with("timestamp", json!("2025-06-20T10:01:00.123456789Z"))).unwrap();
        assert_eq!(event.occurred_at, datetime!(2025-06-20 10:01:00.123456 UTC));
    }

    #[test]
    fn a_timestamp_is_at_most_24_hours_ahead_and_not_before_year_one() {
        assert!(parse(&with("timestamp", json!("2025-06-21T12:00:00Z"))).is_ok());
        assert_eq!(
            fault_of(&with("timestamp", json!("2025-06-21T12:00:00.000001Z"))),
            (Some("timestamp"), "timestamp_in_the_future")
        );
        assert_eq!(
            fault_of(&with("timestamp", json!("9999-12-31T23:59:59-23:59"))),
            (Some("timestamp"), "timestamp_in_the_future")
        );
        assert_eq!(
            fault_of(&with("timestamp", json!("0001-01-01T00:00:00+01:00"))),
            (Some("timestamp"), "timestamp_too_early")
        );
    }

    #[test]
    fn nul_and_lone_surrogates_are_refused() {
        assert_eq!(
            fault_of(&with("answer", json!("a\u{0}b"))),
            (Some("answer"), "nul_character")
        );
        let lone = answer().to_string().replace("\"B\"", r#""\ud800""#);
        assert_eq!(
            EventIn::from_json(lone.as_bytes()).unwrap_err().code(),
            "broken_json"
        );
    }

    #[test]
    fn an_unknown_type_is_refused_by_name_and_quoted_in_part() {
        let invalid = parse(&with("event_type", json!("QUIZ_ATE_ME"))).unwrap_err();
        assert_eq!(invalid.to_string(), "unknown event type: QUIZ_ATE_ME");
        let long = parse(&with("event_type", json!("é".repeat(100_000)))).unwrap_err();
        assert!(long.to_string().len() < 300);
    }

    #[test]
    fn unknown_keys_are_ignored_and_repeated_known_ones_refused() {
        assert!(parse(&with("shoe_size", json!({"deep": [1, 2, {"er": null}]}))).is_ok());
        let twice = answer().to_string().replacen('{', r#"{"answer":"A","#, 1);
        let invalid = EventIn::from_json(twice.as_bytes())
            .unwrap()
            .parse(origin())
            .unwrap_err();
        assert_eq!(
            (invalid.field, invalid.code()),
            (Some("answer"), "repeated_field")
        );
    }

    #[test]
    fn what_is_no_object_is_told_apart_from_what_is_no_json() {
        for (text, code) in [
            ("[]", "not_an_object"),
            ("5", "not_an_object"),
            ("{", "broken_json"),
            ("", "broken_json"),
        ] {
            assert_eq!(
                EventIn::from_json(text.as_bytes()).unwrap_err().code(),
                code,
                "{text}"
            );
        }
    }
}
