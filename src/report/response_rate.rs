//! How many of those who could answer a question did.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Report;
use super::number::Hundredths;
use super::params::{InvalidParam, QueryParams, SessionQuestion};
use crate::tenant::Tenant;

/// Contract 8.6.
#[derive(Debug, Serialize)]
pub struct ResponseRate {
    question_id: Uuid,
    session_id: Uuid,
    /// The session's roster; 0 if the question was never published there.
    students_received: i64,
    /// Those of them with an answer; guests are left out.
    students_answered: i64,
    response_rate: Hundredths,
    analysis: Analysis,
}

#[derive(Debug, Serialize)]
struct Analysis {
    engagement_level: &'static str,
    benchmark: &'static str,
}

impl Report for ResponseRate {
    type Params = SessionQuestion;

    fn params(query: &QueryParams) -> Result<SessionQuestion, InvalidParam> {
        query.session_question()
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        params: &SessionQuestion,
        _: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        let (received, answered): (i64, i64) = sqlx::query_as(
            "SELECT count(*), count(*) FILTER (WHERE EXISTS (
                        SELECT FROM answers a
                        WHERE (a.tenant_id, a.session_id, a.student_id) = (r.tenant_id, r.session_id, r.student_id)
                          AND a.question_id = $3))
             FROM session_rosters r
             WHERE r.tenant_id = $1 AND r.session_id = $2
               AND EXISTS (SELECT FROM publications p
                           WHERE p.tenant_id = $1 AND p.session_id = $2 AND p.question_id = $3)",
        )
        .bind(tenant.id())
        .bind(params.session_id)
        .bind(params.question_id)
        .fetch_one(db)
        .await?;
        let rate = Hundredths::percent(answered, received);
        Ok(Self {
            question_id: params.question_id,
            session_id: params.session_id,
            students_received: received,
            students_answered: answered,
            response_rate: rate,
            analysis: Analysis {
                engagement_level: engagement_level(rate),
                benchmark: "The industry average response rate is 85%",
            },
        })
    }
}

fn engagement_level(rate: Hundredths) -> &'static str {
    if rate.at_least(90) {
        "excellent"
    } else if rate.at_least(75) {
        "good"
    } else if rate.at_least(60) {
        "moderate"
    } else {
        "low"
    }
}
