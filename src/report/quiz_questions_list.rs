//! All questions of a quiz, used or not, each with how it does.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Report;
use super::number::Hundredths;
use super::paging::{Listed, Page, Pagination};
use super::params::{InvalidParam, QueryParams};
use super::question_figures::QuestionFigures;
use crate::tenant::Tenant;

/// Contract 8.15.
#[derive(Debug, Serialize)]
pub struct QuizQuestionsList {
    quiz_id: Uuid,
    pagination: Pagination,
    /// By question id.
    questions: Vec<Question>,
    summary: Summary,
}

/// Definitions as in `QuestionAnalysis`.
#[derive(Debug, Serialize)]
struct Question {
    question_id: Uuid,
    quiz_id: Uuid,
    total_attempts: i64,
    correct_attempts: i64,
    accuracy_rate: Hundredths,
    average_response_time_seconds: Hundredths,
    difficulty_rating: &'static str,
    answer_distribution: BTreeMap<String, i64>,
    usage_count: i64,
}

#[derive(Debug, Serialize)]
struct Summary {
    total_questions: i64,
    page_questions: usize,
}

/// The quiz and the page.
#[derive(Debug)]
pub struct Params {
    quiz_id: Uuid,
    page: Page,
}

#[derive(sqlx::FromRow)]
struct Row {
    question_id: Uuid,
    #[sqlx(flatten)]
    figures: QuestionFigures,
}

impl Report for QuizQuestionsList {
    type Params = Params;

    fn params(query: &QueryParams) -> Result<Params, InvalidParam> {
        Ok(Params {
            quiz_id: query.id("quiz_id")?,
            page: query.page(),
        })
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        params: &Params,
        _: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        let rows = sqlx::query_as(include_str!("quiz_questions_list.sql"))
            .bind(tenant.id())
            .bind(params.quiz_id)
            .bind(params.page.page_size)
            .bind(params.page.offset())
            .fetch_all(db)
            .await?;
        let (total, rows) = Listed::collect(rows);
        let questions: Vec<_> = rows
            .into_iter()
            .map(
                |Row {
                     question_id,
                     figures,
                 }| Question {
                    question_id,
                    quiz_id: params.quiz_id,
                    total_attempts: figures.attempts,
                    correct_attempts: figures.correct,
                    accuracy_rate: figures.accuracy(),
                    average_response_time_seconds: figures.seconds(),
                    difficulty_rating: figures.difficulty_rating(),
                    usage_count: figures.sessions,
                    answer_distribution: figures.into_distribution(),
                },
            )
            .collect();
        Ok(Self {
            quiz_id: params.quiz_id,
            pagination: Pagination::of(params.page, total),
            summary: Summary {
                total_questions: total,
                page_questions: questions.len(),
            },
            questions,
        })
    }
}
