//! Which events are stored, asked without writing anything.

use serde::Serialize;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::columns::{Table, identity};
use crate::event::Event;

/// How many rows of each kind of fact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Kinds {
    /// Answers.
    pub answers: i64,
    /// Publications of questions.
    pub publications: i64,
    /// Starts and ends of sessions.
    pub session_events: i64,
}

impl Kinds {
    /// Counts the row of an event.
    pub fn count(&mut self, event: &Event) {
        match identity(event).3 {
            Table::Answers => self.answers += 1,
            Table::Publications => self.publications += 1,
            Table::SessionEvents => self.session_events += 1,
        }
    }

    /// Rows of all kinds.
    pub fn total(self) -> i64 {
        self.answers + self.publications + self.session_events
    }
}

impl std::ops::AddAssign for Kinds {
    fn add_assign(&mut self, more: Self) {
        self.answers += more.answers;
        self.publications += more.publications;
        self.session_events += more.session_events;
    }
}

/// How many rows these events would add; copies of one event count once.
///
/// # Errors
/// If the database fails.
pub async fn count_not_stored(
    db: impl PgExecutor<'_>,
    events: &[Event],
) -> Result<Kinds, sqlx::Error> {
    let mut tenants = Vec::with_capacity(events.len());
    let mut sessions = Vec::with_capacity(events.len());
    let mut ids: Vec<Uuid> = Vec::with_capacity(events.len());
    let mut tables = Vec::with_capacity(events.len());
    for event in events {
        let (tenant, session, id, table) = identity(event);
        tenants.push(tenant);
        sessions.push(session);
        ids.push(id);
        tables.push(match table {
            Table::Answers => 0_i32,
            Table::Publications => 1,
            Table::SessionEvents => 2,
        });
    }
    sqlx::query_as(include_str!("count_not_stored.sql"))
        .bind(tenants)
        .bind(sessions)
        .bind(ids)
        .bind(tables)
        .fetch_one(db)
        .await
}
