//! Students by how well they answer, in a classroom (8.18a) or in a session (8.18b).

use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;

use super::number::Hundredths;
use super::paging::{Listed, Page, Pagination};
use crate::tenant::Tenant;

/// A page of students by accuracy, then by the number of answers; who is equal in both shares a rank.
#[derive(Debug, Serialize)]
pub(super) struct StudentRanking {
    pagination: Pagination,
    rankings: Vec<Place>,
    summary: Summary,
}

#[derive(Debug, Serialize)]
struct Place {
    student_id: Uuid,
    student_name: String,
    questions_attempted: i64,
    correct_answers: i64,
    accuracy_rate: Hundredths,
    average_response_time_seconds: Hundredths,
    rank: i64,
    /// 100 for the best, 0 for the last of all.
    percentile: Hundredths,
    sessions_participated: i64,
}

#[derive(Debug, Serialize)]
struct Summary {
    total_students: i64,
    page_students: usize,
}

#[derive(sqlx::FromRow)]
struct Row {
    student_id: Uuid,
    student_name: String,
    answers: i64,
    graded: i64,
    correct: i64,
    timed: i64,
    latency_us: i64,
    sessions: i64,
    rank: i64,
}

impl Place {
    fn among(total: i64, row: Row) -> Self {
        Self {
            student_id: row.student_id,
            student_name: row.student_name,
            questions_attempted: row.answers,
            correct_answers: row.correct,
            accuracy_rate: Hundredths::percent(row.correct, row.graded),
            average_response_time_seconds: Hundredths::mean_seconds(row.latency_us, row.timed),
            rank: row.rank,
            percentile: match total {
                1 => Hundredths::percent(1, 1),
                _ => Hundredths::percent(total - row.rank, total - 1),
            },
            sessions_participated: row.sessions,
        }
    }
}

/// Who is ranked.
#[derive(Debug, Clone, Copy)]
pub(super) enum RankingOf {
    /// The roster, over the answers in this classroom's sessions.
    Classroom(Uuid),
    /// All who answered in the session, guests included.
    Session(Uuid),
}

impl StudentRanking {
    pub(super) async fn load(
        db: &PgPool,
        tenant: Tenant,
        of: RankingOf,
        page: Page,
    ) -> Result<Self, sqlx::Error> {
        let (query, id) = match of {
            RankingOf::Classroom(id) => (
                concat!(
                    "WITH figures AS (
                         SELECT e.student_id, coalesce(f.answers, 0) AS answers, coalesce(f.graded, 0) AS graded,
                                coalesce(f.correct, 0) AS correct, coalesce(f.timed, 0) AS timed,
                                coalesce(f.latency_us, 0) AS latency_us, coalesce(f.sessions, 0) AS sessions
                         FROM classroom_students e
                         LEFT JOIN classroom_student_figures f USING (tenant_id, classroom_id, student_id)
                         WHERE e.tenant_id = $1 AND e.classroom_id = $2
                     )",
                    include_str!("student_ranking.sql")
                ),
                id,
            ),
            RankingOf::Session(id) => (
                concat!(
                    "WITH figures AS (
                         SELECT student_id, answers, graded, correct, timed, latency_us, 1::bigint AS sessions
                         FROM session_students
                         WHERE tenant_id = $1 AND session_id = $2
                     )",
                    include_str!("student_ranking.sql")
                ),
                id,
            ),
        };
        let rows: Vec<Listed<Row>> = sqlx::query_as(query)
            .bind(tenant.id())
            .bind(id)
            .bind(page.page_size)
            .bind(page.offset())
            .fetch_all(db)
            .await?;
        let (total, rows) = Listed::collect(rows);
        let rankings: Vec<_> = rows
            .into_iter()
            .map(|row| Place::among(total, row))
            .collect();
        Ok(Self {
            pagination: Pagination::of(page, total),
            summary: Summary {
                total_students: total,
                page_students: rankings.len(),
            },
            rankings,
        })
    }
}
