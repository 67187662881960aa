//! POST /api/reports/query.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use super::answer::Json;
use super::body;
use super::error::ApiError;
use super::extract::ReadAccess;
use super::state::AppState;
use crate::report::query::{Query, QueryAnswer, answer};

pub(super) async fn show_query(
    State(app): State<Arc<AppState>>,
    ReadAccess(caller): ReadAccess,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<QueryAnswer>, ApiError> {
    let query = Query::parse(&body::read(&headers, body, &app.limits).await?)?;
    Ok(Json(
        StatusCode::OK,
        answer(&app.db, caller.tenant, query).await?,
    ))
}
