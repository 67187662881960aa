//! How a classroom took part, day by day.

use serde::Serialize;
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::engagement::{Engagement, percent};
use super::number::Hundredths;
use super::paging::{Page, Pagination};
use super::params::{InvalidParam, QueryParams};
use super::{Report, duration};
use crate::tenant::Tenant;

/// Contract 8.12.
#[derive(Debug, Serialize)]
pub struct ClassroomEngagementHistory {
    classroom_id: Uuid,
    date_range: String,
    pagination: Pagination,
    /// Newest first.
    engagement_history: Vec<Day>,
    summary: Summary,
}

#[derive(Debug, Serialize)]
struct Summary {
    total_periods: i64,
    page_periods: usize,
}

/// The sessions that started on one UTC day, with the answers that they got within the whole window.
#[derive(Debug, Serialize)]
struct Day {
    date: String,
    /// The roster as it is today.
    total_students: i64,
    active_students: i64,
    engagement_rate: Hundredths,
    average_accuracy: Hundredths,
    total_questions: i64,
    response_rate: Hundredths,
}

/// A classroom, a window up to now, and the page.
#[derive(Debug)]
pub struct Params {
    classroom_id: Uuid,
    date_range: Duration,
    page: Page,
}

#[derive(sqlx::FromRow)]
struct Row {
    total: i64,
    roster_students: i64,
    day: Option<String>,
    #[sqlx(flatten)]
    engagement: Engagement,
}

impl Report for ClassroomEngagementHistory {
    type Params = Params;

    fn params(query: &QueryParams) -> Result<Params, InvalidParam> {
        Ok(Params {
            classroom_id: query.id("classroom_id")?,
            date_range: query.date_range()?,
            page: query.page(),
        })
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        params: &Params,
        now: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        let rows: Vec<Row> = sqlx::query_as(include_str!("classroom_engagement_history.sql"))
            .bind(tenant.id())
            .bind(params.classroom_id)
            .bind(now - params.date_range)
            .bind(now)
            .bind(params.page.page_size)
            .bind(params.page.offset())
            .fetch_all(db)
            .await?;
        let total = rows.first().map_or(0, |row| row.total);
        let days: Vec<_> = rows.into_iter().filter_map(Day::of).collect();
        Ok(Self {
            classroom_id: params.classroom_id,
            date_range: duration::to_text(params.date_range),
            pagination: Pagination::of(params.page, total),
            summary: Summary {
                total_periods: total,
                page_periods: days.len(),
            },
            engagement_history: days,
        })
    }
}

impl Day {
    /// None for the row that only carries the total.
    fn of(row: Row) -> Option<Self> {
        let engagement = row.engagement;
        Some(Self {
            date: row.day?,
            total_students: row.roster_students,
            active_students: engagement.active_students,
            engagement_rate: percent(engagement.activity(row.roster_students)),
            average_accuracy: percent(engagement.accuracy()),
            total_questions: engagement.questions,
            response_rate: percent(engagement.response()),
        })
    }
}
