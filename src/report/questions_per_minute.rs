//! The pace of a session: how many questions are published per minute.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Report;
use super::number::Hundredths;
use super::params::{InvalidParam, QueryParams};
use crate::tenant::Tenant;

const MINUTE_US: i64 = 60_000_000;

/// Contract 8.2.
#[derive(Debug, Serialize)]
pub struct QuestionsPerMinute {
    session_id: Uuid,
    /// Publications; a question that was published again counts again.
    total_questions: i64,
    /// Per minute from the first to the last publication, which is at least one minute.
    average_qpm: Hundredths,
    /// Most publications within any 60 seconds.
    peak_qpm: i64,
    analysis_window: &'static str,
}

#[derive(sqlx::FromRow)]
struct Row {
    publications: i64,
    span_us: i64,
    peak: i64,
}

impl Report for QuestionsPerMinute {
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
        // The window is half-open: two publications exactly 60 s apart are never in one. Timestamps have microseconds.
        let row: Row = sqlx::query_as(
            "SELECT count(*) AS publications,
                    coalesce((extract(epoch FROM max(published_at) - min(published_at)) * 1000000)::bigint, 0) AS span_us,
                    coalesce(max(in_window), 0) AS peak
             FROM (SELECT published_at,
                          count(*) OVER (ORDER BY published_at
                                         RANGE BETWEEN CURRENT ROW AND interval '59.999999 s' FOLLOWING) AS in_window
                   FROM publications
                   WHERE tenant_id = $1 AND session_id = $2) AS p",
        )
        .bind(tenant.id())
        .bind(session_id)
        .fetch_one(db)
        .await?;
        let span_us = i128::from(row.span_us.max(MINUTE_US));
        Ok(Self {
            session_id: *session_id,
            total_questions: row.publications,
            average_qpm: Hundredths::ratio(
                i128::from(row.publications) * i128::from(MINUTE_US),
                span_us,
            ),
            peak_qpm: row.peak,
            analysis_window: "session_duration",
        })
    }
}
