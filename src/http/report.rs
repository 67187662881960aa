//! GET /api/reports/…: one handler for every report.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use time::OffsetDateTime;

use super::answer::Json;
use super::error::ApiError;
use super::extract::ReadAccess;
use super::state::AppState;
use crate::report::Report;
use crate::report::params::QueryParams;

pub(super) async fn show_report<R: Report>(
    State(app): State<Arc<AppState>>,
    ReadAccess(caller): ReadAccess,
    query: Result<Query<HashMap<String, String>>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<R>, ApiError> {
    let Query(pairs) =
        query.map_err(|_| ApiError::InvalidBody("the query string cannot be read".to_owned()))?;
    let params = R::params(&QueryParams::new(pairs))?;
    let report = R::load(&app.db, caller.tenant, &params, OffsetDateTime::now_utc())
        .await
        .map_err(|error| ApiError::from(error).of_report(R::FAILURE))?;
    Ok(Json(StatusCode::OK, report))
}
