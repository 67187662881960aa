//! Where in a session its students stop answering.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Report;
use super::number::Hundredths;
use super::params::{InvalidParam, QueryParams};
use crate::tenant::Tenant;

/// Contract 8.10: a funnel over the roster.
#[derive(Debug, Serialize)]
pub struct DropoffAnalysis {
    session_id: Uuid,
    /// One for each published question, in the order of their first publication.
    dropoff_points: Vec<Point>,
    analysis: Analysis,
}

#[derive(Debug, Serialize)]
struct Analysis {
    critical_points: Vec<Point>,
    recommendations: [&'static str; 1],
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Point {
    question_id: Uuid,
    /// From 1.
    question_order: i64,
    students_at_start: i64,
    /// Students whose last answered question is this one or a later one: skipping one is not leaving.
    students_at_end: i64,
    dropoff_rate: Hundredths,
}

#[derive(sqlx::FromRow)]
struct Row {
    question_id: Uuid,
    question_order: i64,
    roster_students: i64,
    staying_students: i64,
}

impl Report for DropoffAnalysis {
    type Params = Uuid;

    fn params(query: &QueryParams) -> Result<Uuid, InvalidParam> {
        query.id("session_id")
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        session_id: &Uuid,
        _: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "WITH members AS (
                 SELECT coalesce(s.last_question_order, 0) AS last_order
                 FROM session_rosters r
                 LEFT JOIN session_students s
                        ON (s.tenant_id, s.session_id, s.student_id) = (r.tenant_id, r.session_id, r.student_id)
                 WHERE r.tenant_id = $1 AND r.session_id = $2
             )
             SELECT p.question_id, p.question_order,
                    (SELECT count(*) FROM members) AS roster_students,
                    (SELECT count(*) FROM members WHERE last_order >= p.question_order) AS staying_students
             FROM published_questions p
             WHERE p.tenant_id = $1 AND p.session_id = $2
             ORDER BY p.question_order",
        )
        .bind(tenant.id())
        .bind(session_id)
        .fetch_all(db)
        .await?;
        let dropoff_points = funnel(&rows);
        let critical_points = dropoff_points
            .iter()
            .copied()
            .filter(|point| point.dropoff_rate.at_least(25))
            .collect();
        let is_leaking = dropoff_points
            .iter()
            .any(|point| point.dropoff_rate.at_least(30));
        let recommendation = if is_leaking {
            "Review the difficulty and the clarity of the questions at which students leave"
        } else {
            "Retention is healthy"
        };
        Ok(Self {
            session_id: *session_id,
            dropoff_points,
            analysis: Analysis {
                critical_points,
                recommendations: [recommendation],
            },
        })
    }
}

/// Each point starts with those whom the one before it kept, the first with the roster.
fn funnel(rows: &[Row]) -> Vec<Point> {
    let mut present = rows.first().map_or(0, |row| row.roster_students);
    rows.iter()
        .map(|row| {
            let students_at_start = std::mem::replace(&mut present, row.staying_students);
            Point {
                question_id: row.question_id,
                question_order: row.question_order,
                students_at_start,
                students_at_end: row.staying_students,
                dropoff_rate: Hundredths::percent(
                    students_at_start - row.staying_students,
                    students_at_start,
                ),
            }
        })
        .collect()
}
