//! POST /api/events and /api/events/batch.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use time::OffsetDateTime;

use super::answer::Json;
use super::body;
use super::error::{ApiError, retry_after_header};
use super::extract::WriteAccess;
use super::state::AppState;
use crate::auth::Caller;
use crate::event::batch::{split_array, split_lines};
use crate::event::{EventIn, InvalidEvent, Origin};
use crate::metrics;
use crate::sink::{Accepted, Mode, Outcome, Refusal};

#[derive(Serialize)]
pub(super) struct EventAccepted {
    message: &'static str,
    event_id: String,
    timestamp: String,
    mode: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

pub(super) async fn create_event(
    State(app): State<Arc<AppState>>,
    WriteAccess(caller): WriteAccess,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<EventAccepted>, ApiError> {
    let body = body::read(&headers, body, &app.limits).await?;
    let event = EventIn::from_json(&body)
        .and_then(|event| event.parse(origin(&caller)))
        .inspect_err(count_invalid)?;
    drop(body);
    let (event_id, timestamp) = (event.event_id.to_text(), event.timestamp_text());
    let outcome = app.ingest.write(vec![event], caller.user_id).await.pop();
    let accepted = outcome
        .ok_or(ApiError::Overloaded)?
        .inspect_err(count_refused)?;
    metrics::event_accepted(accepted.mode.name(), 1);
    let message = match accepted.mode {
        Mode::Direct => "Event processed successfully",
        Mode::Kafka | Mode::Spool => "Event queued successfully",
    };
    let duplicate = accepted.duplicate;
    Ok(Json(
        StatusCode::CREATED,
        EventAccepted {
            message,
            event_id,
            timestamp,
            mode: accepted.mode.name(),
            duplicate,
        },
    ))
}

#[derive(Serialize)]
struct BatchAnswer {
    message: &'static str,
    user_id: i64,
    processed_count: usize,
    total_events: usize,
    mode: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
    results: Vec<ElementResult>,
}

#[derive(Serialize)]
struct ElementResult {
    event_id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl ElementResult {
    fn invalid(event_id: &str, invalid: &InvalidEvent) -> Self {
        count_invalid(invalid);
        Self::failed(
            event_id.to_owned(),
            "invalid",
            invalid.code(),
            invalid.to_string(),
        )
    }

    fn of(event_id: String, outcome: Outcome) -> Self {
        match outcome {
            Ok(Accepted { mode, duplicate }) => {
                let status = if duplicate { "duplicate" } else { "accepted" };
                Self {
                    event_id,
                    status,
                    mode: Some(mode.name()),
                    code: None,
                    error: None,
                }
            }
            Err(refusal) => {
                count_refused(&refusal);
                match refusal {
                    Refusal::Unavailable { .. } => {
                        let error =
                            "no store can take the event right now; send it again".to_owned();
                        Self::failed(event_id, "unavailable", "unavailable", error)
                    }
                    Refusal::Refused { sqlstate } => {
                        let error = format!("the event cannot be stored (SQLSTATE {sqlstate})");
                        Self::failed(event_id, "invalid", "not_storable", error)
                    }
                }
            }
        }
    }

    fn failed(event_id: String, status: &'static str, code: &'static str, error: String) -> Self {
        Self {
            event_id,
            status,
            mode: None,
            code: Some(code),
            error: Some(error),
        }
    }
}

/// A batch is judged event by event; only what makes it unreadable as a batch fails it as a whole.
pub(super) async fn create_events(
    State(app): State<Arc<AppState>>,
    WriteAccess(caller): WriteAccess,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let body = body::read(&headers, body, &app.limits).await?;
    let lines = is_ndjson(&headers);
    let pieces = if lines {
        split_lines(&body, app.limits.batch_events_max)?
    } else {
        split_array(&body, app.limits.batch_events_max)?
    };
    let elements: Vec<_> = pieces.into_iter().map(EventIn::from_json).collect();
    if !lines {
        refuse_faulty_elements(&elements)?;
    }

    let origin = origin(&caller);
    let mut results: Vec<Option<ElementResult>> = Vec::with_capacity(elements.len());
    let mut events = Vec::with_capacity(elements.len());
    for element in elements {
        let sent_id = element
            .as_ref()
            .ok()
            .and_then(EventIn::event_id)
            .unwrap_or_default()
            .to_owned();
        match element.and_then(|element| element.parse(origin)) {
            Ok(event) => {
                events.push(event);
                results.push(None);
            }
            Err(invalid) => results.push(Some(ElementResult::invalid(&sent_id, &invalid))),
        }
    }
    drop(body);

    let ids: Vec<String> = events
        .iter()
        .map(|event| event.event_id.to_text())
        .collect();
    let outcomes = app.ingest.write(events, caller.user_id).await;
    let tally = Tally::of(&outcomes, app.ingest.mode());
    let mut written = ids
        .into_iter()
        .zip(outcomes)
        .map(|(id, outcome)| ElementResult::of(id, outcome));
    let results: Vec<ElementResult> = results
        .into_iter()
        .filter_map(|result| result.or_else(|| written.next()))
        .collect();

    let errors = results
        .iter()
        .filter_map(|result| {
            Some(format!(
                "Event {}: {}",
                result.event_id,
                result.error.as_ref()?
            ))
        })
        .collect();
    let answer = BatchAnswer {
        message: "Batch events processed",
        user_id: caller.user_id,
        processed_count: tally.accepted,
        total_events: results.len(),
        mode: tally.mode.name(),
        errors,
        results,
    };
    Ok(match tally.retry_after {
        Some(wait) if tally.accepted == 0 => {
            let mut response = Json(StatusCode::SERVICE_UNAVAILABLE, answer).into_response();
            response
                .headers_mut()
                .insert(RETRY_AFTER, retry_after_header(wait));
            response
        }
        _ => Json(StatusCode::CREATED, answer).into_response(),
    })
}

/// What became of a batch as a whole.
struct Tally {
    accepted: usize,
    /// Kafka if every accepted event went that way, direct as soon as one did not, spool as soon as one is there.
    mode: Mode,
    retry_after: Option<std::time::Duration>,
}

impl Tally {
    fn of(outcomes: &[Outcome], configured: Mode) -> Self {
        let accepted_by = |mode| {
            outcomes
                .iter()
                .flatten()
                .filter(|accepted| accepted.mode == mode)
                .count()
        };
        let direct = accepted_by(Mode::Direct);
        let kafka = accepted_by(Mode::Kafka);
        let spool = accepted_by(Mode::Spool);
        for (mode, accepted) in [
            (Mode::Direct, direct),
            (Mode::Kafka, kafka),
            (Mode::Spool, spool),
        ] {
            metrics::event_accepted(mode.name(), accepted as u64);
        }
        let retry_after = outcomes.iter().find_map(|outcome| match outcome {
            Err(Refusal::Unavailable { retry_after }) => Some(*retry_after),
            _ => None,
        });
        let mode = match (spool, direct, kafka) {
            (0, 0, 0) => configured,
            (0, 0, _) => Mode::Kafka,
            (0, _, _) => Mode::Direct,
            _ => Mode::Spool,
        };
        Self {
            accepted: direct + kafka + spool,
            mode,
            retry_after,
        }
    }
}

/// An element without a common field fails the whole array, with its zero-based place. A line of NDJSON does not: such
/// a body may be cut out of a log, where one bad line must not hold up the rest.
fn refuse_faulty_elements(elements: &[Result<EventIn<'_>, InvalidEvent>]) -> Result<(), ApiError> {
    let mut text = String::new();
    for (place, element) in elements.iter().enumerate() {
        let missing = match element {
            Ok(element) => element.missing_common_field(),
            // What is no object has no fields at all.
            Err(invalid) if invalid.code() == "not_an_object" => Some(invalid.clone()),
            Err(_) => None,
        };
        if let Some(missing) = missing {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&format!("[{place}]: {missing}"));
        }
    }
    if text.is_empty() {
        Ok(())
    } else {
        Err(ApiError::FaultyElements(text))
    }
}

fn origin(caller: &Caller) -> Origin {
    Origin {
        tenant: caller.tenant,
        received_at: OffsetDateTime::now_utc(),
    }
}

fn is_ndjson(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/x-ndjson")
        || media_type.eq_ignore_ascii_case("application/ndjson")
}

fn count_invalid(invalid: &InvalidEvent) {
    metrics::event_invalid(invalid.code());
}

fn count_refused(refusal: &Refusal) {
    match refusal {
        Refusal::Unavailable { .. } => metrics::event_unavailable(),
        Refusal::Refused { .. } => metrics::event_invalid("not_storable"),
    }
}
