//! How a question does over all its sessions, attempt by attempt.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Report;
use super::number::Hundredths;
use super::params::{InvalidParam, QueryParams};
use super::question_figures::QuestionFigures;
use crate::tenant::Tenant;

/// Contract 8.14.
#[derive(Debug, Serialize)]
pub struct QuestionAnalysis {
    question_id: Uuid,
    /// The catalogue's quiz, else that of the session in which the question first turned up.
    quiz_id: Option<Uuid>,
    usage_stats: UsageStats,
    performance_metrics: PerformanceMetrics,
    /// Attempts per answer text, as sent.
    answer_distribution: BTreeMap<String, i64>,
    insights: Insights,
}

#[derive(Debug, Serialize)]
struct UsageStats {
    total_attempts: i64,
    correct_attempts: i64,
    /// Sessions in which the question was published.
    usage_count: i64,
}

#[derive(Debug, Serialize)]
struct PerformanceMetrics {
    accuracy_rate: Hundredths,
    /// Seconds from publication to attempt.
    average_response_time: Hundredths,
    difficulty_rating: &'static str,
}

#[derive(Debug, Serialize)]
struct Insights {
    difficulty_level: &'static str,
    response_quality: &'static str,
    effectiveness: &'static str,
}

#[derive(sqlx::FromRow)]
struct Row {
    quiz_id: Option<Uuid>,
    #[sqlx(flatten)]
    figures: QuestionFigures,
}

impl Report for QuestionAnalysis {
    type Params = Uuid;

    fn params(query: &QueryParams) -> Result<Uuid, InvalidParam> {
        query.id("question_id")
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        question_id: &Uuid,
        _: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        let Row { quiz_id, figures } = sqlx::query_as(
            "SELECT (SELECT quiz_id FROM question_quizzes WHERE tenant_id = $1 AND question_id = $2) AS quiz_id, f.*
             FROM question_figures($1, ARRAY[$2]) AS f",
        )
        .bind(tenant.id())
        .bind(question_id)
        .fetch_one(db)
        .await?;
        let accuracy = figures.accuracy();
        let seconds = figures.seconds();
        Ok(Self {
            question_id: *question_id,
            quiz_id,
            usage_stats: UsageStats {
                total_attempts: figures.attempts,
                correct_attempts: figures.correct,
                usage_count: figures.sessions,
            },
            performance_metrics: PerformanceMetrics {
                accuracy_rate: accuracy,
                average_response_time: seconds,
                difficulty_rating: figures.difficulty_rating(),
            },
            insights: Insights {
                difficulty_level: if figures.graded == 0 {
                    "no_data"
                } else {
                    difficulty_level(accuracy)
                },
                response_quality: if figures.timed == 0 {
                    "no_data"
                } else {
                    response_quality(seconds)
                },
                effectiveness: effectiveness(accuracy, figures.attempts),
            },
            answer_distribution: figures.into_distribution(),
        })
    }
}

fn difficulty_level(accuracy: Hundredths) -> &'static str {
    if accuracy.at_least(90) {
        "too_easy"
    } else if accuracy.at_least(70) {
        "appropriate"
    } else if accuracy.at_least(50) {
        "challenging"
    } else {
        "too_difficult"
    }
}

fn response_quality(seconds: Hundredths) -> &'static str {
    if seconds.at_most(10) {
        "quick"
    } else if seconds.at_most(30) {
        "moderate"
    } else if seconds.at_most(60) {
        "slow"
    } else {
        "very_slow"
    }
}

fn effectiveness(accuracy: Hundredths, attempts: i64) -> &'static str {
    if accuracy.at_least(70) && attempts >= 10 {
        "highly_effective"
    } else if accuracy.at_least(50) && attempts >= 5 {
        "effective"
    } else if attempts < 5 {
        "needs_more_data"
    } else {
        "needs_improvement"
    }
}
