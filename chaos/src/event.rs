//! Events of a made-up school day, as JSON for the server and as the facts that must be found stored.

use std::sync::atomic::{AtomicI64, Ordering};

use fastrand::Rng;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::rig::TENANTS;

const SESSIONS: u64 = 16;
const QUIZZES: u64 = 4;
const CLASSROOMS: u64 = 5;
const QUESTIONS: u64 = 24;
const STUDENTS: u64 = 80;

/// Tenant and event id, which name an event.
pub(crate) type Key = (i32, String);

/// What of an event must be found in the database.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Fact {
    pub(crate) session: Uuid,
    /// `answer`, `publication`, `started` or `ended`.
    pub(crate) kind: String,
    pub(crate) question: Option<Uuid>,
    pub(crate) student: Option<Uuid>,
    /// The answer, or the key that a publication carries.
    pub(crate) text: Option<String>,
    /// When it happened, in milliseconds since 1970.
    pub(crate) at_ms: i64,
}

/// An event to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) key: Key,
    pub(crate) json: Value,
    pub(crate) fact: Fact,
}

/// Makes events.
#[derive(Debug)]
pub(crate) struct Events {
    rng: Rng,
    /// Keeps the ids of one run apart from those of another.
    run: u64,
    /// Of an event whose id another tenant is to use as well.
    shared_id: Option<String>,
}

impl Events {
    pub(crate) fn new(seed: u64, writer: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed.rotate_left(20) ^ writer),
            run: seed,
            shared_id: None,
        }
    }

    /// The next event of a tenant by chance.
    pub(crate) fn next(&mut self, clock_s: &AtomicI64) -> Draft {
        let tenant = TENANTS[usize::from(self.rng.u8(0..4) == 0)];
        self.next_of(tenant, clock_s.load(Ordering::Relaxed))
    }

    fn next_of(&mut self, tenant: i32, clock_s: i64) -> Draft {
        let event_id = self.event_id(tenant);
        // Milliseconds, since that is what clients have.
        let now_ms = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        let at_ms = i64::try_from(now_ms).unwrap_or(i64::MAX) + clock_s * 1_000;
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000)
            .ok()
            .and_then(|at| at.format(&Rfc3339).ok())
            .unwrap_or_default();
        let session_number = self.rng.u64(0..SESSIONS);
        let session = self.id(1, session_number);
        let mut json = json!({
            "event_id": event_id,
            "timestamp": at,
            "session_id": session,
            "quiz_id": self.id(2, session_number % QUIZZES),
            "classroom_id": self.id(3, session_number % CLASSROOMS),
        });
        let (question_number, student_number) =
            (self.rng.u64(0..QUESTIONS), self.rng.u64(0..STUDENTS));
        let question = self.id(4, question_number);
        let mut fact = Fact {
            session,
            kind: "answer".to_owned(),
            question: Some(question),
            student: None,
            text: None,
            at_ms,
        };
        let event_type = match self.rng.u8(0..100) {
            0..4 => {
                (fact.kind, fact.question) = ("started".to_owned(), None);
                "SESSION_STARTED"
            }
            4..7 => {
                (fact.kind, fact.question) = ("ended".to_owned(), None);
                "SESSION_ENDED"
            }
            7..20 => {
                fact.kind = "publication".to_owned();
                fact.text = self.rng.bool().then(|| self.letter());
                json["question_id"] = json!(question);
                json["timer_sec"] = json!(60);
                if let Some(text) = &fact.text {
                    json["correct_answer"] = json!(text);
                }
                "QUESTION_PUBLISHED"
            }
            _ => {
                let student = self.id(5, student_number);
                fact.student = Some(student);
                fact.text = Some(self.letter());
                json["question_id"] = json!(question);
                json["student_id"] = json!(student);
                json["answer"] = json!(fact.text);
                "ANSWER_SUBMITTED"
            }
        };
        json["event_type"] = json!(event_type);
        Draft {
            key: (tenant, event_id),
            json,
            fact,
        }
    }

    /// A UUID or any other text, and now and then the id of another tenant's event.
    fn event_id(&mut self, tenant: i32) -> String {
        if tenant == TENANTS[1]
            && let Some(id) = self.shared_id.take()
        {
            return id;
        }
        let number = self.rng.u128(..);
        let id = match self.rng.u8(0..10) {
            0 => format!("run-{}-{number:032x}", self.run),
            _ => Uuid::from_u128(number).to_string(),
        };
        if tenant == TENANTS[0] && self.rng.u8(0..20) == 0 {
            self.shared_id = Some(id.clone());
        }
        id
    }

    fn letter(&mut self) -> String {
        self.rng
            .choice(["A", "B", "C", "D", "größer als 7 🙂"])
            .unwrap_or("A")
            .to_owned()
    }

    fn id(&self, family: u64, number: u64) -> Uuid {
        Uuid::from_u64_pair(family << 48 | 0x7000, 0x8000_0000_0000_0000 | number)
    }
}
