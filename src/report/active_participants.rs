//! Who is taking part right now: students with an answer in the session within the last `time_range`.

use serde::Serialize;
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::number::Hundredths;
use super::paging::{Page, Pagination};
use super::params::{InvalidParam, QueryParams};
use super::{Report, duration};
use crate::tenant::Tenant;

/// Contract 8.1.
#[derive(Debug, Serialize)]
pub struct ActiveParticipants {
    session_id: Uuid,
    time_range: String,
    pagination: Pagination,
    active_participants: Vec<Participant>,
    total_participants: i64,
    page_participants: usize,
    /// Unweighted mean over all participants of the window, not just this page's.
    average_accuracy_percent: Hundredths,
}

#[derive(Debug, Serialize)]
struct Participant {
    student_id: Uuid,
    accuracy: Hundredths,
}

/// The session, the window up to now, and the page.
#[derive(Debug)]
pub struct Params {
    session_id: Uuid,
    time_range: Duration,
    page: Page,
}

#[derive(sqlx::FromRow)]
struct Row {
    total: i64,
    average_hundredths: i64,
    student_id: Option<Uuid>,
    correct: i64,
    graded: i64,
}

impl Report for ActiveParticipants {
    type Params = Params;

    fn params(query: &QueryParams) -> Result<Params, InvalidParam> {
        Ok(Params {
            session_id: query.id("session_id")?,
            time_range: query.time_range()?,
            page: query.page(),
        })
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        params: &Params,
        now: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        let rows: Vec<Row> = sqlx::query_as(include_str!("active_participants.sql"))
            .bind(tenant.id())
            .bind(params.session_id)
            .bind(now - params.time_range)
            .bind(now)
            .bind(params.page.page_size)
            .bind(params.page.offset())
            .fetch_all(db)
            .await?;
        let (total, average) = rows
            .first()
            .map_or((0, 0), |row| (row.total, row.average_hundredths));
        let active_participants: Vec<_> = rows
            .into_iter()
            .filter_map(|row| {
                let accuracy = Hundredths::percent(row.correct, row.graded);
                row.student_id.map(|student_id| Participant {
                    student_id,
                    accuracy,
                })
            })
            .collect();
        Ok(Self {
            session_id: params.session_id,
            time_range: duration::to_text(params.time_range),
            pagination: Pagination::of(params.page, total),
            page_participants: active_participants.len(),
            active_participants,
            total_participants: total,
            average_accuracy_percent: Hundredths::from_hundredths(average),
        })
    }
}
