//! A batch of events turned into the arrays that the write statement takes.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use time::OffsetDateTime;
use uuid::Uuid;

use super::known::KnownEntities;
use super::progress::Advance;
use super::statement::Size;
use super::stubs::Stubs;
use crate::event::{Event, Fact};

/// What makes two events copies of each other. The table is part of it: an answer and a publication under one id
/// are two facts.
pub(super) type Identity = (i32, Uuid, Uuid, Table);

/// The table that holds an event's fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Table {
    Answers,
    Publications,
    SessionEvents,
}

pub(super) fn identity(event: &Event) -> Identity {
    let table = match event.fact {
        Fact::AnswerSubmitted { .. } => Table::Answers,
        Fact::QuestionPublished { .. } => Table::Publications,
        Fact::SessionStarted | Fact::SessionEnded => Table::SessionEvents,
    };
    (
        event.tenant.id(),
        event.session_id,
        event.event_id.uuid(),
        table,
    )
}

#[derive(Default)]
struct Keys {
    tenant: Vec<i32>,
    session: Vec<Uuid>,
    event: Vec<Uuid>,
}

impl Keys {
    fn push(&mut self, event: &Event) {
        self.tenant.push(event.tenant.id());
        self.session.push(event.session_id);
        self.event.push(event.event_id.uuid());
    }
}

#[derive(Default)]
struct Answers<'e> {
    keys: Keys,
    question: Vec<Uuid>,
    student: Vec<Uuid>,
    answer: Vec<&'e str>,
    submitted_at: Vec<OffsetDateTime>,
    response_time_ms: Vec<Option<i32>>,
    sent_id: Vec<Option<&'e str>>,
    received_at: Vec<OffsetDateTime>,
}

#[derive(Default)]
struct Publications<'e> {
    keys: Keys,
    question: Vec<Uuid>,
    teacher: Vec<Option<Uuid>>,
    published_at: Vec<OffsetDateTime>,
    timer_sec: Vec<Option<i32>>,
    correct_answer: Vec<Option<&'e str>>,
    sent_id: Vec<Option<&'e str>>,
    received_at: Vec<OffsetDateTime>,
}

#[derive(Default)]
struct SessionEvents<'e> {
    keys: Keys,
    kind: Vec<&'static str>,
    quiz: Vec<Uuid>,
    classroom: Vec<Uuid>,
    occurred_at: Vec<OffsetDateTime>,
    sent_id: Vec<Option<&'e str>>,
    received_at: Vec<OffsetDateTime>,
}

/// One row a session: of the batch's events for it, the one that names quiz and classroom, and the latest end.
#[derive(Default)]
struct Sessions {
    tenant: Vec<i32>,
    session: Vec<Uuid>,
    quiz: Vec<Uuid>,
    classroom: Vec<Uuid>,
    started_at: Vec<Option<OffsetDateTime>>,
    ended_at: Vec<Option<OffsetDateTime>>,
    named_at: Vec<OffsetDateTime>,
    named_event: Vec<Uuid>,
}

impl Sessions {
    /// Events come sorted by session, so a session's row is always the last one.
    fn merge(&mut self, event: &Event) {
        let (tenant, at, id) = (event.tenant.id(), event.occurred_at, event.event_id.uuid());
        let started_at = matches!(event.fact, Fact::SessionStarted).then_some(at);
        let ended_at = matches!(event.fact, Fact::SessionEnded).then_some(at);
        if (self.tenant.last(), self.session.last()) != (Some(&tenant), Some(&event.session_id)) {
            self.tenant.push(tenant);
            self.session.push(event.session_id);
            self.quiz.push(event.quiz_id);
            self.classroom.push(event.classroom_id);
            self.started_at.push(started_at);
            self.ended_at.push(ended_at);
            self.named_at.push(at);
            self.named_event.push(id);
            return;
        }
        let last = self.tenant.len() - 1;
        self.ended_at[last] = self.ended_at[last].max(ended_at);
        // The same order as names_session() in the schema.
        let claim = (started_at.is_none(), at, id);
        if claim
            < (
                self.started_at[last].is_none(),
                self.named_at[last],
                self.named_event[last],
            )
        {
            self.quiz[last] = event.quiz_id;
            self.classroom[last] = event.classroom_id;
            self.started_at[last] = started_at;
            self.named_at[last] = at;
            self.named_event[last] = id;
        }
    }
}

/// The arrays of one batch, ready to bind.
pub(super) struct Columns<'e> {
    tenants: Vec<i32>,
    answers: Answers<'e>,
    publications: Publications<'e>,
    session_events: SessionEvents<'e>,
    sessions: Sessions,
    stubs: Stubs,
}

impl<'e> Columns<'e> {
    /// Takes events that are distinct and sorted by [`identity`].
    pub(super) fn of(events: &[&'e Event], known: &KnownEntities) -> Self {
        debug_assert!(events.is_sorted_by(|a, b| identity(a) < identity(b)));
        let mut answers = Answers::default();
        let mut publications = Publications::default();
        let mut session_events = SessionEvents::default();
        let mut sessions = Sessions::default();
        let mut tenants = Vec::new();
        for event in events {
            let tenant = event.tenant.id();
            if tenants.last() != Some(&tenant) {
                tenants.push(tenant);
            }
            sessions.merge(event);
            match &event.fact {
                Fact::AnswerSubmitted {
                    question_id,
                    student_id,
                    answer,
                    response_time_ms,
                } => {
                    answers.keys.push(event);
                    answers.question.push(*question_id);
                    answers.student.push(*student_id);
                    answers.answer.push(answer);
                    answers.submitted_at.push(event.occurred_at);
                    answers.response_time_ms.push(*response_time_ms);
                    answers.sent_id.push(event.event_id.sent());
                    answers.received_at.push(event.received_at);
                }
                Fact::QuestionPublished {
                    question_id,
                    teacher_id,
                    timer_sec,
                    correct_answer,
                } => {
                    publications.keys.push(event);
                    publications.question.push(*question_id);
                    publications.teacher.push(*teacher_id);
                    publications.published_at.push(event.occurred_at);
                    publications.timer_sec.push(*timer_sec);
                    publications.correct_answer.push(correct_answer.as_deref());
                    publications.sent_id.push(event.event_id.sent());
                    publications.received_at.push(event.received_at);
                }
                Fact::SessionStarted | Fact::SessionEnded => {
                    let started = matches!(event.fact, Fact::SessionStarted);
                    session_events.keys.push(event);
                    session_events
                        .kind
                        .push(if started { "started" } else { "ended" });
                    session_events.quiz.push(event.quiz_id);
                    session_events.classroom.push(event.classroom_id);
                    session_events.occurred_at.push(event.occurred_at);
                    session_events.sent_id.push(event.event_id.sent());
                    session_events.received_at.push(event.received_at);
                }
            }
        }
        Self {
            stubs: Stubs::of(events, known),
            tenants,
            answers,
            publications,
            session_events,
            sessions,
        }
    }

    /// How much of the statement this batch needs.
    pub(super) fn size(&self) -> Size {
        if !self.stubs.is_empty() {
            Size::FactsAndStubs
        } else if self.publications.question.is_empty() && self.session_events.kind.is_empty() {
            Size::Answers
        } else {
            Size::Facts
        }
    }

    /// The stubs that the statement makes sure of.
    pub(super) fn stubs(&self) -> &Stubs {
        &self.stubs
    }

    /// Binds the parameters of the statement of this batch's [size](Self::size).
    pub(super) fn bind<'q>(
        &'q self,
        query: Query<'q, Postgres, PgArguments>,
        key_lock: i32,
        advance: Option<&'q Advance<'q>>,
    ) -> Query<'q, Postgres, PgArguments> {
        let Self {
            answers,
            publications,
            session_events,
            sessions,
            ..
        } = self;
        let progress = advance.map(|advance| advance.progress);
        let query = query
            .bind(&self.tenants)
            .bind(key_lock)
            .bind(&answers.keys.tenant)
            .bind(&answers.keys.session)
            .bind(&answers.keys.event)
            .bind(&answers.question)
            .bind(&answers.student)
            .bind(&answers.answer)
            .bind(&answers.submitted_at)
            .bind(&answers.response_time_ms)
            .bind(&answers.sent_id)
            .bind(&answers.received_at)
            .bind(&sessions.tenant)
            .bind(&sessions.session)
            .bind(&sessions.quiz)
            .bind(&sessions.classroom)
            .bind(&sessions.started_at)
            .bind(&sessions.ended_at)
            .bind(&sessions.named_at)
            .bind(&sessions.named_event)
            .bind(progress.map(|progress| &progress.group))
            .bind(progress.map(|progress| &progress.topic))
            .bind(progress.map(|progress| progress.partition))
            .bind(progress.map(|progress| progress.next_offset))
            .bind(progress.and_then(|progress| progress.record_at))
            .bind(advance.map(|advance| &advance.finished));
        if self.size() == Size::Answers {
            return query;
        }
        let query = query
            .bind(&publications.keys.tenant)
            .bind(&publications.keys.session)
            .bind(&publications.keys.event)
            .bind(&publications.question)
            .bind(&publications.teacher)
            .bind(&publications.published_at)
            .bind(&publications.timer_sec)
            .bind(&publications.correct_answer)
            .bind(&publications.sent_id)
            .bind(&publications.received_at)
            .bind(&session_events.keys.tenant)
            .bind(&session_events.keys.session)
            .bind(&session_events.keys.event)
            .bind(&session_events.kind)
            .bind(&session_events.quiz)
            .bind(&session_events.classroom)
            .bind(&session_events.occurred_at)
            .bind(&session_events.sent_id)
            .bind(&session_events.received_at);
        if self.size() == Size::Facts {
            return query;
        }
        self.stubs.bind(query)
    }
}
