//! Extractors that prove something: a handler that takes one cannot run without the proof.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::error::ApiError;
use super::state::AppState;
use crate::auth::{Caller, Scope};

/// A caller whose token allows posting events.
#[derive(Debug)]
pub(super) struct WriteAccess(pub(super) Caller);

/// A caller whose token allows reading reports.
#[derive(Debug)]
pub(super) struct ReadAccess(pub(super) Caller);

/// A caller whose token allows keeping the catalogue.
#[derive(Debug)]
pub(super) struct AdminAccess(pub(super) Caller);

fn authorize(parts: &Parts, state: &AppState, scope: Scope) -> Result<Caller, ApiError> {
    let token = parts
        .headers
        .get(AUTHORIZATION)
        .and_then(|header| header.to_str().ok())
        .and_then(|header| header.strip_prefix("Bearer "))
        .ok_or(ApiError::MissingToken)?;
    let caller = state.tokens.verify(token)?;
    caller.require(scope)?;
    Ok(caller)
}

impl FromRequestParts<Arc<AppState>> for WriteAccess {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<AppState>,
    ) -> Result<Self, ApiError> {
        authorize(parts, state, Scope::Write).map(Self)
    }
}

impl FromRequestParts<Arc<AppState>> for ReadAccess {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<AppState>,
    ) -> Result<Self, ApiError> {
        authorize(parts, state, Scope::Read).map(Self)
    }
}

impl FromRequestParts<Arc<AppState>> for AdminAccess {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<AppState>,
    ) -> Result<Self, ApiError> {
        authorize(parts, state, Scope::Admin).map(Self)
    }
}
