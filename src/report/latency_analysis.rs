//! How long a question's answers took in a session, each against its own round.

use serde::Serialize;
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::number::round_div;
use super::params::{InvalidParam, QueryParams, SessionQuestion};
use super::{Report, duration};
use crate::tenant::Tenant;

/// Contract 8.7.
#[derive(Debug, Serialize)]
pub struct LatencyAnalysis {
    question_id: Uuid,
    session_id: Uuid,
    /// Of the earliest answer that has a latency.
    first_answer_latency: String,
    average_latency: String,
    /// The middle of the two in the middle when their number is even.
    median_latency: String,
    /// All answers, also those given before any publication, which have no latency.
    answer_count: i64,
    analysis: Analysis,
}

#[derive(Debug, Serialize)]
struct Analysis {
    speed_rating: &'static str,
    benchmark: &'static str,
}

#[derive(sqlx::FromRow)]
struct Row {
    answers: i64,
    timed: i64,
    latency_us: i64,
    first_us: i64,
    lower_middle_us: i64,
    upper_middle_us: i64,
}

impl Report for LatencyAnalysis {
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
        let row: Row = sqlx::query_as(
            "SELECT count(*) AS answers,
                    count(latency_us) AS timed,
                    saturated(coalesce(sum(latency_us), 0)) AS latency_us,
                    coalesce((array_agg(latency_us ORDER BY submitted_at, event_id)
                              FILTER (WHERE latency_us IS NOT NULL))[1], 0) AS first_us,
                    coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY latency_us), 0) AS lower_middle_us,
                    coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY latency_us DESC), 0) AS upper_middle_us
             FROM effective_answers
             WHERE tenant_id = $1 AND session_id = $2 AND question_id = $3",
        )
        .bind(tenant.id())
        .bind(params.session_id)
        .bind(params.question_id)
        .fetch_one(db)
        .await?;
        let average = mean(row.latency_us.into(), row.timed);
        let middle = i128::from(row.lower_middle_us) + i128::from(row.upper_middle_us);
        Ok(Self {
            question_id: params.question_id,
            session_id: params.session_id,
            first_answer_latency: duration::to_text(mean(row.first_us.into(), 1)),
            average_latency: duration::to_text(average),
            median_latency: duration::to_text(mean(middle, 2)),
            answer_count: row.answers,
            analysis: Analysis {
                speed_rating: if row.timed == 0 {
                    "no_data"
                } else {
                    speed_rating(average)
                },
                benchmark: "Aim for an average below 30 seconds",
            },
        })
    }
}

/// The mean of so many latencies, in whole milliseconds; zero of none.
fn mean(sum_us: i128, count: i64) -> Duration {
    Duration::milliseconds(round_div(sum_us, i128::from(count) * 1_000))
}

fn speed_rating(average: Duration) -> &'static str {
    if average <= Duration::seconds(15) {
        "fast"
    } else if average <= Duration::seconds(30) {
        "moderate"
    } else {
        "slow"
    }
}
