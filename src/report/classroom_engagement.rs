//! How a classroom takes part, and whether more or less than before.

use serde::Serialize;
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::engagement::{Engagement, percent};
use super::number::{Hundredths, Share};
use super::params::{InvalidParam, QueryParams};
use super::trend::Trend;
use super::{Report, duration};
use crate::tenant::Tenant;

/// Contract 8.4.
#[derive(Debug, Serialize)]
pub struct ClassroomEngagement {
    classroom_id: Uuid,
    date_range: String,
    /// The roster as it is today.
    total_students: i64,
    /// Those of them with an answer.
    active_students: i64,
    engagement_rate_percent: Hundredths,
    average_accuracy_percent: Hundredths,
    total_questions: i64,
    response_rate_percent: Hundredths,
    trends: Trends,
}

/// Against the window of equal length just before.
#[derive(Debug, Serialize)]
struct Trends {
    engagement: &'static str,
    accuracy: &'static str,
}

/// A classroom and a window up to now.
#[derive(Debug)]
pub struct Params {
    classroom_id: Uuid,
    date_range: Duration,
}

#[derive(sqlx::FromRow)]
struct Row {
    /// None in the row that only carries the roster.
    is_current: Option<bool>,
    roster_students: i64,
    #[sqlx(flatten)]
    engagement: Engagement,
}

impl Report for ClassroomEngagement {
    type Params = Params;

    fn params(query: &QueryParams) -> Result<Params, InvalidParam> {
        Ok(Params {
            classroom_id: query.id("classroom_id")?,
            date_range: query.date_range()?,
        })
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        params: &Params,
        now: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        let since = now - params.date_range;
        let rows: Vec<Row> = sqlx::query_as(include_str!("classroom_engagement.sql"))
            .bind(tenant.id())
            .bind(params.classroom_id)
            .bind(since)
            .bind(now)
            .bind(since - params.date_range)
            .fetch_all(db)
            .await?;
        let roster_students = rows.first().map_or(0, |row| row.roster_students);
        let of = |is_current| {
            rows.iter()
                .find(|row| row.is_current == Some(is_current))
                .map(|row| row.engagement)
        };
        let before = of(false);
        let current = of(true).unwrap_or_default();
        let activity = |engagement: Engagement| engagement.activity(roster_students);
        Ok(Self {
            classroom_id: params.classroom_id,
            date_range: duration::to_text(params.date_range),
            total_students: roster_students,
            active_students: current.active_students,
            engagement_rate_percent: percent(activity(current)),
            average_accuracy_percent: percent(current.accuracy()),
            total_questions: current.questions,
            response_rate_percent: percent(current.response()),
            trends: Trends {
                engagement: trend(before.map(activity), activity(current)),
                accuracy: trend(before.map(Engagement::accuracy), current.accuracy()),
            },
        })
    }
}

fn trend(before: Option<Share>, current: Share) -> &'static str {
    match before.map(|before| Trend::between(before, current)) {
        None => "insufficient_data",
        Some(Trend::Up) => "increasing",
        Some(Trend::Down) => "decreasing",
        Some(Trend::Level) => "stable",
    }
}
