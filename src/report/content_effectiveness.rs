//! Whether a quiz does its work: how much of it is answered right, and by how many.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Report;
use super::number::Hundredths;
use super::params::{InvalidParam, QueryParams};
use crate::tenant::Tenant;

/// Contract 8.5, over the quiz's sessions in which a question was published.
#[derive(Debug, Serialize)]
pub struct ContentEffectiveness {
    quiz_id: Uuid,
    /// Distinct published questions.
    total_questions: i64,
    average_accuracy: Hundredths,
    /// Students who answered as members of the roster, of all students on the rosters.
    overall_engagement: Hundredths,
    effectiveness_score: Hundredths,
    recommendations: &'static str,
    content_analysis: ContentAnalysis,
}

#[derive(Debug, Serialize)]
struct ContentAnalysis {
    difficulty_level: &'static str,
    engagement_level: &'static str,
    optimization_suggestions: Vec<&'static str>,
}

#[derive(sqlx::FromRow)]
struct Row {
    questions: i64,
    graded: i64,
    correct: i64,
    roster_students: i64,
    active_students: i64,
}

impl Report for ContentEffectiveness {
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
        let row: Row = sqlx::query_as(include_str!("content_effectiveness.sql"))
            .bind(tenant.id())
            .bind(quiz_id)
            .bind(now)
            .fetch_one(db)
            .await?;
        let (right, active) = (
            (row.correct, row.graded),
            (row.active_students, row.roster_students),
        );
        let accuracy = Hundredths::percent(right.0, right.1);
        let engagement = Hundredths::percent(active.0, active.1);
        let score = Hundredths::mean_percent(right, active);
        Ok(Self {
            quiz_id: *quiz_id,
            total_questions: row.questions,
            average_accuracy: accuracy,
            overall_engagement: engagement,
            effectiveness_score: score,
            recommendations: recommendation(score),
            content_analysis: ContentAnalysis {
                difficulty_level: if row.graded == 0 {
                    "no_data"
                } else {
                    difficulty_level(accuracy)
                },
                engagement_level: engagement_level(engagement),
                optimization_suggestions: suggestions(accuracy, engagement),
            },
        })
    }
}

fn recommendation(score: Hundredths) -> &'static str {
    if score.at_least(80) {
        "The content is doing well"
    } else if score.at_least(60) {
        "Review the questions that students find hard"
    } else {
        "Revise the content: its questions and how it is presented"
    }
}

fn difficulty_level(accuracy: Hundredths) -> &'static str {
    if accuracy.at_least(80) {
        "easy"
    } else if accuracy.at_least(60) {
        "moderate"
    } else {
        "hard"
    }
}

fn engagement_level(engagement: Hundredths) -> &'static str {
    if engagement.at_least(75) {
        "high"
    } else if engagement.at_least(50) {
        "moderate"
    } else {
        "low"
    }
}

fn suggestions(accuracy: Hundredths, engagement: Hundredths) -> Vec<&'static str> {
    let interactivity = (!engagement.at_least(75))
        .then_some("Make the session more interactive, so that more students answer");
    let low_accuracy =
        (!accuracy.at_least(70)).then_some("Look at the questions with the lowest accuracy first");
    interactivity.into_iter().chain(low_accuracy).collect()
}
