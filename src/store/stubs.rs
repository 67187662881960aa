//! The entities that a batch names and that may have no rows yet.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use time::OffsetDateTime;
use uuid::Uuid;

use super::known::{Entity, FirstEvent, Kind, KnownEntities};
use crate::event::{Event, Fact};

/// Distinct ids of one kind, in order.
#[derive(Debug, Default)]
struct Ids {
    tenant: Vec<i32>,
    id: Vec<Uuid>,
}

impl Ids {
    fn of(kind: Kind, pairs: impl Iterator<Item = (i32, Uuid)>, known: &KnownEntities) -> Self {
        let mut distinct: Vec<_> = pairs.collect();
        // A session's events name one quiz and one classroom as a rule: most copies go before the sort.
        distinct.dedup();
        distinct.sort_unstable();
        distinct.dedup();
        distinct.retain(|(tenant, id)| !known.covers((kind, *tenant, *id), None));
        let (tenant, id) = distinct.into_iter().unzip();
        Self { tenant, id }
    }

    fn entities(&self, kind: Kind) -> impl Iterator<Item = Entity> + '_ {
        self.tenant
            .iter()
            .zip(&self.id)
            .map(move |(tenant, id)| (kind, *tenant, *id))
    }
}

/// For each question, the earliest of the batch's events that names it.
#[derive(Debug, Default)]
struct Questions {
    ids: Ids,
    first_at: Vec<OffsetDateTime>,
    first_event: Vec<Uuid>,
    first_session: Vec<Uuid>,
}

impl Questions {
    fn of(events: &[&Event], known: &KnownEntities) -> Self {
        let mut first: Vec<((i32, Uuid), FirstEvent)> = events
            .iter()
            .filter_map(|event| {
                let question = (event.tenant.id(), event.question_id()?);
                Some((
                    question,
                    (event.occurred_at, event.event_id.uuid(), event.session_id),
                ))
            })
            .collect();
        first.sort_unstable();
        first.dedup_by_key(|(question, _)| *question);
        let mut columns = Self::default();
        for ((tenant, question), first) in first {
            if !known.covers((Kind::Question, tenant, question), Some(first)) {
                let (at, event, session) = first;
                columns.ids.tenant.push(tenant);
                columns.ids.id.push(question);
                columns.first_at.push(at);
                columns.first_event.push(event);
                columns.first_session.push(session);
            }
        }
        columns
    }
}

/// The entities of a batch that are not known to have rows.
#[derive(Debug)]
pub(super) struct Stubs {
    quizzes: Ids,
    classrooms: Ids,
    students: Ids,
    questions: Questions,
}

impl Stubs {
    pub(super) fn of(events: &[&Event], known: &KnownEntities) -> Self {
        let students = events.iter().filter_map(|event| match event.fact {
            Fact::AnswerSubmitted { student_id, .. } => Some((event.tenant.id(), student_id)),
            _ => None,
        });
        let quizzes = events
            .iter()
            .map(|event| (event.tenant.id(), event.quiz_id));
        let classrooms = events
            .iter()
            .map(|event| (event.tenant.id(), event.classroom_id));
        Self {
            quizzes: Ids::of(Kind::Quiz, quizzes, known),
            classrooms: Ids::of(Kind::Classroom, classrooms, known),
            students: Ids::of(Kind::Student, students, known),
            questions: Questions::of(events, known),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let Self {
            quizzes,
            classrooms,
            students,
            questions,
        } = self;
        [quizzes, classrooms, students, &questions.ids]
            .iter()
            .all(|ids| ids.id.is_empty())
    }

    /// Binds `$45` to `$55`.
    pub(super) fn bind<'q>(
        &'q self,
        query: Query<'q, Postgres, PgArguments>,
    ) -> Query<'q, Postgres, PgArguments> {
        query
            .bind(&self.quizzes.tenant)
            .bind(&self.quizzes.id)
            .bind(&self.classrooms.tenant)
            .bind(&self.classrooms.id)
            .bind(&self.students.tenant)
            .bind(&self.students.id)
            .bind(&self.questions.ids.tenant)
            .bind(&self.questions.ids.id)
            .bind(&self.questions.first_at)
            .bind(&self.questions.first_event)
            .bind(&self.questions.first_session)
    }

    /// Remembers them, once the transaction that made sure of them is committed.
    pub(super) fn remember(&self, known: &KnownEntities) {
        let Self {
            quizzes,
            classrooms,
            students,
            questions,
        } = self;
        let plain = quizzes
            .entities(Kind::Quiz)
            .chain(classrooms.entities(Kind::Classroom))
            .chain(students.entities(Kind::Student));
        plain.for_each(|entity| known.remember(entity, None));
        for (index, entity) in questions.ids.entities(Kind::Question).enumerate() {
            let first = (
                questions.first_at[index],
                questions.first_event[index],
                questions.first_session[index],
            );
            known.remember(entity, Some(first));
        }
    }
}
