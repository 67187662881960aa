//! How many students saw a session through to its last question.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Report;
use super::number::Hundredths;
use super::params::{InvalidParam, QueryParams};
use crate::tenant::Tenant;

/// Contract 8.9. Guests are left out.
#[derive(Debug, Serialize)]
pub struct CompletionRate {
    session_id: Uuid,
    /// The session's roster.
    total_students: i64,
    /// Those of them with an answer to every published question.
    completed_students: i64,
    completion_rate: Hundredths,
    total_questions: i64,
    /// Mean over the roster of the share of published questions answered.
    average_completion: Hundredths,
    analysis: Analysis,
}

#[derive(Debug, Serialize)]
struct Analysis {
    retention_level: &'static str,
    benchmark: &'static str,
}

#[derive(Default, sqlx::FromRow)]
struct Row {
    roster_students: i64,
    completed_students: i64,
    published_questions: i64,
    published_answered: i64,
}

impl Report for CompletionRate {
    type Params = Uuid;

    fn params(query: &QueryParams) -> Result<Uuid, InvalidParam> {
        query.id("session_id")
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        session_id: &Uuid,
        _: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT roster_students, completed_students, published_questions, published_answered
             FROM session_attendance
             WHERE tenant_id = $1 AND session_id = $2",
        )
        .bind(tenant.id())
        .bind(session_id)
        .fetch_optional(db)
        .await?;
        let row = row.unwrap_or_default();
        let rate = Hundredths::percent(row.completed_students, row.roster_students);
        Ok(Self {
            session_id: *session_id,
            total_students: row.roster_students,
            completed_students: row.completed_students,
            completion_rate: rate,
            total_questions: row.published_questions,
            average_completion: Hundredths::percent(
                row.published_answered,
                row.roster_students * row.published_questions,
            ),
            analysis: Analysis {
                retention_level: retention_level(rate),
                benchmark: "Aim for a completion rate above 80%",
            },
        })
    }
}

fn retention_level(rate: Hundredths) -> &'static str {
    if rate.at_least(85) {
        "excellent"
    } else if rate.at_least(70) {
        "good"
    } else if rate.at_least(50) {
        "moderate"
    } else {
        "concerning"
    }
}
