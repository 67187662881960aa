//! What happens in a scenario, to two tenants that use the same ids, and how it arrives.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};
use uuid::Uuid;

use super::clock::{DAY, HOUR, MINUTE, Micros, SECOND, in_zone};
use super::entry::Entry;
use super::model::{Fact, Happening};
use super::query::QueryPlan;

/// Ranges that the reports are asked for, as they are written.
pub(super) const TIME_RANGES: [&str; 6] = ["30m", "60m", "1h30m", "24h", "1d", "20d"];
pub(super) const DATE_RANGES: [&str; 5] = ["2h", "1d", "7d", "30d", "120m"];

/// How long ago a window begins, or the window before it; also the windows of 8.19, and the present.
const EDGES: [Micros; 13] = [
    0,
    30 * MINUTE,
    HOUR,
    90 * MINUTE,
    2 * HOUR,
    4 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    20 * DAY,
    30 * DAY,
    60 * DAY,
];

/// How long a scenario may take: nothing in it passes an edge of a window in this time.
pub(super) const PATIENCE: Micros = 2 * MINUTE;

/// Farther ahead the server refuses events.
const AHEAD_MAX: Micros = 23 * HOUR;

#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) ours: Story,
    /// Another tenant's, which must not show.
    pub(super) theirs: Option<Story>,
    /// Decides in which order everything arrives, and which pages are asked for.
    pub(super) shuffle: u64,
    pub(super) batch_max: usize,
    pub(super) queries: Vec<QueryPlan>,
}

#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) sessions: Vec<SessionPlan>,
    pub(super) events: Vec<EventPlan>,
    pub(super) catalogue: Vec<Entry>,
    /// Events that arrive again.
    pub(super) copies: Vec<usize>,
    /// At some moments, the sessions whose figures are stored then.
    pub(super) refreshes: Vec<Vec<u8>>,
}

#[derive(Debug, Clone)]
pub(super) struct SessionPlan {
    pub(super) quiz: u8,
    pub(super) classroom: u8,
    /// Seconds from now.
    pub(super) base: i64,
    /// Seconds from the base, if the session is started at all. An event may start it again.
    pub(super) start: Option<i64>,
    /// Whether any question is put to it.
    pub(super) publishes: bool,
}

/// An event of one of the sessions.
#[derive(Debug, Clone)]
pub(super) struct EventPlan {
    pub(super) session: usize,
    /// From the session's base.
    pub(super) after: Micros,
    pub(super) kind: Kind,
    /// Decides how the ids of two events compare.
    pub(super) rank: u8,
    pub(super) has_text_id: bool,
    /// Minutes ahead of UTC.
    pub(super) zone: i16,
    /// Quiz and classroom, where they are not those of the session's plan.
    pub(super) names: Option<(u8, u8)>,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Start,
    End,
    Publish {
        question: u8,
        teacher: Option<u8>,
        timer_sec: Option<i64>,
        key: Option<&'static str>,
    },
    Answer {
        question: u8,
        student: u8,
        text: &'static str,
        response_ms: Option<i64>,
    },
}

/// What an id belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Thing {
    Session = 1,
    Quiz,
    Classroom,
    Question,
    Student,
    Teacher,
}

/// An id that no story uses is made with a large number.
pub(super) fn id(thing: Thing, number: u8) -> Uuid {
    Uuid::from_u128((thing as u128) << 112 | u128::from(number))
}

/// An event, and how its client writes it.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) event: Happening,
    id_text: String,
    zone: i16,
}

impl Sent {
    pub(super) fn json(&self) -> Value {
        let event = &self.event;
        let mut json = json!({
            "event_id": self.id_text,
            "timestamp": in_zone(event.at, self.zone),
            "session_id": event.session,
            "quiz_id": event.quiz,
            "classroom_id": event.classroom,
        });
        match &event.fact {
            Fact::Start => json["event_type"] = "SESSION_STARTED".into(),
            Fact::End => json["event_type"] = "SESSION_ENDED".into(),
            Fact::Publication {
                question,
                teacher,
                timer_sec,
                key,
            } => {
                json["event_type"] = "QUESTION_PUBLISHED".into();
                json["question_id"] = json!(question);
                json["teacher_id"] = json!(teacher);
                json["timer_sec"] = json!(timer_sec);
                json["correct_answer"] = json!(key);
            }
            Fact::Answer {
                question,
                student,
                text,
                response_ms,
            } => {
                json["event_type"] = "ANSWER_SUBMITTED".into();
                json["question_id"] = json!(question);
                json["student_id"] = json!(student);
                json["answer"] = json!(text);
                json["response_time_ms"] = json!(response_ms);
            }
        }
        json
    }
}

impl Story {
    /// The events of a scenario that is played now.
    pub(super) fn events(&self, now: Micros) -> Vec<Sent> {
        let mut seen = BTreeSet::new();
        let mut sent = Vec::new();
        for plan in self.starts().iter().chain(&self.events) {
            let session = &self.sessions[plan.session % self.sessions.len()];
            if matches!(plan.kind, Kind::Publish { .. }) && !session.publishes {
                continue;
            }
            let mut event = self.event(plan, now);
            // An id may be used again in another session, at another time: what comes first is then still certain.
            let is_free = |id: Uuid| {
                !seen.contains(&(Some(event.session), None, id))
                    && !seen.contains(&(None, Some(event.at), id))
            };
            let (text, id) = (0..)
                .map(|place| plan.id(place))
                .find(|(_, id)| is_free(*id))
                .expect("ids do not run out");
            event.id = id;
            seen.insert((Some(event.session), None, event.id));
            seen.insert((None, Some(event.at), event.id));
            sent.push(Sent {
                event,
                id_text: text,
                zone: plan.zone,
            });
        }
        sent
    }

    fn starts(&self) -> Vec<EventPlan> {
        let starts = self.sessions.iter().enumerate();
        starts
            .filter_map(|(session, plan)| {
                plan.start.map(|seconds| EventPlan {
                    session,
                    after: seconds * SECOND,
                    kind: Kind::Start,
                    rank: 1,
                    has_text_id: false,
                    zone: 0,
                    names: None,
                })
            })
            .collect()
    }

    fn event(&self, plan: &EventPlan, now: Micros) -> Happening {
        let place = plan.session % self.sessions.len();
        let session = &self.sessions[place];
        let (quiz, classroom) = plan.names.unwrap_or((session.quiz, session.classroom));
        let ahead = clear_of_edges((session.base * SECOND + plan.after).min(AHEAD_MAX));
        let fact = match &plan.kind {
            Kind::Start => Fact::Start,
            Kind::End => Fact::End,
            Kind::Publish {
                question,
                teacher,
                timer_sec,
                key,
            } => Fact::Publication {
                question: id(Thing::Question, *question),
                teacher: teacher.map(|teacher| id(Thing::Teacher, teacher)),
                timer_sec: timer_sec.map(|timer| timer + clear_timer(ahead + timer * SECOND)),
                key: key.map(str::to_owned),
            },
            Kind::Answer {
                question,
                student,
                text,
                response_ms,
            } => Fact::Answer {
                question: id(Thing::Question, *question),
                student: id(Thing::Student, *student),
                text: (*text).to_owned(),
                response_ms: *response_ms,
            },
        };
        Happening {
            id: Uuid::nil(),
            session: id(
                Thing::Session,
                u8::try_from(place).expect("sessions are few"),
            ),
            quiz: id(Thing::Quiz, quiz),
            classroom: id(Thing::Classroom, classroom),
            at: now + ahead,
            fact,
        }
    }
}

impl EventPlan {
    /// The id as it is written and as it is stored.
    fn id(&self, place: u64) -> (String, Uuid) {
        if self.has_text_id {
            let text = format!("e{}-{place}", self.rank);
            let id = stored_id(&text);
            (text, id)
        } else {
            let id = Uuid::from_u64_pair(self.rank.into(), place);
            (id.to_string(), id)
        }
    }
}

/// How a text that is no UUID is stored. The namespace belongs to the stored data: it never changes.
fn stored_id(text: &str) -> Uuid {
    const NAMESPACE: Uuid = Uuid::from_u128(0x6f2a_19c4_53d1_4b7e_9e0c_8d41_7a35_b2f6);
    Uuid::new_v5(&NAMESPACE, text.as_bytes())
}

/// Moves a moment, relative to now, back from what would pass an edge of a window while the scenario is played.
fn clear_of_edges(ahead: Micros) -> Micros {
    let passes = EDGES
        .iter()
        .any(|edge| (-SECOND..PATIENCE).contains(&(edge + ahead)));
    if passes {
        ahead - PATIENCE - 10 * SECOND
    } else {
        ahead
    }
}

/// The seconds by which a timer has to be longer, for its deadline not to pass now.
fn clear_timer(deadline: Micros) -> i64 {
    if (-SECOND..PATIENCE).contains(&deadline) {
        (PATIENCE + 10 * SECOND) / SECOND
    } else {
        0
    }
}

/// One line for each thing that happens, for reading a failure.
impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let theirs = self.theirs.iter().map(|story| ("theirs", story));
        for (whose, story) in [("ours", &self.ours)].into_iter().chain(theirs) {
            writeln!(f, "{whose}, {:?}", story.sessions)?;
            for sent in story.events(0) {
                writeln!(f, "  {}", sent.json())?;
            }
            for entry in &story.catalogue {
                writeln!(f, "  {entry:?}")?;
            }
            let (copies, refreshes) = (&story.copies, &story.refreshes);
            writeln!(f, "  copies {copies:?}, refreshes {refreshes:?}")?;
        }
        for query in &self.queries {
            writeln!(f, "{query:?}")?;
        }
        let (shuffle, batch_max) = (self.shuffle, self.batch_max);
        write!(
            f,
            "shuffled by {shuffle}, at most {batch_max} in a batch; times are relative to 1970"
        )
    }
}
