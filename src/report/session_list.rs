//! Sessions as lists show them, a classroom's (8.16) or a quiz's (8.17).

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use time::serde::rfc3339;
use uuid::Uuid;

use super::number::Hundredths;
use super::paging::{Listed, Page, Pagination};
use crate::tenant::Tenant;

/// A page of sessions, the newest first; those without a start come last.
#[derive(Debug, Serialize)]
pub(super) struct SessionList {
    pagination: Pagination,
    sessions: Vec<Session>,
    summary: Summary,
}

#[derive(Debug, Serialize)]
struct Session {
    session_id: Uuid,
    quiz_title: String,
    classroom_name: String,
    #[serde(with = "rfc3339::option")]
    started_at: Option<OffsetDateTime>,
    /// `3600.000000 seconds`; null while the session is open.
    duration: Option<String>,
    /// The roster.
    total_students: i64,
    /// Of the roster, those with an answer.
    participating_students: i64,
    /// Distinct published questions.
    total_questions: i64,
    average_accuracy: Hundredths,
    /// Of the roster, those who answered every published question.
    completion_rate: Hundredths,
    /// Mean of accuracy and participation.
    engagement_score: Hundredths,
}

#[derive(Debug, Serialize)]
struct Summary {
    total_sessions: i64,
    page_sessions: usize,
}

#[derive(sqlx::FromRow)]
struct Row {
    session_id: Uuid,
    quiz_title: String,
    classroom_name: String,
    started_at: Option<OffsetDateTime>,
    duration: Option<String>,
    roster_students: i64,
    participating_students: i64,
    completed_students: i64,
    published_questions: i64,
    graded: i64,
    correct: i64,
}

impl From<Row> for Session {
    fn from(row: Row) -> Self {
        Self {
            session_id: row.session_id,
            quiz_title: row.quiz_title,
            classroom_name: row.classroom_name,
            started_at: row.started_at,
            duration: row.duration,
            total_students: row.roster_students,
            participating_students: row.participating_students,
            total_questions: row.published_questions,
            average_accuracy: Hundredths::percent(row.correct, row.graded),
            completion_rate: Hundredths::percent(row.completed_students, row.roster_students),
            engagement_score: Hundredths::mean_percent(
                (row.correct, row.graded),
                (row.participating_students, row.roster_students),
            ),
        }
    }
}

/// Whose sessions are listed.
#[derive(Debug, Clone, Copy)]
pub(super) enum SessionsOf {
    Classroom(Uuid),
    Quiz(Uuid),
}

impl SessionList {
    pub(super) async fn load(
        db: &PgPool,
        tenant: Tenant,
        of: SessionsOf,
        page: Page,
    ) -> Result<Self, sqlx::Error> {
        let (query, id) = match of {
            SessionsOf::Classroom(id) => (
                concat!(
                    "WITH listed AS (SELECT * FROM sessions WHERE tenant_id = $1 AND classroom_id = $2)",
                    include_str!("session_list.sql")
                ),
                id,
            ),
            SessionsOf::Quiz(id) => (
                concat!(
                    "WITH listed AS (SELECT * FROM sessions WHERE tenant_id = $1 AND quiz_id = $2)",
                    include_str!("session_list.sql")
                ),
                id,
            ),
        };
        let rows: Vec<Listed<Row>> = sqlx::query_as(query)
            .bind(tenant.id())
            .bind(id)
            .bind(page.page_size)
            .bind(page.offset())
            .fetch_all(db)
            .await?;
        let (total, rows) = Listed::collect(rows);
        let sessions: Vec<_> = rows.into_iter().map(Session::from).collect();
        Ok(Self {
            pagination: Pagination::of(page, total),
            summary: Summary {
                total_sessions: total,
                page_sessions: sessions.len(),
            },
            sessions,
        })
    }
}
