//! How a classroom does over all its sessions.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Report;
use super::number::Hundredths;
use super::params::{InvalidParam, QueryParams};
use super::rating::{performance_level, response_speed};
use crate::tenant::Tenant;

/// Contract 8.20.
#[derive(Debug, Serialize)]
pub struct ClassPerformanceSummary {
    performance_summary: PerformanceSummary,
    insights: Insights,
    benchmarks: Benchmarks,
}

#[derive(Debug, Serialize)]
struct PerformanceSummary {
    classroom_id: Uuid,
    classroom_name: String,
    total_students: i64,
    /// Of the roster, those with an answer.
    participating_students: i64,
    /// Over all answers in the classroom's sessions, guests' included.
    overall_accuracy: Hundredths,
    overall_participation_rate: Hundredths,
    /// Distinct quizzes with an answer.
    total_quizzes_taken: i64,
    total_questions_answered: i64,
    average_response_time_seconds: Hundredths,
    /// Sessions that have started.
    session_count: i64,
}

#[derive(Debug, Serialize)]
struct Insights {
    performance_level: &'static str,
    participation_level: &'static str,
    engagement_quality: &'static str,
    response_speed: &'static str,
}

#[derive(Debug, Serialize)]
struct Benchmarks {
    target_accuracy: f64,
    target_participation: f64,
    /// Seconds.
    optimal_response_time: f64,
}

#[derive(sqlx::FromRow)]
struct Row {
    classroom_name: String,
    students: i64,
    participating_students: i64,
    roster_answers: i64,
    quizzes: i64,
    answers: i64,
    graded: i64,
    correct: i64,
    timed: i64,
    latency_us: i64,
    sessions: i64,
}

impl Report for ClassPerformanceSummary {
    type Params = Uuid;

    const FAILURE: &'static str = "Failed to get class performance summary";

    fn params(query: &QueryParams) -> Result<Uuid, InvalidParam> {
        query.overview_id("classroom_id")
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        classroom_id: &Uuid,
        now: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        let row: Row = sqlx::query_as(include_str!("class_performance_summary.sql"))
            .bind(tenant.id())
            .bind(classroom_id)
            .bind(now)
            .fetch_one(db)
            .await?;
        let accuracy = Hundredths::percent(row.correct, row.graded);
        let participation = Hundredths::percent(row.participating_students, row.students);
        let seconds = Hundredths::mean_seconds(row.latency_us, row.timed);
        Ok(Self {
            performance_summary: PerformanceSummary {
                classroom_id: *classroom_id,
                classroom_name: row.classroom_name,
                total_students: row.students,
                participating_students: row.participating_students,
                overall_accuracy: accuracy,
                overall_participation_rate: participation,
                total_quizzes_taken: row.quizzes,
                total_questions_answered: row.answers,
                average_response_time_seconds: seconds,
                session_count: row.sessions,
            },
            insights: Insights {
                performance_level: performance_level(accuracy),
                participation_level: participation_level(participation),
                engagement_quality: engagement_quality(
                    row.roster_answers,
                    row.participating_students,
                ),
                response_speed: response_speed(seconds, row.timed),
            },
            benchmarks: Benchmarks {
                target_accuracy: 75.0,
                target_participation: 80.0,
                optimal_response_time: 30.0,
            },
        })
    }
}

fn participation_level(participation: Hundredths) -> &'static str {
    if participation.at_least(90) {
        "outstanding"
    } else if participation.at_least(75) {
        "strong"
    } else if participation.at_least(50) {
        "moderate"
    } else if participation.at_least(25) {
        "weak"
    } else {
        "very_low"
    }
}

/// By the answers that each participating student of the roster gave.
fn engagement_quality(answers: i64, students: i64) -> &'static str {
    if students == 0 {
        "no_engagement"
    } else if answers >= 20 * students {
        "deep_engagement"
    } else if answers >= 10 * students {
        "good_engagement"
    } else if answers >= 5 * students {
        "moderate_engagement"
    } else if answers >= students {
        "light_engagement"
    } else {
        "minimal_engagement"
    }
}
