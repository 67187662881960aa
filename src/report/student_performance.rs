//! How a student does in a classroom.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::number::Hundredths;
use super::params::{InvalidParam, QueryParams};
use super::trend::Halves;
use super::{Report, mean_latency};
use crate::tenant::Tenant;

/// Contract 8.3.
#[derive(Debug, Serialize)]
pub struct StudentPerformance {
    student_id: Uuid,
    classroom_id: Uuid,
    /// Answers that count: one for each session and question.
    questions_attempted: i64,
    correct_answers: i64,
    overall_accuracy_percent: Hundredths,
    average_response_time: String,
    average_response_time_seconds: Option<Hundredths>,
    performance_trend: &'static str,
}

/// A student in the sessions of a classroom, enrolled there or not.
#[derive(Debug)]
pub struct Params {
    student_id: Uuid,
    classroom_id: Uuid,
}

#[derive(Default, sqlx::FromRow)]
struct Row {
    answers: i64,
    graded: i64,
    correct: i64,
    timed: i64,
    latency_us: i64,
    #[sqlx(flatten)]
    halves: Halves,
}

impl Report for StudentPerformance {
    type Params = Params;

    fn params(query: &QueryParams) -> Result<Params, InvalidParam> {
        let (student_id, classroom_id) = query.id_pair("student_id", "classroom_id")?;
        Ok(Params {
            student_id,
            classroom_id,
        })
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        params: &Params,
        _: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        // Without a graded answer there are no halves.
        let row: Option<Row> = sqlx::query_as(
            "SELECT f.answers, f.graded, f.correct, f.timed, f.latency_us,
                    coalesce(h.older_graded, 0) AS older_graded, coalesce(h.older_correct, 0) AS older_correct,
                    coalesce(h.newer_graded, 0) AS newer_graded, coalesce(h.newer_correct, 0) AS newer_correct
             FROM classroom_student_figures f
             LEFT JOIN classroom_student_halves h USING (tenant_id, classroom_id, student_id)
             WHERE f.tenant_id = $1 AND f.classroom_id = $2 AND f.student_id = $3",
        )
        .bind(tenant.id())
        .bind(params.classroom_id)
        .bind(params.student_id)
        .fetch_optional(db)
        .await?;
        let row = row.unwrap_or_default();
        Ok(Self {
            student_id: params.student_id,
            classroom_id: params.classroom_id,
            questions_attempted: row.answers,
            correct_answers: row.correct,
            overall_accuracy_percent: Hundredths::percent(row.correct, row.graded),
            average_response_time: mean_latency::text(row.latency_us, row.timed),
            average_response_time_seconds: mean_latency::seconds(row.latency_us, row.timed),
            performance_trend: row.halves.trend(),
        })
    }
}
