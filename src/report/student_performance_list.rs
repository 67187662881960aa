//! How each student on a classroom's roster does there.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::number::Hundredths;
use super::paging::{Page, Pagination};
use super::params::{InvalidParam, QueryParams};
use super::{Report, mean_latency};
use crate::tenant::Tenant;

/// Contract 8.11.
#[derive(Debug, Serialize)]
pub struct StudentPerformanceList {
    classroom_id: Uuid,
    pagination: Pagination,
    /// By name, then id.
    students: Vec<Student>,
    summary: Summary,
}

#[derive(Debug, Serialize)]
struct Summary {
    total_students: i64,
    page_students: usize,
}

/// One student of the roster, over the answers in this classroom's sessions.
#[derive(Debug, Serialize)]
struct Student {
    student_id: Uuid,
    student_name: String,
    questions_attempted: i64,
    correct_answers: i64,
    overall_accuracy: Hundredths,
    average_response_time: String,
}

/// A classroom's roster, page by page.
#[derive(Debug)]
pub struct Params {
    classroom_id: Uuid,
    page: Page,
}

#[derive(sqlx::FromRow)]
struct Row {
    total: i64,
    student_id: Option<Uuid>,
    student_name: String,
    answers: i64,
    graded: i64,
    correct: i64,
    timed: i64,
    latency_us: i64,
}

impl Report for StudentPerformanceList {
    type Params = Params;

    fn params(query: &QueryParams) -> Result<Params, InvalidParam> {
        Ok(Params {
            classroom_id: query.id("classroom_id")?,
            page: query.page(),
        })
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        params: &Params,
        _: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        let rows: Vec<Row> = sqlx::query_as(include_str!("student_performance_list.sql"))
            .bind(tenant.id())
            .bind(params.classroom_id)
            .bind(params.page.page_size)
            .bind(params.page.offset())
            .fetch_all(db)
            .await?;
        let total = rows.first().map_or(0, |row| row.total);
        let students: Vec<_> = rows.into_iter().filter_map(Student::of).collect();
        Ok(Self {
            classroom_id: params.classroom_id,
            pagination: Pagination::of(params.page, total),
            summary: Summary {
                total_students: total,
                page_students: students.len(),
            },
            students,
        })
    }
}

impl Student {
    /// None for the row that only carries the total.
    fn of(row: Row) -> Option<Self> {
        Some(Self {
            student_id: row.student_id?,
            student_name: row.student_name,
            questions_attempted: row.answers,
            correct_answers: row.correct,
            overall_accuracy: Hundredths::percent(row.correct, row.graded),
            average_response_time: mean_latency::text(row.latency_us, row.timed),
        })
    }
}
