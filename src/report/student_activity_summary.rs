//! What a student did in a classroom.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use time::serde::rfc3339;
use uuid::Uuid;

use super::Report;
use super::number::Hundredths;
use super::params::{InvalidParam, QueryParams};
use super::rating::{performance_level, response_speed};
use super::trend::Halves;
use crate::tenant::Tenant;

/// Contract 8.21.
#[derive(Debug, Serialize)]
pub struct StudentActivitySummary {
    activity_summary: ActivitySummary,
    insights: Insights,
    metrics: Metrics,
}

/// Over the student's answers in the classroom's sessions, enrolled or not.
#[derive(Debug, Serialize)]
struct ActivitySummary {
    student_id: Uuid,
    student_name: String,
    classroom_id: Uuid,
    classroom_name: String,
    total_sessions_participated: i64,
    unique_quizzes_taken: i64,
    total_questions_answered: i64,
    overall_accuracy: Hundredths,
    average_response_time_seconds: Hundredths,
    #[serde(with = "rfc3339::option")]
    first_activity: Option<OffsetDateTime>,
    #[serde(with = "rfc3339::option")]
    last_activity: Option<OffsetDateTime>,
}

#[derive(Debug, Serialize)]
struct Insights {
    activity_level: &'static str,
    /// The level of accuracy; the original's name for it.
    performance_trend: &'static str,
    accuracy_trend: &'static str,
    engagement_consistency: &'static str,
    response_efficiency: &'static str,
}

#[derive(Debug, Serialize)]
struct Metrics {
    questions_per_session: Hundredths,
    /// Distinct quizzes for each session, as a percentage.
    quiz_variety_score: Hundredths,
}

/// A student in a classroom.
#[derive(Debug)]
pub struct Params {
    student_id: Uuid,
    classroom_id: Uuid,
}

#[derive(sqlx::FromRow)]
struct Row {
    student_name: String,
    classroom_name: String,
    sessions: i64,
    quizzes: i64,
    answers: i64,
    graded: i64,
    correct: i64,
    timed: i64,
    latency_us: i64,
    first_at: Option<OffsetDateTime>,
    last_at: Option<OffsetDateTime>,
    started_sessions: i64,
    held_sessions: i64,
    #[sqlx(flatten)]
    halves: Halves,
}

impl Report for StudentActivitySummary {
    type Params = Params;

    const FAILURE: &'static str = "Failed to get student activity summary";

    fn params(query: &QueryParams) -> Result<Params, InvalidParam> {
        Ok(Params {
            student_id: query.overview_id("student_id")?,
            classroom_id: query.overview_id("classroom_id")?,
        })
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        params: &Params,
        now: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        let row: Row = sqlx::query_as(include_str!("student_activity_summary.sql"))
            .bind(tenant.id())
            .bind(params.student_id)
            .bind(params.classroom_id)
            .bind(now)
            .fetch_one(db)
            .await?;
        let accuracy = Hundredths::percent(row.correct, row.graded);
        let seconds = Hundredths::mean_seconds(row.latency_us, row.timed);
        Ok(Self {
            activity_summary: ActivitySummary {
                student_id: params.student_id,
                student_name: row.student_name,
                classroom_id: params.classroom_id,
                classroom_name: row.classroom_name,
                total_sessions_participated: row.sessions,
                unique_quizzes_taken: row.quizzes,
                total_questions_answered: row.answers,
                overall_accuracy: accuracy,
                average_response_time_seconds: seconds,
                first_activity: row.first_at,
                last_activity: row.last_at,
            },
            insights: Insights {
                activity_level: activity_level(row.sessions),
                performance_trend: performance_level(accuracy),
                accuracy_trend: row.halves.trend(),
                engagement_consistency: engagement_consistency(
                    row.started_sessions,
                    row.held_sessions,
                ),
                response_efficiency: response_speed(seconds, row.timed),
            },
            metrics: Metrics {
                questions_per_session: Hundredths::ratio(row.answers.into(), row.sessions.into()),
                quiz_variety_score: Hundredths::percent(row.quizzes, row.sessions),
            },
        })
    }
}

fn activity_level(sessions: i64) -> &'static str {
    match sessions {
        10.. => "highly_active",
        5.. => "active",
        2.. => "moderately_active",
        1.. => "minimally_active",
        _ => "inactive",
    }
}

/// By the share of the sessions that the classroom has held since the student's first one.
fn engagement_consistency(participated: i64, held: i64) -> &'static str {
    if held == 0 {
        "no_data"
    } else if 10 * participated >= 8 * held {
        "very_consistent"
    } else if 10 * participated >= 6 * held {
        "consistent"
    } else if 10 * participated >= 4 * held {
        "somewhat_consistent"
    } else if 10 * participated >= 2 * held {
        "inconsistent"
    } else {
        "very_inconsistent"
    }
}
