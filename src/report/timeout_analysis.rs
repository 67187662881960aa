//! Who let a question's time run out, and who passed the question over.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Report;
use super::number::Hundredths;
use super::params::{InvalidParam, QueryParams, SessionQuestion};
use crate::tenant::Tenant;

/// Contract 8.8. A late answer is an answer; guests are left out.
#[derive(Debug, Serialize)]
pub struct TimeoutAnalysis {
    question_id: Uuid,
    session_id: Uuid,
    /// The session's roster; 0 if the question was never published there.
    total_students: i64,
    /// Those of them without an answer after the last round has closed, who did nothing else either.
    timeout_count: i64,
    /// Those without an answer who answered another question since this one was first published.
    skipped_count: i64,
    /// Those without an answer while the last round is open.
    pending_count: i64,
    timeout_rate: Hundredths,
    skipped_rate: Hundredths,
    analysis: Analysis,
}

#[derive(Debug, Serialize)]
struct Analysis {
    difficulty_indicator: &'static str,
    recommendation: &'static str,
}

#[derive(sqlx::FromRow)]
struct Row {
    students: i64,
    timeouts: i64,
    skipped: i64,
    pending: i64,
}

impl Report for TimeoutAnalysis {
    type Params = SessionQuestion;

    fn params(query: &QueryParams) -> Result<SessionQuestion, InvalidParam> {
        query.session_question()
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        params: &SessionQuestion,
        now: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        let row: Row = sqlx::query_as(include_str!("timeout_analysis.sql"))
            .bind(tenant.id())
            .bind(params.session_id)
            .bind(params.question_id)
            .bind(now)
            .fetch_one(db)
            .await?;
        let timeout_rate = Hundredths::percent(row.timeouts, row.students);
        let unanswered_rate = Hundredths::percent(row.timeouts + row.skipped, row.students);
        Ok(Self {
            question_id: params.question_id,
            session_id: params.session_id,
            total_students: row.students,
            timeout_count: row.timeouts,
            skipped_count: row.skipped,
            pending_count: row.pending,
            timeout_rate,
            skipped_rate: Hundredths::percent(row.skipped, row.students),
            analysis: Analysis {
                difficulty_indicator: difficulty_indicator(unanswered_rate),
                recommendation: recommendation(timeout_rate),
            },
        })
    }
}

fn difficulty_indicator(unanswered_rate: Hundredths) -> &'static str {
    if unanswered_rate.at_least(30) {
        "high_difficulty"
    } else if unanswered_rate.at_least(15) {
        "moderate_difficulty"
    } else {
        "appropriate_difficulty"
    }
}

fn recommendation(timeout_rate: Hundredths) -> &'static str {
    if timeout_rate.at_least(20) {
        "Give more time for this question, or make it simpler"
    } else if timeout_rate.at_least(10) {
        "Watch this question: some students run out of time"
    } else {
        "The time for this question is fine"
    }
}
