//! What a tenant's reports are about, as plain lists, and the building blocks of contract 7.4 and 7.5.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::clock::{Micros, SECOND};

/// An event as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Happening {
    pub(super) id: Uuid,
    pub(super) session: Uuid,
    pub(super) quiz: Uuid,
    pub(super) classroom: Uuid,
    pub(super) at: Micros,
    pub(super) fact: Fact,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact {
    Start,
    End,
    Publication {
        question: Uuid,
        teacher: Option<Uuid>,
        timer_sec: Option<i64>,
        key: Option<String>,
    },
    Answer {
        question: Uuid,
        student: Uuid,
        text: String,
        response_ms: Option<i64>,
    },
}

/// What is known beside the events.
#[derive(Debug, Clone, Default)]
pub(super) struct Catalogue {
    pub(super) titles: BTreeMap<Uuid, String>,
    /// The quiz and the key of a question.
    pub(super) questions: BTreeMap<Uuid, (Uuid, Option<String>)>,
    pub(super) classrooms: BTreeMap<Uuid, String>,
    pub(super) rosters: BTreeMap<Uuid, BTreeSet<Uuid>>,
    pub(super) names: BTreeMap<Uuid, String>,
}

#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) id: Uuid,
    pub(super) quiz: Uuid,
    pub(super) classroom: Uuid,
    pub(super) started_at: Option<Micros>,
    pub(super) ended_at: Option<Micros>,
}

impl Session {
    /// Once it has ended.
    pub(super) fn duration(&self) -> Option<Micros> {
        self.started_at
            .zip(self.ended_at)
            .map(|(start, end)| end - start)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Publication {
    pub(super) id: Uuid,
    pub(super) session: Uuid,
    pub(super) question: Uuid,
    pub(super) teacher: Option<Uuid>,
    pub(super) at: Micros,
    pub(super) timer_sec: Option<i64>,
    key: Option<String>,
}

impl Publication {
    pub(super) fn deadline(&self) -> Option<Micros> {
        self.timer_sec.map(|timer| self.at + timer * SECOND)
    }
}

/// One submission of an answer, graded, with its round.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) id: Uuid,
    pub(super) session: Uuid,
    pub(super) question: Uuid,
    pub(super) student: Uuid,
    pub(super) text: String,
    pub(super) at: Micros,
    pub(super) response_ms: Option<i64>,
    pub(super) is_correct: Option<bool>,
    pub(super) round: Option<Publication>,
}

impl Attempt {
    pub(super) fn latency(&self) -> Option<Micros> {
        self.round.as_ref().map(|round| self.at - round.at)
    }
}

/// All that one tenant's reports are computed from.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) sessions: Vec<Session>,
    pub(super) publications: Vec<Publication>,
    pub(super) attempts: Vec<Attempt>,
    /// The attempts that count: the last one of each student at each question of a session.
    pub(super) answers: Vec<Attempt>,
    catalogue: Catalogue,
    events: Vec<Happening>,
}

impl Model {
    pub(super) fn new(events: &[Happening], catalogue: Catalogue) -> Self {
        let mut seen = BTreeSet::new();
        let events: Vec<Happening> = events
            .iter()
            .filter(|event| seen.insert((event.session, event.id)))
            .cloned()
            .collect();
        let mut model = Self {
            sessions: sessions(&events),
            publications: events.iter().filter_map(publication).collect(),
            attempts: Vec::new(),
            answers: Vec::new(),
            catalogue,
            events,
        };
        model.attempts = model
            .events
            .iter()
            .filter_map(|event| model.attempt(event))
            .collect();
        model.answers = model
            .attempts
            .iter()
            .filter(|attempt| {
                !model.attempts.iter().any(|other| {
                    (other.session, other.question, other.student)
                        == (attempt.session, attempt.question, attempt.student)
                        && (other.at, other.id) > (attempt.at, attempt.id)
                })
            })
            .cloned()
            .collect();
        model
    }

    fn attempt(&self, event: &Happening) -> Option<Attempt> {
        let Fact::Answer {
            question,
            student,
            text,
            response_ms,
        } = &event.fact
        else {
            return None;
        };
        let round = self
            .publications
            .iter()
            .filter(|publication| {
                (publication.session, publication.question) == (event.session, *question)
                    && publication.at <= event.at
            })
            .max_by_key(|publication| (publication.at, publication.id));
        Some(Attempt {
            id: event.id,
            session: event.session,
            question: *question,
            student: *student,
            text: text.clone(),
            at: event.at,
            response_ms: *response_ms,
            is_correct: self.key(*question).map(|key| key.trim() == text.trim()),
            round: round.cloned(),
        })
    }

    /// The catalogue's, else that of the newest publication that carries one.
    fn key(&self, question: Uuid) -> Option<&str> {
        let catalogued = self.catalogue.questions.get(&question);
        let published = self
            .publications
            .iter()
            .filter(|publication| publication.question == question && publication.key.is_some())
            .max_by_key(|publication| (publication.at, publication.id));
        catalogued
            .and_then(|(_, key)| key.as_deref())
            .or_else(|| published.and_then(|publication| publication.key.as_deref()))
    }

    pub(super) fn session(&self, id: Uuid) -> Option<&Session> {
        self.sessions.iter().find(|session| session.id == id)
    }

    pub(super) fn sessions_of_classroom(&self, classroom: Uuid) -> Vec<&Session> {
        self.sessions
            .iter()
            .filter(|session| session.classroom == classroom)
            .collect()
    }

    pub(super) fn sessions_of_quiz(&self, quiz: Uuid) -> Vec<&Session> {
        self.sessions
            .iter()
            .filter(|session| session.quiz == quiz)
            .collect()
    }

    pub(super) fn answers_in(&self, session: Uuid) -> Vec<&Attempt> {
        self.answers
            .iter()
            .filter(|answer| answer.session == session)
            .collect()
    }

    pub(super) fn answers_of<'m>(&'m self, sessions: &[&Session]) -> Vec<&'m Attempt> {
        sessions
            .iter()
            .flat_map(|session| self.answers_in(session.id))
            .collect()
    }

    pub(super) fn publications_in(&self, session: Uuid) -> Vec<&Publication> {
        self.publications
            .iter()
            .filter(|publication| publication.session == session)
            .collect()
    }

    /// Each once, in the order of their first publication.
    pub(super) fn published_questions(&self, session: Uuid) -> Vec<Uuid> {
        let mut publications = self.publications_in(session);
        publications.sort_by_key(|publication| (publication.at, publication.question));
        let mut questions = Vec::new();
        for publication in publications {
            if !questions.contains(&publication.question) {
                questions.push(publication.question);
            }
        }
        questions
    }

    /// Distinct questions published in any of the sessions.
    pub(super) fn published_in(&self, sessions: &[&Session]) -> BTreeSet<Uuid> {
        sessions
            .iter()
            .flat_map(|session| self.published_questions(session.id))
            .collect()
    }

    pub(super) fn roster(&self, classroom: Uuid) -> BTreeSet<Uuid> {
        self.catalogue
            .rosters
            .get(&classroom)
            .cloned()
            .unwrap_or_default()
    }

    /// Of the session's classroom; empty for an unknown session.
    pub(super) fn roster_of(&self, session: Uuid) -> BTreeSet<Uuid> {
        self.session(session)
            .map(|session| self.roster(session.classroom))
            .unwrap_or_default()
    }

    pub(super) fn is_guest(&self, answer: &Attempt) -> bool {
        !self.roster_of(answer.session).contains(&answer.student)
    }

    pub(super) fn student_name(&self, student: Uuid) -> &str {
        self.catalogue
            .names
            .get(&student)
            .map_or("Unknown", String::as_str)
    }

    pub(super) fn classroom_name(&self, classroom: Uuid) -> &str {
        self.catalogue
            .classrooms
            .get(&classroom)
            .map_or("", String::as_str)
    }

    pub(super) fn quiz_title(&self, quiz: Uuid) -> &str {
        self.catalogue.titles.get(&quiz).map_or("", String::as_str)
    }

    /// Whether the catalogue or an event has ever named the classroom.
    pub(super) fn knows_classroom(&self, classroom: Uuid) -> bool {
        self.catalogue.classrooms.contains_key(&classroom)
            || self.events.iter().any(|event| event.classroom == classroom)
    }

    /// The catalogue's, else that of the session of the question's earliest event.
    pub(super) fn quiz_of(&self, question: Uuid) -> Option<Uuid> {
        let named = |event: &&Happening| match &event.fact {
            Fact::Publication {
                question: named, ..
            }
            | Fact::Answer {
                question: named, ..
            } => *named == question,
            Fact::Start | Fact::End => false,
        };
        if let Some((quiz, _)) = self.catalogue.questions.get(&question) {
            return Some(*quiz);
        }
        let earliest = self
            .events
            .iter()
            .filter(named)
            .min_by_key(|event| (event.at, event.id, event.session))?;
        self.session(earliest.session).map(|session| session.quiz)
    }

    /// Every question of the quiz in the order of ids, used or not.
    pub(super) fn questions_of_quiz(&self, quiz: Uuid) -> Vec<Uuid> {
        let named = self.events.iter().filter_map(|event| match &event.fact {
            Fact::Publication { question, .. } | Fact::Answer { question, .. } => Some(*question),
            Fact::Start | Fact::End => None,
        });
        let all: BTreeSet<Uuid> = self
            .catalogue
            .questions
            .keys()
            .copied()
            .chain(named)
            .collect();
        all.into_iter()
            .filter(|question| self.quiz_of(*question) == Some(quiz))
            .collect()
    }
}

fn sessions(events: &[Happening]) -> Vec<Session> {
    let ids: BTreeSet<Uuid> = events.iter().map(|event| event.session).collect();
    ids.into_iter()
        .map(|id| {
            let own = || events.iter().filter(|event| event.session == id);
            let start = own()
                .filter(|event| event.fact == Fact::Start)
                .min_by_key(|event| (event.at, event.id));
            let naming = start
                .or_else(|| own().min_by_key(|event| (event.at, event.id)))
                .expect("an event names the session");
            let end = own().filter(|event| event.fact == Fact::End);
            Session {
                id,
                quiz: naming.quiz,
                classroom: naming.classroom,
                started_at: start.map(|event| event.at),
                ended_at: end.map(|event| event.at).max(),
            }
        })
        .collect()
}

fn publication(event: &Happening) -> Option<Publication> {
    let Fact::Publication {
        question,
        teacher,
        timer_sec,
        key,
    } = &event.fact
    else {
        return None;
    };
    Some(Publication {
        id: event.id,
        session: event.session,
        question: *question,
        teacher: *teacher,
        at: event.at,
        timer_sec: *timer_sec,
        key: key.clone(),
    })
}
