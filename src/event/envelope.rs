//! The value of a record on the topic: the event as accepted, with what the server knows about it.
//!
//! Contract section 4. The reader trusts nothing but `payload` (parsed as any client's event is) and `tenant_id`;
//! `event_id`, `event_type` and `session_id` are there for other readers of the topic.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::invalid::{Fault, InvalidEvent};
use super::parse::{MAX_CLOCK_AHEAD, Origin, timestamp_text};
use super::wire_in::EventIn;
use super::{Event, Fact};
use crate::tenant::Tenant;

/// Why a record is no event, now or ever.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEnvelope {
    /// The record has no value.
    #[error("the record has no value")]
    Empty,
    /// The value is not a JSON object with a `payload`.
    #[error("the value is no envelope: {0}")]
    Malformed(String),
    /// The tenant is a number that no tenant can have.
    #[error("tenant_id is no tenant")]
    Tenant,
    /// The payload breaks a rule of the contract.
    #[error("payload: {0}")]
    Payload(#[from] InvalidEvent),
}

impl InvalidEnvelope {
    /// What is wrong, in words that quote nothing of the record, for logs.
    pub fn reason(&self) -> String {
        match self {
            Self::Payload(InvalidEvent {
                fault: Fault::UnknownType(_),
                ..
            }) => "payload: unknown event type".to_owned(),
            _ => self.to_string(),
        }
    }

    /// The stable machine-readable name of the fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty_value",
            Self::Malformed(_) => "malformed_envelope",
            Self::Tenant => "invalid_tenant",
            Self::Payload(invalid) => invalid.code(),
        }
    }
}

#[derive(Serialize)]
struct EnvelopeOut<'a> {
    event_id: &'a str,
    event_type: &'a str,
    session_id: Uuid,
    timestamp: String,
    tenant_id: i32,
    user_id: i64,
    payload: PayloadOut<'a>,
}

#[derive(Serialize)]
struct PayloadOut<'a> {
    event_id: &'a str,
    event_type: &'a str,
    timestamp: String,
    session_id: Uuid,
    quiz_id: Uuid,
    classroom_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    question_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    teacher_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timer_sec: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correct_answer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    student_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_time_ms: Option<i32>,
}

#[derive(Deserialize)]
struct EnvelopeIn<'a> {
    timestamp: Option<String>,
    tenant_id: Option<i64>,
    #[serde(borrow)]
    payload: &'a RawValue,
}

/// Writes the record value of an event that `user_id` posted.
pub fn encode(event: &Event, user_id: i64) -> Vec<u8> {
    let event_id = event.event_id.to_text();
    let mut payload = PayloadOut {
        event_id: &event_id,
        event_type: event.type_name(),
        timestamp: event.timestamp_text(),
        session_id: event.session_id,
        quiz_id: event.quiz_id,
        classroom_id: event.classroom_id,
        question_id: event.question_id(),
        teacher_id: None,
        timer_sec: None,
        correct_answer: None,
        student_id: None,
        answer: None,
        response_time_ms: None,
    };
    match &event.fact {
        Fact::SessionStarted | Fact::SessionEnded => {}
        Fact::QuestionPublished {
            teacher_id,
            timer_sec,
            correct_answer,
            ..
        } => {
            payload.teacher_id = *teacher_id;
            payload.timer_sec = *timer_sec;
            payload.correct_answer = correct_answer.as_deref();
        }
        Fact::AnswerSubmitted {
            student_id,
            answer,
            response_time_ms,
            ..
        } => {
            payload.student_id = Some(*student_id);
            payload.answer = Some(answer);
            payload.response_time_ms = *response_time_ms;
        }
    }
    let envelope = EnvelopeOut {
        event_id: &event_id,
        event_type: event.type_name(),
        session_id: event.session_id,
        timestamp: timestamp_text(event.received_at),
        tenant_id: event.tenant.id(),
        user_id,
        payload,
    };
    serde_json::to_vec(&envelope).expect("plain fields and texts always serialize")
}

/// Reads a record value back into the event; `appended_at` is the record's own timestamp.
///
/// # Errors
/// If the value can never become an event, however often it is tried.
pub fn decode(value: Option<&[u8]>, appended_at: OffsetDateTime) -> Result<Event, InvalidEnvelope> {
    let value = value
        .filter(|value| !value.is_empty())
        .ok_or(InvalidEnvelope::Empty)?;
    let envelope: EnvelopeIn<'_> = serde_json::from_slice(value).map_err(|error| {
        // Of a wrong type, serde quotes the value, which must not get into a log; its place is enough.
        InvalidEnvelope::Malformed(match error.classify() {
            serde_json::error::Category::Data => format!(
                "a field has the wrong type or is missing at line {} column {}",
                error.line(),
                error.column()
            ),
            _ => error.to_string(),
        })
    })?;
    let tenant = Tenant::from_envelope(envelope.tenant_id).ok_or(InvalidEnvelope::Tenant)?;
    // The event is judged by the clock that accepted it, so that a replay in a year decides the same. A foreign
    // producer may leave that time out or invent it; then the record's own time stands in.
    let received_at = envelope
        .timestamp
        .and_then(|text| OffsetDateTime::parse(&text, &Rfc3339).ok())
        .filter(|at| *at <= appended_at.saturating_add(MAX_CLOCK_AHEAD))
        .unwrap_or(appended_at);
    Ok(
        EventIn::from_json(envelope.payload.get().as_bytes())?.parse(Origin {
            tenant,
            received_at,
        })?,
    )
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2025-06-20 12:00 UTC);

    fn parse(json: &str) -> Event {
        let origin = Origin {
            tenant: Tenant::from_operator(7).unwrap(),
            received_at: NOW,
        };
        EventIn::from_json(json.as_bytes())
            .unwrap()
            .parse(origin)
            .unwrap()
    }

    const ANSWER: &str = r#"{"event_id":"test-001","event_type":"ANSWER_SUBMITTED",
        "timestamp":"2025-06-20T12:01:00.5+02:00","session_id":"900E8400-e29b-41d4-a716-446655440000",
        "quiz_id":"900e8400-e29b-41d4-a716-446655440010","classroom_id":"900e8400-e29b-41d4-a716-446655440020",
        "question_id":"900e8400-e29b-41d4-a716-446655440030","student_id":"900e8400-e29b-41d4-a716-446655440040",
        "answer":"O(n²) \"quoted\"","response_time_ms":1200}"#;

    #[test]
    fn an_event_survives_the_topic_unchanged() {
        let publication = ANSWER
            .replace("ANSWER_SUBMITTED", "QUESTION_PUBLISHED")
            .replace(
                r#""response_time_ms":1200"#,
                r#""timer_sec":60,"correct_answer":"B""#,
            );
        let started = ANSWER.replace("ANSWER_SUBMITTED", "SESSION_STARTED");
        for json in [ANSWER, &publication, &started] {
            let event = parse(json);
            assert_eq!(decode(Some(&encode(&event, 42)), NOW), Ok(event));
        }
    }

    #[test]
    fn the_envelope_has_the_shape_of_the_contract() {
        let value: serde_json::Value = serde_json::from_slice(&encode(&parse(ANSWER), 42)).unwrap();
        let expected = serde_json::json!({
            "event_id": "test-001", "event_type": "ANSWER_SUBMITTED",
            "session_id": "900e8400-e29b-41d4-a716-446655440000",
            "timestamp": "2025-06-20T12:00:00Z", "tenant_id": 7, "user_id": 42,
            "payload": {
                "event_id": "test-001", "event_type": "ANSWER_SUBMITTED",
                "timestamp": "2025-06-20T12:01:00.5+02:00",
                "session_id": "900e8400-e29b-41d4-a716-446655440000",
                "quiz_id": "900e8400-e29b-41d4-a716-446655440010",
                "classroom_id": "900e8400-e29b-41d4-a716-446655440020",
                "question_id": "900e8400-e29b-41d4-a716-446655440030",
                "student_id": "900e8400-e29b-41d4-a716-446655440040",
                "answer": "O(n²) \"quoted\"", "response_time_ms": 1200
            }
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn an_envelope_without_tenant_and_time_belongs_to_tenant_one_and_the_records_time() {
        let value = format!(r#"{{"payload":{ANSWER}}}"#);
        let event = decode(Some(value.as_bytes()), NOW).unwrap();
        assert_eq!((event.tenant, event.received_at), (Tenant::DEFAULT, NOW));
        let invented = format!(r#"{{"timestamp":"3025-01-01T00:00:00Z","payload":{ANSWER}}}"#);
        assert_eq!(
            decode(Some(invented.as_bytes()), NOW).unwrap().received_at,
            NOW
        );
    }

    #[test]
    fn what_can_never_be_an_event_says_why() {
        let bad_payload = format!(
            r#"{{"payload":{}}}"#,
            ANSWER.replace("ANSWER_SUBMITTED", "NOPE")
        );
        for (value, code) in [
            (None, "empty_value"),
            (Some(""), "empty_value"),
            (Some("{"), "malformed_envelope"),
            (Some("[1]"), "malformed_envelope"),
            (Some(r#"{"event_id":"x"}"#), "malformed_envelope"),
            (Some(r#"{"tenant_id":0,"payload":{}}"#), "invalid_tenant"),
            (Some(r#"{"payload":5}"#), "not_an_object"),
            (Some(r#"{"payload":{}}"#), "missing_field"),
            (Some(&bad_payload), "unknown_event_type"),
        ] {
            let invalid = decode(value.map(str::as_bytes), NOW).unwrap_err();
            assert_eq!(invalid.code(), code, "{value:?}");
        }
    }
}
