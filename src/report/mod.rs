//! The reports: one file each, all of one shape.
//!
//! A report is a type that says which parameters it takes ([`Report::params`]) and how it is loaded
//! ([`Report::load`]); it serializes into the body of the contract's section 8. What several reports share is in
//! [`params`], [`paging`], [`number`], [`duration`], [`trend`], [`mean_latency`] and [`engagement`], and, as SQL, in the
//! views of `migrations/0002` and `0003`. A new report is a file here and a line in the router. No HTTP.

pub mod active_participants;
pub mod class_performance_summary;
pub mod classroom_engagement;
pub mod classroom_engagement_history;
pub mod classroom_overview;
pub mod classroom_sessions;
pub mod classroom_student_rankings;
pub mod completion_rate;
pub mod content_effectiveness;
pub mod dropoff_analysis;
pub mod duration;
pub mod engagement;
pub mod latency_analysis;
pub mod mean_latency;
pub mod number;
pub mod paging;
pub mod params;
pub mod query;
pub mod question_analysis;
mod question_figures;
pub mod questions_per_minute;
pub mod quiz_questions_list;
pub mod quiz_sessions;
pub mod quiz_summary;
mod rating;
pub mod response_rate;
mod session_list;
pub mod session_student_rankings;
pub mod student_activity_summary;
pub mod student_performance;
pub mod student_performance_list;
mod student_ranking;
pub mod timeout_analysis;
pub mod trend;

use std::future::Future;

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;

use self::params::{InvalidParam, QueryParams};
use crate::tenant::Tenant;

/// A report of the contract's section 8.
pub trait Report: Serialize + Sized + Send {
    /// What the caller asks for.
    type Params: Send + Sync;

    /// What the caller is told when the report fails for a fault of ours.
    const FAILURE: &'static str = "internal error";

    /// Reads the parameters.
    ///
    /// # Errors
    /// If one is missing or cannot be read.
    fn params(query: &QueryParams) -> Result<Self::Params, InvalidParam>;

    /// Computes the report as of `now`.
    fn load(
        db: &PgPool,
        tenant: Tenant,
        params: &Self::Params,
        now: OffsetDateTime,
    ) -> impl Future<Output = Result<Self, sqlx::Error>> + Send;
}
