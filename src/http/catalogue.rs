//! PUT and GET /api/quizzes/{quiz_id} and /api/classrooms/{classroom_id}.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use tracing::info;
use uuid::Uuid;

use super::answer::Json;
use super::body::{self, ReadBody};
use super::error::ApiError;
use super::extract::AdminAccess;
use super::state::{AppState, Limits};
use crate::catalogue::{Classroom, Quiz, parse_id};
use crate::store::catalogue;

pub(super) async fn show_quiz(
    State(app): State<Arc<AppState>>,
    AdminAccess(caller): AdminAccess,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Quiz>, ApiError> {
    let quiz_id = id_of("quiz_id", path)?;
    let quiz = catalogue::find_quiz(&app.db, caller.tenant, quiz_id).await?;
    Ok(Json(
        StatusCode::OK,
        quiz.ok_or(ApiError::NotFound("quiz"))?,
    ))
}

pub(super) async fn replace_quiz(
    State(app): State<Arc<AppState>>,
    AdminAccess(caller): AdminAccess,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Quiz>, ApiError> {
    let quiz_id = id_of("quiz_id", path)?;
    let body = read(&app, &headers, body).await?;
    let quiz = Quiz::parse(quiz_id, &body)?;
    drop(body);
    let stored = catalogue::replace_quiz(&app.db, caller.tenant, &quiz).await?;
    info!(tenant = %caller.tenant, quiz.id = %quiz_id, user.id = caller.user_id, "a quiz was replaced");
    Ok(Json(StatusCode::OK, stored))
}

pub(super) async fn show_classroom(
    State(app): State<Arc<AppState>>,
    AdminAccess(caller): AdminAccess,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Classroom>, ApiError> {
    let classroom_id = id_of("classroom_id", path)?;
    let classroom = catalogue::find_classroom(&app.db, caller.tenant, classroom_id).await?;
    Ok(Json(
        StatusCode::OK,
        classroom.ok_or(ApiError::NotFound("classroom"))?,
    ))
}

pub(super) async fn replace_classroom(
    State(app): State<Arc<AppState>>,
    AdminAccess(caller): AdminAccess,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Classroom>, ApiError> {
    let classroom_id = id_of("classroom_id", path)?;
    let body = read(&app, &headers, body).await?;
    let classroom = Classroom::parse(classroom_id, &body)?;
    drop(body);
    let stored = catalogue::replace_classroom(&app.db, caller.tenant, &classroom).await?;
    info!(tenant = %caller.tenant, classroom.id = %classroom_id, user.id = caller.user_id, "a classroom was replaced");
    Ok(Json(StatusCode::OK, stored))
}

fn id_of(field: &'static str, path: Result<Path<String>, PathRejection>) -> Result<Uuid, ApiError> {
    // A path that is no UTF-8 once it is decoded is no UUID either.
    let text = path.map_or_else(|_| String::new(), |Path(text)| text);
    Ok(parse_id(field, &text)?)
}

/// A catalogue entry may be as large as what may be sent, however small it is compressed.
async fn read(app: &AppState, headers: &HeaderMap, body: Body) -> Result<ReadBody, ApiError> {
    let limits = Limits {
        body_bytes_max: app.limits.wire_bytes_max,
        ..app.limits.clone()
    };
    body::read(headers, body, &limits).await
}
