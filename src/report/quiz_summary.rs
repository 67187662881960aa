//! How a quiz does wherever it was put to a classroom.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use time::serde::rfc3339;
use uuid::Uuid;

use super::Report;
use super::number::Hundredths;
use super::params::{InvalidParam, QueryParams};
use crate::tenant::Tenant;

/// Contract 8.13.
#[derive(Debug, Serialize)]
pub struct QuizSummary {
    quiz_id: Uuid,
    title: String,
    usage_statistics: UsageStatistics,
    performance_metrics: PerformanceMetrics,
    insights: Insights,
}

#[derive(Debug, Serialize)]
struct UsageStatistics {
    total_sessions: i64,
    total_classrooms: i64,
    /// Who answered, guests included.
    total_students: i64,
    /// Distinct published questions.
    total_questions: i64,
    /// The first start; sessions in the future are left out.
    #[serde(with = "rfc3339::option")]
    first_used: Option<OffsetDateTime>,
    #[serde(with = "rfc3339::option")]
    last_used: Option<OffsetDateTime>,
}

#[derive(Debug, Serialize)]
struct PerformanceMetrics {
    average_accuracy: Hundredths,
    /// Mean completion rate of the sessions with a publication and a roster.
    average_completion: Hundredths,
    /// Of the students on the rosters, those who answered.
    overall_engagement: Hundredths,
    effectiveness_score: Hundredths,
}

#[derive(Debug, Serialize)]
struct Insights {
    performance_rating: &'static str,
    usage_frequency: &'static str,
    reach: &'static str,
}

#[derive(sqlx::FromRow)]
struct Row {
    title: String,
    sessions: i64,
    classrooms: i64,
    students: i64,
    questions: i64,
    first_used: Option<OffsetDateTime>,
    last_used: Option<OffsetDateTime>,
    graded: i64,
    correct: i64,
    completion_hundredths: i64,
    roster_students: i64,
    active_students: i64,
}

impl Report for QuizSummary {
    type Params = Uuid;

    fn params(query: &QueryParams) -> Result<Uuid, InvalidParam> {
        query.id("quiz_id")
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        quiz_id: &Uuid,
        now: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        let row: Row = sqlx::query_as(include_str!("quiz_summary.sql"))
            .bind(tenant.id())
            .bind(quiz_id)
            .bind(now)
            .fetch_one(db)
            .await?;
        let score = Hundredths::mean_percent(
            (row.correct, row.graded),
            (row.active_students, row.roster_students),
        );
        Ok(Self {
            quiz_id: *quiz_id,
            title: row.title,
            usage_statistics: UsageStatistics {
                total_sessions: row.sessions,
                total_classrooms: row.classrooms,
                total_students: row.students,
                total_questions: row.questions,
                first_used: row.first_used,
                last_used: row.last_used,
            },
            performance_metrics: PerformanceMetrics {
                average_accuracy: Hundredths::percent(row.correct, row.graded),
                average_completion: Hundredths::from_hundredths(row.completion_hundredths),
                overall_engagement: Hundredths::percent(row.active_students, row.roster_students),
                effectiveness_score: score,
            },
            insights: Insights {
                performance_rating: performance_rating(score),
                usage_frequency: usage_frequency(row.sessions),
                reach: reach(row.classrooms),
            },
        })
    }
}

fn performance_rating(score: Hundredths) -> &'static str {
    if score.at_least(90) {
        "excellent"
    } else if score.at_least(75) {
        "good"
    } else if score.at_least(60) {
        "average"
    } else if score.at_least(40) {
        "below_average"
    } else {
        "needs_improvement"
    }
}

fn usage_frequency(sessions: i64) -> &'static str {
    match sessions {
        20.. => "high",
        10.. => "moderate",
        5.. => "low",
        _ => "minimal",
    }
}

fn reach(classrooms: i64) -> &'static str {
    match classrooms {
        10.. => "wide",
        5.. => "moderate",
        2.. => "limited",
        _ => "single_classroom",
    }
}
