//! A classroom at a glance: who is in it, and whether it is in use.

use serde::Serialize;
use sqlx::PgPool;
use time::serde::rfc3339;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::Report;
use super::number::Hundredths;
use super::params::{InvalidParam, QueryParams};
use crate::tenant::Tenant;

const ACTIVE_WITHIN: Duration = Duration::days(30);
const RECENT_WITHIN: Duration = Duration::days(7);

/// Contract 8.19.
#[derive(Debug, Serialize)]
pub struct ClassroomOverview {
    overview: Overview,
    insights: Insights,
    summary: Summary,
}

#[derive(Debug, Serialize)]
struct Overview {
    classroom_id: Uuid,
    classroom_name: String,
    total_students: i64,
    /// Of the roster, those with an answer in the last 30 days.
    active_students: i64,
    total_sessions: i64,
    /// Started in the last 7 days.
    recent_sessions: i64,
    /// The latest start, publication or answer up to now.
    #[serde(with = "rfc3339::option")]
    last_activity: Option<OffsetDateTime>,
    #[serde(with = "rfc3339::option")]
    created_at: Option<OffsetDateTime>,
}

#[derive(Debug, Serialize)]
struct Insights {
    activity_level: &'static str,
    engagement_status: &'static str,
    growth_trend: &'static str,
}

#[derive(Debug, Serialize)]
struct Summary {
    participation_rate: Hundredths,
    activity_score: Hundredths,
}

#[derive(sqlx::FromRow)]
struct Row {
    classroom_name: String,
    created_at: Option<OffsetDateTime>,
    students: i64,
    active_students: i64,
    sessions: i64,
    recent_sessions: i64,
    last_activity: Option<OffsetDateTime>,
}

impl Report for ClassroomOverview {
    type Params = Uuid;

    const FAILURE: &'static str = "Failed to get classroom overview";

    fn params(query: &QueryParams) -> Result<Uuid, InvalidParam> {
        query.overview_id("classroom_id")
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        classroom_id: &Uuid,
        now: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        let row: Row = sqlx::query_as(include_str!("classroom_overview.sql"))
            .bind(tenant.id())
            .bind(classroom_id)
            .bind(now)
            .bind(now - ACTIVE_WITHIN)
            .bind(now - RECENT_WITHIN)
            .fetch_one(db)
            .await?;
        let participation = Hundredths::percent(row.active_students, row.students);
        let activity = Hundredths::percent(row.recent_sessions, row.sessions);
        Ok(Self {
            overview: Overview {
                classroom_id: *classroom_id,
                classroom_name: row.classroom_name,
                total_students: row.students,
                active_students: row.active_students,
                total_sessions: row.sessions,
                recent_sessions: row.recent_sessions,
                last_activity: row.last_activity,
                created_at: row.created_at,
            },
            insights: Insights {
                activity_level: if row.sessions == 0 {
                    "no_activity"
                } else {
                    activity_level(activity)
                },
                engagement_status: if row.students == 0 {
                    "no_students"
                } else {
                    engagement_status(participation)
                },
                growth_trend: growth_trend(row.recent_sessions),
            },
            summary: Summary {
                participation_rate: participation,
                activity_score: activity,
            },
        })
    }
}

fn activity_level(activity: Hundredths) -> &'static str {
    if activity.at_least(50) {
        "high"
    } else if activity.at_least(25) {
        "moderate"
    } else if activity > Hundredths::default() {
        "low"
    } else {
        "inactive"
    }
}

fn engagement_status(participation: Hundredths) -> &'static str {
    if participation.at_least(80) {
        "highly_engaged"
    } else if participation.at_least(60) {
        "well_engaged"
    } else if participation.at_least(40) {
        "moderately_engaged"
    } else if participation > Hundredths::default() {
        "low_engagement"
    } else {
        "no_engagement"
    }
}

fn growth_trend(recent_sessions: i64) -> &'static str {
    match recent_sessions {
        5.. => "accelerating",
        3.. => "growing",
        1.. => "steady",
        _ => "stagnant",
    }
}
