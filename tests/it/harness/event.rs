//! Events as clients write them: a valid one of each type, changed field by field.

use analytics_ingestor::event::{Event, EventIn, Origin};
use analytics_ingestor::tenant::Tenant;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// When events happen that do not say otherwise.
pub(crate) const NOON: OffsetDateTime = datetime!(2025-06-20 12:00 UTC);

/// The quiz of events that do not say otherwise.
pub(crate) const QUIZ: Uuid = Uuid::from_u128(0x900e8400_e29b_41d4_a716_446655440010);

/// The classroom of events that do not say otherwise.
pub(crate) const CLASSROOM: Uuid = Uuid::from_u128(0x900e8400_e29b_41d4_a716_446655440020);

/// An event's JSON as the server puts it into the topic, for tenant 1.
pub(crate) fn envelope(payload: &Value) -> bytes::Bytes {
    json!({"tenant_id": 1, "payload": payload})
        .to_string()
        .into()
}

/// An event in the making.
#[derive(Debug, Clone)]
pub(crate) struct Draft(Value);

fn a_draft(event_type: &str) -> Draft {
    Draft(json!({
        "event_id": Uuid::new_v4(),
        "event_type": event_type,
        "timestamp": "2025-06-20T12:00:00Z",
        "session_id": Uuid::new_v4(),
        "quiz_id": QUIZ,
        "classroom_id": CLASSROOM,
    }))
}

pub(crate) fn a_start() -> Draft {
    a_draft("SESSION_STARTED")
}

pub(crate) fn an_end() -> Draft {
    a_draft("SESSION_ENDED")
}

/// With a new question and a limit of 60 seconds.
pub(crate) fn a_publication() -> Draft {
    a_draft("QUESTION_PUBLISHED")
        .with("question_id", Uuid::new_v4())
        .with("timer_sec", 60)
}

/// By a new student, to a new question.
pub(crate) fn an_answer() -> Draft {
    a_draft("ANSWER_SUBMITTED")
        .with("question_id", Uuid::new_v4())
        .with("student_id", Uuid::new_v4())
        .with("answer", "B")
}

impl Draft {
    pub(crate) fn with(mut self, field: &str, value: impl Into<FieldValue>) -> Self {
        self.0[field] = value.into().0;
        self
    }

    pub(crate) fn without(mut self, field: &str) -> Self {
        self.0
            .as_object_mut()
            .expect("an event is an object")
            .remove(field);
        self
    }

    pub(crate) fn named(self, event_id: impl Into<FieldValue>) -> Self {
        self.with("event_id", event_id)
    }

    pub(crate) fn in_session(self, session: Uuid) -> Self {
        self.with("session_id", session)
    }

    pub(crate) fn in_classroom(self, classroom: Uuid) -> Self {
        self.with("classroom_id", classroom)
    }

    pub(crate) fn of(self, question: Uuid) -> Self {
        self.with("question_id", question)
    }

    pub(crate) fn by(self, student: Uuid) -> Self {
        self.with("student_id", student)
    }

    pub(crate) fn saying(self, answer: &str) -> Self {
        self.with("answer", answer)
    }

    pub(crate) fn with_key(self, key: &str) -> Self {
        self.with("correct_answer", key)
    }

    pub(crate) fn at(self, at: OffsetDateTime) -> Self {
        let text = at.format(&Rfc3339).expect("the time is within RFC 3339");
        self.with("timestamp", text)
    }

    /// So many seconds after [`NOON`].
    pub(crate) fn at_second(self, seconds: i64) -> Self {
        self.at(NOON + Duration::seconds(seconds))
    }

    pub(crate) fn json(&self) -> Value {
        self.0.clone()
    }

    pub(crate) fn id(&self) -> String {
        self.0["event_id"]
            .as_str()
            .expect("the id is a text")
            .to_owned()
    }

    /// The event as the server would have it, accepted now for a tenant.
    pub(crate) fn parse(&self, tenant: i64) -> Event {
        let origin = Origin {
            tenant: Tenant::from_operator(tenant).expect("a tenant's number is positive"),
            received_at: OffsetDateTime::now_utc(),
        };
        EventIn::from_json(self.0.to_string().as_bytes())
            .and_then(|event| event.parse(origin))
            .unwrap_or_else(|invalid| panic!("{invalid}: {}", self.0))
    }
}

impl From<Draft> for Value {
    fn from(draft: Draft) -> Self {
        draft.0
    }
}

impl From<&Draft> for Value {
    fn from(draft: &Draft) -> Self {
        draft.0.clone()
    }
}

/// What a field can be set to.
pub(crate) struct FieldValue(Value);

impl From<Value> for FieldValue {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl From<Uuid> for FieldValue {
    fn from(id: Uuid) -> Self {
        Self(json!(id))
    }
}

impl From<bool> for FieldValue {
    fn from(value: bool) -> Self {
        Self(json!(value))
    }
}

impl From<i32> for FieldValue {
    fn from(number: i32) -> Self {
        Self(json!(number))
    }
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self(json!(text))
    }
}

impl From<String> for FieldValue {
    fn from(text: String) -> Self {
        Self(json!(text))
    }
}
