//! Answers in JSON: compact, and with the charset that the original sent.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::error;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// A JSON answer with a status.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) StatusCode, pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let (status, body) = match serde_json::to_vec(&self.1) {
            Ok(body) => (self.0, body),
            Err(error) => {
                error!(error = %error, "an answer could not be written as JSON");
                let body = br#"{"error":"internal error","code":"internal"}"#.to_vec();
                (StatusCode::INTERNAL_SERVER_ERROR, body)
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        response
    }
}
