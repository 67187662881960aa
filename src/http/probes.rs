//! What the consumer serves: /livez, /readyz and /metrics.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;

use super::answer::Json;

/// Silence of the polling loop after which the consumer counts as stuck; it turns several times a second.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// What the probes look at; cheap to clone.
#[derive(Debug, Clone)]
pub struct Probes {
    /// The consumer's own view of itself.
    pub consumer: kafka_toolkit::Health,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
}

#[derive(Serialize)]
struct ConsumerAnswer {
    status: &'static str,
    partitions: Vec<PartitionAnswer>,
}

#[derive(Serialize)]
struct PartitionAnswer {
    partition: String,
    next_offset: Option<i64>,
    /// Whether too many dead letters in a row have stopped the partition.
    braked: bool,
    waiting_for_database: bool,
}

/// The routes over what they look at.
pub fn probes_router(probes: Probes) -> Router {
    Router::new()
        .route("/livez", get(show_liveness))
        .route("/readyz", get(show_readiness))
        .route("/metrics", get(show_metrics))
        .with_state(probes)
}

async fn show_liveness(State(probes): State<Probes>) -> impl IntoResponse {
    // Before the first poll it is starting, which is not stuck.
    let polls = probes
        .consumer
        .snapshot()
        .since_last_poll
        .is_none_or(|since| since < STUCK_AFTER);
    answer(&probes, polls, "alive")
}

async fn show_readiness(State(probes): State<Probes>) -> impl IntoResponse {
    let polls = probes
        .consumer
        .snapshot()
        .since_last_poll
        .is_some_and(|since| since < STUCK_AFTER);
    answer(&probes, polls, "ready")
}

fn answer(probes: &Probes, well: bool, status: &'static str) -> Json<ConsumerAnswer> {
    let partitions = probes
        .consumer
        .snapshot()
        .partitions
        .into_iter()
        .map(|state| PartitionAnswer {
            partition: state.partition.to_string(),
            next_offset: state.next_offset,
            braked: state.braked,
            waiting_for_database: state.waiting_on_dependency,
        })
        .collect();
    let (code, status) = if well {
        (StatusCode::OK, status)
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "stuck")
    };
    Json(code, ConsumerAnswer { status, partitions })
}

async fn show_metrics(State(probes): State<Probes>) -> Response {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        probes.metrics.render(),
    )
        .into_response()
}
