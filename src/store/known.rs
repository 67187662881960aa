//! Which quizzes, classrooms, students and questions have their rows already, as far as this process has seen.
//!
//! Every event names several entities, and nearly always known ones: remembering them saves the look-ups. What is
//! remembered is doubted again after a minute, so that a row that somebody deleted by hand comes back with the next
//! event that names it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use time::OffsetDateTime;
use uuid::Uuid;

/// Most entities remembered; about 10 MB.
const ENTITIES_MAX: usize = 100_000;

/// How long an entity is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// The kinds of entities that get stubs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Quiz,
    Classroom,
    Student,
    Question,
}

/// An entity of a tenant.
pub(super) type Entity = (Kind, i32, Uuid);

/// The event that names a question first: (time, event, session). The order of arrival may turn up an earlier one.
pub(super) type FirstEvent = (OffsetDateTime, Uuid, Uuid);

#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Instant,
    first: Option<FirstEvent>,
}

/// The entities whose rows are known to exist; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct KnownEntities(Arc<Cache<Entity, Seen>>);

impl KnownEntities {
    pub(super) fn new() -> Self {
        Self(Arc::new(Cache::new(ENTITIES_MAX)))
    }

    /// Whether the row exists and, for a question, names this event or an earlier one as its first.
    pub(super) fn covers(&self, entity: Entity, first: Option<FirstEvent>) -> bool {
        self.0
            .get(&entity)
            .is_some_and(|seen| seen.at.elapsed() < REMEMBERED_FOR && seen.first <= first)
    }

    /// Remembers a row after the transaction that made sure of it.
    pub(super) fn remember(&self, entity: Entity, first: Option<FirstEvent>) {
        self.0.insert(
            entity,
            Seen {
                at: Instant::now(),
                first,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_event_is_news_about_a_question_and_a_later_one_is_not() {
        let known = KnownEntities::new();
        let question = (Kind::Question, 1, Uuid::from_u128(1));
        let at = |seconds| {
            Some((
                OffsetDateTime::from_unix_timestamp(seconds).unwrap(),
                Uuid::from_u128(7),
                Uuid::from_u128(8),
            ))
        };
        assert!(!known.covers(question, at(10)));
        known.remember(question, at(10));
        assert!(known.covers(question, at(10)));
        assert!(known.covers(question, at(11)));
        assert!(!known.covers(question, at(9)));
        assert!(!known.covers((Kind::Student, 1, Uuid::from_u128(1)), None));
    }
}
