//! Every failure that a client can see: the one place that maps it to a status and a body, and the only one that
//! logs a 500.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::error;

use super::answer::Json;
use crate::auth::{InvalidAccount, PasswordError, TokenError};
use crate::catalogue::InvalidEntry;
use crate::event::batch::InvalidBatch;
use crate::event::{Fault, InvalidEvent, type_name};
use crate::report::params::InvalidParam;
use crate::report::query::{InvalidQuery, QueryError, ROWS_MAX};
use crate::sink::Refusal;

/// Why a request is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("authorization header missing or invalid")]
    MissingToken,
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    InvalidEvent(#[from] InvalidEvent),
    #[error(transparent)]
    InvalidBatch(#[from] InvalidBatch),
    /// Elements of a batch that lack a common field, one line each.
    #[error("{0}")]
    FaultyElements(String),
    #[error(transparent)]
    InvalidEntry(#[from] InvalidEntry),
    /// Neither the catalogue nor an event has named it.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error(transparent)]
    InvalidParam(#[from] InvalidParam),
    #[error("{}", query_text(.0))]
    InvalidQuery(#[from] InvalidQuery),
    #[error("the answer has more than {ROWS_MAX} rows; set a limit or ask for less")]
    TooManyRows,
    #[error("Failed to execute query")]
    QueryFailed(#[source] anyhow::Error),
    #[error("invalid body: {0}")]
    InvalidBody(String),
    #[error(transparent)]
    InvalidAccount(#[from] InvalidAccount),
    #[error("the body is larger than {limit_bytes} bytes{}", if *.decompressed { " after decompression" } else { "" })]
    BodyTooLarge {
        limit_bytes: usize,
        decompressed: bool,
    },
    #[error("the body did not arrive in time")]
    BodyTimeout,
    #[error("Content-Encoding must be gzip, zstd or identity")]
    UnsupportedEncoding,
    #[error("sign-up is disabled on this server")]
    SignupDisabled,
    #[error("an account with this e-mail address exists already")]
    EmailTaken,
    #[error("invalid credentials")]
    InvalidCredentials,
    #[error("unrecognized role")]
    UnrecognizedRole,
    /// Too much at once.
    #[error("the server is busy; try again shortly")]
    Overloaded,
    #[error("no store can take events right now; send them again")]
    Unavailable { retry_after: Duration },
    /// The store refuses this very event.
    #[error("the event cannot be stored (SQLSTATE {sqlstate})")]
    NotStorable { sqlstate: String },
    #[error("the database is away; try again shortly")]
    DatabaseAway(#[source] sqlx::Error),
    #[error("the request took too long; ask for less")]
    ReportTimeout,
    #[error("internal error")]
    Internal(#[source] anyhow::Error),
    /// The fault is as much ours as an internal error; the text is the report's own.
    #[error("{text}")]
    ReportFailed {
        text: &'static str,
        #[source]
        cause: anyhow::Error,
    },
}

#[derive(Serialize)]
struct ErrorBody {
    error: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<Cow<'static, str>>,
    /// What would have been accepted, where that is a short list.
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<&'static [&'static str]>,
    /// What is wrong with a generic query.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<String>,
}

/// The sentences of the contract's 9.2; what exactly is wrong goes into the details.
fn query_text(invalid: &InvalidQuery) -> &'static str {
    match invalid {
        InvalidQuery::Format(_) => "Invalid request format",
        InvalidQuery::Empty => "At least one measure or dimension must be specified",
        _ => "Failed to build query",
    }
}

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::MissingToken
            | Self::Token(TokenError::Invalid | TokenError::Claims)
            | Self::InvalidCredentials
            | Self::UnrecognizedRole => StatusCode::UNAUTHORIZED,
            Self::Token(TokenError::NoScopes | TokenError::InsufficientScope)
            | Self::SignupDisabled => StatusCode::FORBIDDEN,
            Self::InvalidBatch(InvalidBatch::TooManyEvents { .. }) | Self::BodyTooLarge { .. } => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::InvalidEvent(_)
            | Self::InvalidBatch(_)
            | Self::FaultyElements(_)
            | Self::InvalidEntry(_)
            | Self::InvalidParam(_)
            | Self::InvalidQuery(_)
            | Self::TooManyRows
            | Self::InvalidBody(_)
            | Self::InvalidAccount(_)
            | Self::NotStorable { .. } => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::UnsupportedEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::EmailTaken => StatusCode::CONFLICT,
            Self::Overloaded
            | Self::Unavailable { .. }
            | Self::DatabaseAway(_)
            | Self::ReportTimeout => StatusCode::SERVICE_UNAVAILABLE,
            Self::QueryFailed(_) | Self::Internal(_) | Self::ReportFailed { .. } => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::MissingToken => "missing_token",
            Self::Token(TokenError::Invalid) => "invalid_token",
            Self::Token(TokenError::Claims) => "invalid_claims",
            Self::Token(TokenError::NoScopes) => "no_scopes",
            Self::Token(TokenError::InsufficientScope) => "insufficient_scope",
            Self::InvalidEvent(invalid) => invalid.code(),
            Self::InvalidBatch(InvalidBatch::BrokenJson(_)) => "broken_json",
            Self::InvalidBatch(InvalidBatch::NotAnArray) => "not_an_array",
            Self::InvalidBatch(InvalidBatch::TooManyEvents { .. }) => "too_many_events",
            Self::FaultyElements(_) => "missing_field",
            Self::InvalidEntry(invalid) => invalid.code(),
            Self::NotFound(_) => "not_found",
            Self::InvalidParam(invalid) => invalid.code(),
            Self::InvalidQuery(_) => "invalid_query",
            Self::TooManyRows => "too_many_rows",
            Self::QueryFailed(_) => "query_failed",
            Self::InvalidBody(_) => "invalid_body",
            Self::InvalidAccount(_) => "invalid_field",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::SignupDisabled => "signup_disabled",
            Self::EmailTaken => "email_taken",
            Self::InvalidCredentials => "invalid_credentials",
            Self::UnrecognizedRole => "unrecognized_role",
            Self::Overloaded => "overloaded",
            Self::Unavailable { .. } => "unavailable",
            Self::NotStorable { .. } => "not_storable",
            Self::DatabaseAway(_) => "database_away",
            Self::ReportTimeout => "report_timeout",
            Self::Internal(_) | Self::ReportFailed { .. } => "internal",
        }
    }

    /// The same, with the report's own text if the fault is ours.
    pub(super) fn of_report(self, text: &'static str) -> Self {
        match self {
            Self::Internal(cause) => Self::ReportFailed { text, cause },
            other => other,
        }
    }

    fn field(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::InvalidEvent(invalid) => invalid.field.map(Cow::Borrowed),
            Self::InvalidEntry(invalid) => invalid.field.clone().map(Cow::Owned),
            Self::InvalidParam(invalid) => invalid.field().map(Cow::Borrowed),
            Self::InvalidAccount(invalid) => Some(Cow::Borrowed(invalid.field)),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after } => Some(*retry_after),
            Self::Overloaded | Self::DatabaseAway(_) | Self::ReportTimeout => {
                Some(Duration::from_secs(1))
            }
            _ => None,
        }
    }
}

/// A wait as the header wants it: whole seconds, rounded up, at least one.
pub(super) fn retry_after_header(wait: Duration) -> HeaderValue {
    HeaderValue::from(
        u64::try_from(wait.as_millis().div_ceil(1_000))
            .unwrap_or(u64::MAX)
            .max(1),
    )
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Self::Internal(cause) | Self::QueryFailed(cause) | Self::ReportFailed { cause, .. } =
            &self
        {
            error!(error = format!("{cause:#}"), "a request failed");
        }
        let known = match &self {
            Self::InvalidEvent(InvalidEvent {
                fault: Fault::UnknownType(_),
                ..
            }) => Some(&type_name::ALL[..]),
            _ => None,
        };
        let details = match &self {
            Self::InvalidQuery(InvalidQuery::Empty) => None,
            Self::InvalidQuery(invalid) => Some(invalid.to_string()),
            _ => None,
        };
        let body = ErrorBody {
            error: self.to_string(),
            code: self.code(),
            field: self.field(),
            known,
            details,
        };
        let mut response = Json(self.status(), body).into_response();
        if let Some(wait) = self.retry_after() {
            response
                .headers_mut()
                .insert(RETRY_AFTER, retry_after_header(wait));
        }
        if matches!(
            self,
            Self::MissingToken | Self::Token(TokenError::Invalid | TokenError::Claims)
        ) {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unavailable { retry_after } => Self::Unavailable { retry_after },
            Refusal::Refused { sqlstate } => Self::NotStorable { sqlstate },
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Tls(_) => Self::DatabaseAway(error),
            sqlx::Error::Database(database) => match database.code().as_deref() {
                Some("57014") => Self::ReportTimeout,
                // 08: connection; 53: too many connections, no space; 57P: shutting down or starting.
                Some(code)
                    if ["08", "53", "57P"]
                        .iter()
                        .any(|class| code.starts_with(class)) =>
                {
                    Self::DatabaseAway(error)
                }
                _ => Self::Internal(error.into()),
            },
            _ => Self::Internal(error.into()),
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::TooManyRows => Self::TooManyRows,
            QueryError::Database(error) => match Self::from(error) {
                Self::Internal(cause) => Self::QueryFailed(cause),
                other => other,
            },
        }
    }
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Overloaded,
            PasswordError::Broken(_) => Self::Internal(error.into()),
        }
    }
}
