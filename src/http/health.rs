//! Whether the process lives, can take events, and what it can reach.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use kafka_toolkit::Inspector;
use serde::Serialize;
use sqlx::PgPool;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::answer::Json;
use super::state::AppState;
use crate::spool::Status;
use crate::store;

/// How long an answer of a store stands: probes come every few seconds from several sides.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// Most time for a store to answer a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Which stores can be reached, asked at most once a second; cheap to clone.
#[derive(Debug, Clone)]
pub struct Health {
    db: PgPool,
    kafka: Option<Arc<Inspector>>,
    last: Arc<Mutex<Option<(Instant, Reachable)>>>,
}

/// Which stores answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reachable {
    database: bool,
    /// `None` outside Kafka mode.
    kafka: Option<bool>,
}

impl Health {
    /// Asks `db`, and in Kafka mode the brokers.
    pub fn new(db: PgPool, kafka: Option<Inspector>) -> Self {
        Self {
            db,
            kafka: kafka.map(Arc::new),
            last: Arc::default(),
        }
    }

    async fn check(&self) -> Reachable {
        // Callers that come meanwhile wait for this one's answer instead of asking again.
        let mut last = self.last.lock().await;
        if let Some((at, reachable)) = *last
            && at.elapsed() < FRESH_FOR
        {
            return reachable;
        }
        let database = timeout(PROBE_TIMEOUT, store::ping(&self.db));
        let kafka = async {
            match &self.kafka {
                Some(inspector) => Some(matches!(
                    timeout(PROBE_TIMEOUT, inspector.cluster()).await,
                    Ok(Ok(_))
                )),
                None => None,
            }
        };
        let (database, kafka) = tokio::join!(database, kafka);
        let reachable = Reachable {
            database: matches!(database, Ok(Ok(_))),
            kafka,
        };
        *last = Some((Instant::now(), reachable));
        reachable
    }
}

#[derive(Serialize)]
struct HealthAnswer {
    status: &'static str,
    service: &'static str,
    version: &'static str,
    kafka_enabled: bool,
    kafka: &'static str,
    breaker: &'static str,
    database: &'static str,
    spool: &'static str,
    spool_events: u64,
    spool_bytes: u64,
}

/// Whether events can be acknowledged without a store.
fn has_room(spool: Option<Status>) -> bool {
    spool.is_some_and(|spool| spool.has_room)
}

/// The spool's state in one word.
fn spool_state(spool: Option<Status>) -> &'static str {
    match spool {
        None => "off",
        Some(Status { records: 0, .. }) => "empty",
        Some(_) => "holding",
    }
}

fn up_or_down(up: bool) -> &'static str {
    if up { "up" } else { "down" }
}

pub(super) async fn show_health(State(app): State<Arc<AppState>>) -> impl IntoResponse {
    let reachable = app.health.check().await;
    let spool = app.ingest.spool_status();
    let status = match (reachable.database, reachable.kafka) {
        (true, None | Some(true)) => "healthy",
        (true, Some(false)) | (false, Some(true)) => "degraded",
        _ if has_room(spool) => "degraded",
        (false, None | Some(false)) => "unhealthy",
    };
    let answer = HealthAnswer {
        status,
        service: "analytics-ingestor",
        version: env!("CARGO_PKG_VERSION"),
        kafka_enabled: reachable.kafka.is_some(),
        kafka: reachable.kafka.map_or("off", up_or_down),
        breaker: app
            .ingest
            .breaker_state()
            .map_or("off", |state| state.name()),
        database: up_or_down(reachable.database),
        spool: spool_state(spool),
        spool_events: spool.map_or(0, |spool| spool.records),
        spool_bytes: spool.map_or(0, |spool| spool.bytes),
    };
    Json(StatusCode::OK, answer)
}

#[derive(Serialize)]
struct Probe {
    status: &'static str,
}

pub(super) async fn show_liveness() -> impl IntoResponse {
    Json(StatusCode::OK, Probe { status: "alive" })
}

pub(super) async fn show_readiness(State(app): State<Arc<AppState>>) -> impl IntoResponse {
    if app.stopping.is_cancelled() {
        return unready("stopping");
    }
    let reachable = app.health.check().await;
    let spool = app.ingest.spool_status();
    if reachable.database || reachable.kafka == Some(true) || has_room(spool) {
        Json(StatusCode::OK, Probe { status: "ready" })
    } else {
        unready("no store can be reached")
    }
}

fn unready(status: &'static str) -> Json<Probe> {
    Json(StatusCode::SERVICE_UNAVAILABLE, Probe { status })
}

pub(super) async fn show_metrics(State(app): State<Arc<AppState>>) -> Response {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        app.metrics.render(),
    )
        .into_response()
}
