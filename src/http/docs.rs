//! GET /openapi.json and /docs: what the API is, for programs and for people.
//!
//! The page draws the document itself and asks no other host for anything, so that it works wherever the server does.

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

/// Holds the page to what it promises, should a change ever break it.
const NOTHING_FROM_ELSEWHERE: &str =
    "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

pub(super) async fn show_openapi() -> Response {
    (
        [(CONTENT_TYPE, "application/json; charset=utf-8")],
        include_str!("../../docs/openapi.json"),
    )
        .into_response()
}

pub(super) async fn show_docs() -> Response {
    (
        [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CONTENT_SECURITY_POLICY, NOTHING_FROM_ELSEWHERE),
        ],
        include_str!("docs/page.html"),
    )
        .into_response()
}
