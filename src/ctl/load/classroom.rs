//! Simulated classrooms: events as real ones send them, the same for the same plan and start.
//!
//! A classroom keeps its roster and a quiz its questions and keys for every start, so that a later load plays on with
//! the same people; sessions and events are named after seed and start together, so that they are new ones.

use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::event::type_name;

const CHOICES: [&str; 4] = ["A", "B", "C", "D"];
/// Seconds that a question is open.
const TIMERS_SEC: [u32; 4] = [20, 30, 45, 60];
/// From the end of one question to the next one, at most, in milliseconds.
const BREAK_MS_MAX: u64 = 20_000;
/// From the start of a session to its first question, at most, in milliseconds.
const WELCOME_MS_MAX: u64 = 60_000;
/// From the end of a session to the classroom's next one, in milliseconds.
const PAUSE_MS: u64 = 120_000;
/// Sessions of different classrooms begin this far apart, at most, in milliseconds.
const STAGGER_MS_MAX: u64 = 60_000;
/// Classrooms that play the same quiz.
const CLASSROOMS_PER_QUIZ: u32 = 3;
/// Share of a roster that is there.
const ATTENDANCE: f64 = 0.93;
/// Share of those that answer a question.
const ANSWERING: f64 = 0.95;

/// How much is simulated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) classrooms: u32,
    pub(super) students: u32,
    pub(super) questions: u32,
    pub(super) sessions: u32,
}

struct Quiz {
    id: Uuid,
    questions: Vec<Question>,
}

struct Question {
    id: Uuid,
    key: usize,
    timer_sec: u32,
    /// Above 0 is harder than most.
    difficulty: f64,
}

struct Classroom {
    id: Uuid,
    teacher: Uuid,
    roster: Vec<Student>,
}

struct Student {
    id: Uuid,
    /// Above 0 knows more than most.
    ability: f64,
}

/// One event and the moment it is sent, in milliseconds from the start.
struct Moment {
    at_ms: u64,
    event: EventOut,
}

/// The fields of an event, as the contract names them.
#[derive(Clone, Serialize)]
struct EventOut {
    event_id: Uuid,
    event_type: &'static str,
    timestamp: String,
    session_id: Uuid,
    quiz_id: Uuid,
    classroom_id: Uuid,
    question_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    teacher_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timer_sec: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correct_answer: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    student_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_time_ms: Option<u64>,
}

impl Plan {
    /// The longest that all of it can take, from the start to the last event.
    pub(super) fn longest(&self) -> Duration {
        let question_ms = u64::from(TIMERS_SEC[3]) * 1000 + BREAK_MS_MAX;
        let session_ms = WELCOME_MS_MAX + u64::from(self.questions) * question_ms + PAUSE_MS;
        Duration::from_millis(STAGGER_MS_MAX + u64::from(self.sessions) * session_ms)
    }

    /// All events in the order of their timestamps, one JSON object each.
    pub(super) fn simulate(&self, start: OffsetDateTime) -> anyhow::Result<Vec<Bytes>> {
        let mut people = Rng::with_seed(self.seed);
        let quizzes: Vec<Quiz> = (0..self.classrooms.div_ceil(CLASSROOMS_PER_QUIZ))
            .map(|_| self.quiz(&mut people))
            .collect();
        let classrooms: Vec<Classroom> = (0..self.classrooms)
            .map(|_| self.classroom(&mut people))
            .collect();

        let since_1970 = start.unix_timestamp_nanos() / 1_000_000;
        let mut play = Rng::with_seed(people.u64(..) ^ since_1970 as u64);
        let mut moments = Vec::new();
        for (place, classroom) in classrooms.iter().enumerate() {
            let mut at_ms = play.u64(..STAGGER_MS_MAX);
            for session in 0..self.sessions as usize {
                let quiz = &quizzes[(place + session) % quizzes.len()];
                at_ms = session_of(classroom, quiz, at_ms, &mut play, &mut moments) + PAUSE_MS;
            }
        }
        moments.sort_by_key(|moment| moment.at_ms);
        moments
            .into_iter()
            .map(|Moment { at_ms, mut event }| {
                event.timestamp = (start + Duration::from_millis(at_ms)).format(&Rfc3339)?;
                Ok(Bytes::from(serde_json::to_vec(&event)?))
            })
            .collect()
    }

    fn quiz(&self, rng: &mut Rng) -> Quiz {
        Quiz {
            id: uuid(rng),
            questions: (0..self.questions)
                .map(|_| Question {
                    id: uuid(rng),
                    key: rng.usize(..CHOICES.len()),
                    timer_sec: TIMERS_SEC[rng.usize(..TIMERS_SEC.len())],
                    difficulty: around_zero(rng),
                })
                .collect(),
        }
    }

    fn classroom(&self, rng: &mut Rng) -> Classroom {
        Classroom {
            id: uuid(rng),
            teacher: uuid(rng),
            roster: (0..self.students)
                .map(|_| Student {
                    id: uuid(rng),
                    ability: around_zero(rng),
                })
                .collect(),
        }
    }
}

/// Plays one session and answers with the moment of its end.
fn session_of(
    classroom: &Classroom,
    quiz: &Quiz,
    start_ms: u64,
    rng: &mut Rng,
    moments: &mut Vec<Moment>,
) -> u64 {
    let session_id = uuid(rng);
    let bare = |event_type, question: &Question, rng: &mut Rng| EventOut {
        event_id: uuid(rng),
        event_type,
        timestamp: String::new(),
        session_id,
        quiz_id: quiz.id,
        classroom_id: classroom.id,
        question_id: question.id,
        teacher_id: None,
        timer_sec: None,
        correct_answer: None,
        student_id: None,
        answer: None,
        response_time_ms: None,
    };
    let (Some(first), Some(last)) = (quiz.questions.first(), quiz.questions.last()) else {
        return start_ms;
    };
    // The original requires a question id of every event, also where it means nothing.
    moments.push(Moment {
        at_ms: start_ms,
        event: bare(type_name::SESSION_STARTED, first, rng),
    });
    let present: Vec<&Student> = classroom
        .roster
        .iter()
        .filter(|_| rng.f64() < ATTENDANCE)
        .collect();
    let mut at_ms = start_ms + rng.u64(5_000..WELCOME_MS_MAX);
    for question in &quiz.questions {
        moments.push(Moment {
            at_ms,
            event: EventOut {
                teacher_id: Some(classroom.teacher),
                timer_sec: Some(question.timer_sec),
                correct_answer: Some(CHOICES[question.key]),
                ..bare(type_name::QUESTION_PUBLISHED, question, rng)
            },
        });
        for student in &present {
            if rng.f64() >= ANSWERING {
                continue;
            }
            let took_ms = response_ms(question, rng);
            moments.push(Moment {
                at_ms: at_ms + took_ms,
                event: EventOut {
                    student_id: Some(student.id),
                    answer: Some(answer(student, question, rng)),
                    response_time_ms: Some(took_ms),
                    ..bare(type_name::ANSWER_SUBMITTED, question, rng)
                },
            });
        }
        at_ms += u64::from(question.timer_sec) * 1000 + rng.u64(5_000..BREAK_MS_MAX);
    }
    moments.push(Moment {
        at_ms,
        event: bare(type_name::SESSION_ENDED, last, rng),
    });
    at_ms
}

/// Most answers come in the first third of the time, a few after the bell, all before the next question.
fn response_ms(question: &Question, rng: &mut Rng) -> u64 {
    let timer_ms = f64::from(question.timer_sec) * 1000.0;
    let share = 0.3 * (0.6 * around_zero(rng)).exp();
    let took = (share * timer_ms).clamp(800.0, timer_ms + 4_000.0);
    took as u64
}

fn answer(student: &Student, question: &Question, rng: &mut Rng) -> &'static str {
    let odds = 0.6 + student.ability - question.difficulty;
    let knows = rng.f64() < 1.0 / (1.0 + (-odds).exp());
    let choice = if knows {
        question.key
    } else {
        (question.key + rng.usize(1..CHOICES.len())) % CHOICES.len()
    };
    CHOICES[choice]
}

/// About a normal distribution of mean 0 and variance 1.
fn around_zero(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
}

fn uuid(rng: &mut Rng) -> Uuid {
    uuid::Builder::from_random_bytes(rng.u128(..).to_be_bytes()).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Value;
    use time::macros::datetime;

    use super::*;
    use crate::event::{Event, EventIn, Fact, Origin};
    use crate::tenant::Tenant;

    const START: OffsetDateTime = datetime!(2026-03-02 08:00 UTC);
    const PLAN: Plan = Plan {
        seed: 7,
        classrooms: 4,
        students: 20,
        questions: 6,
        sessions: 2,
    };

    fn events(plan: &Plan, start: OffsetDateTime) -> Vec<Event> {
        let origin = Origin {
            tenant: Tenant::DEFAULT,
            received_at: start + plan.longest(),
        };
        let lines = plan.simulate(start).unwrap();
        let parse = |line: &Bytes| EventIn::from_json(line).and_then(|event| event.parse(origin));
        lines.iter().map(|line| parse(line).unwrap()).collect()
    }

    #[test]
    fn the_same_plan_and_start_make_the_same_events() {
        assert_eq!(PLAN.simulate(START).unwrap(), PLAN.simulate(START).unwrap());
        let other = Plan { seed: 8, ..PLAN };
        assert_ne!(
            PLAN.simulate(START).unwrap(),
            other.simulate(START).unwrap()
        );
    }

    #[test]
    fn a_later_start_brings_the_same_people_in_new_sessions() {
        let later = START + Duration::from_secs(86_400);
        let ids = |start, of: fn(&Event) -> Uuid| -> BTreeSet<Uuid> {
            events(&PLAN, start).iter().map(of).collect()
        };
        let classroom = |event: &Event| event.classroom_id;
        assert_eq!(ids(START, classroom), ids(later, classroom));
        assert!(ids(START, |e| e.session_id).is_disjoint(&ids(later, |e| e.session_id)));
        assert!(ids(START, |e| e.event_id.uuid()).is_disjoint(&ids(later, |e| e.event_id.uuid())));
    }

    #[test]
    fn every_event_satisfies_the_contract_and_has_its_own_id() {
        let events = events(&PLAN, START);
        let ids: BTreeSet<Uuid> = events.iter().map(|event| event.event_id.uuid()).collect();
        assert_eq!(ids.len(), events.len());
        let times: Vec<_> = events.iter().map(|event| event.occurred_at).collect();
        assert!(times.is_sorted());
        assert!(
            times
                .last()
                .is_some_and(|last| *last <= START + PLAN.longest())
        );
    }

    #[test]
    fn each_session_starts_publishes_every_question_and_ends() {
        let mut counts: BTreeMap<Uuid, BTreeMap<&str, usize>> = BTreeMap::new();
        for event in events(&PLAN, START) {
            *counts
                .entry(event.session_id)
                .or_default()
                .entry(event.type_name())
                .or_default() += 1;
        }
        assert_eq!(counts.len(), 8);
        for count in counts.values() {
            assert_eq!(count[type_name::SESSION_STARTED], 1);
            assert_eq!(count[type_name::QUESTION_PUBLISHED], 6);
            assert_eq!(count[type_name::SESSION_ENDED], 1);
            // 20 students, 6 questions, and some of both missing.
            assert!(
                (60..120).contains(&count[type_name::ANSWER_SUBMITTED]),
                "{count:?}"
            );
        }
    }

    #[test]
    fn a_student_answers_a_question_once_and_only_in_the_own_classroom() {
        let mut seen = BTreeSet::new();
        let mut classrooms: BTreeMap<Uuid, Uuid> = BTreeMap::new();
        for event in events(&PLAN, START) {
            if let Fact::AnswerSubmitted {
                question_id,
                student_id,
                ..
            } = event.fact
            {
                assert!(seen.insert((event.session_id, question_id, student_id)));
                let classroom = classrooms.entry(student_id).or_insert(event.classroom_id);
                assert_eq!(*classroom, event.classroom_id);
            }
        }
    }

    #[test]
    fn answers_are_neither_all_right_nor_all_wrong() {
        let lines = PLAN.simulate(START).unwrap();
        let values: Vec<Value> = lines
            .iter()
            .map(|l| serde_json::from_slice(l).unwrap())
            .collect();
        let keys: BTreeMap<&str, &str> = values
            .iter()
            .filter_map(|v| Some((v["question_id"].as_str()?, v["correct_answer"].as_str()?)))
            .collect();
        let graded: Vec<bool> = values
            .iter()
            .filter_map(|v| Some(keys[v["question_id"].as_str()?] == v["answer"].as_str()?))
            .collect();
        let right = graded.iter().filter(|right| **right).count() as f64 / graded.len() as f64;
        assert!((0.4..0.8).contains(&right), "{right}");
    }
}
