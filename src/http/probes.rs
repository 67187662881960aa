//! What the consumer serves: /livez, /readyz, /metrics, and the one command that it takes, to release its brake.
//!
//! There are no accounts here, so the command is taken from the consumer's own machine only: from `ctl` in the same
//! container, through a tunnel or a port-forward.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use kafka_toolkit::consumer::{Brake, Brakes};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tracing::info;

use super::answer::Json;

/// Silence of the polling loop after which the consumer counts as stuck; it turns several times a second.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// What the probes look at; cheap to clone.
#[derive(Debug, Clone)]
pub struct Probes {
    /// The consumer's own view of itself.
    pub consumer: kafka_toolkit::Health,
    /// Releases the brakes of its partitions.
    pub brakes: Brakes,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
}

#[derive(Serialize)]
struct ConsumerAnswer {
    status: &'static str,
    /// Partitions that are paused because of too many dead letters; they are described below.
    braked: Vec<String>,
    partitions: Vec<PartitionAnswer>,
}

#[derive(Serialize)]
struct PartitionAnswer {
    partition: String,
    next_offset: Option<i64>,
    /// `null` unless too many dead letters have paused the partition.
    brake: Option<BrakeAnswer>,
    waiting_for_database: bool,
}

#[derive(Serialize)]
struct BrakeAnswer {
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    held_back: usize,
    error_name: String,
    error_message: String,
    #[serde(with = "time::serde::rfc3339")]
    next_probe: OffsetDateTime,
}

#[derive(Deserialize)]
struct ReleaseIn {
    /// All where there is none.
    partition: Option<i32>,
    #[serde(default)]
    dead_letters: u32,
}

#[derive(Serialize)]
struct ReleasedAnswer {
    released: Vec<String>,
}

#[derive(Serialize)]
struct Refusal {
    error: String,
    code: &'static str,
}

/// The routes over what they look at.
pub fn probes_router(probes: Probes) -> Router {
    Router::new()
        .route("/livez", get(show_liveness))
        .route("/readyz", get(show_readiness))
        .route("/metrics", get(show_metrics))
        .route("/brake/release", post(release_brake))
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
    let partitions: Vec<PartitionAnswer> = probes
        .consumer
        .snapshot()
        .partitions
        .into_iter()
        .map(|state| PartitionAnswer {
            partition: state.partition.to_string(),
            next_offset: state.next_offset,
            brake: state.brake.map(BrakeAnswer::from),
            waiting_for_database: state.waiting_on_dependency,
        })
        .collect();
    let (code, status) = if well {
        (StatusCode::OK, status)
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "stuck")
    };
    let braked = partitions.iter().filter(|state| state.brake.is_some());
    let braked = braked.map(|state| state.partition.clone()).collect();
    Json(
        code,
        ConsumerAnswer {
            status,
            braked,
            partitions,
        },
    )
}

impl From<Brake> for BrakeAnswer {
    fn from(brake: Brake) -> Self {
        Self {
            since: brake.since,
            held_back: brake.held_back,
            error_name: brake.error_name,
            error_message: brake.error_message,
            next_probe: brake.next_probe,
        }
    }
}

async fn release_brake(
    State(probes): State<Probes>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    release: Result<axum::Json<ReleaseIn>, JsonRejection>,
) -> Response {
    if !peer.ip().to_canonical().is_loopback() {
        let error = "the brake is released from the consumer's own machine only: run `ctl brake release` there, or \
                     through a tunnel to its port";
        return refuse(StatusCode::FORBIDDEN, error.to_owned(), "not_local");
    }
    let ReleaseIn {
        partition,
        dead_letters,
    } = match release {
        Ok(axum::Json(release)) => release,
        Err(rejection) => return refuse(rejection.status(), rejection.body_text(), "invalid_body"),
    };
    let released = probes.brakes.release(partition, dead_letters);
    let released: Vec<String> = released.iter().map(ToString::to_string).collect();
    info!(?released, dead_letters, "asked to release the brake");
    Json(StatusCode::OK, ReleasedAnswer { released }).into_response()
}

fn refuse(status: StatusCode, error: String, code: &'static str) -> Response {
    Json(status, Refusal { error, code }).into_response()
}

async fn show_metrics(State(probes): State<Probes>) -> Response {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        probes.metrics.render(),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use kafka_toolkit::{
        Batch, Consumer, ConsumerConfig, DeadLetterWriter, Handler, KafkaConfig, Outcome,
        ProducerConfig,
    };
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    struct Nothing;

    impl Handler for Nothing {
        async fn handle(&self, batch: &Batch) -> Vec<Outcome> {
            vec![Outcome::Done; batch.len()]
        }
    }

    fn probes() -> Probes {
        let kafka = KafkaConfig::default();
        let config = ConsumerConfig::default().with_default_group("test");
        let letters = DeadLetterWriter::connect(&kafka, &ProducerConfig::default(), "dlq").unwrap();
        let consumer = Consumer::new(&kafka, &config, &["events"], letters, Nothing).unwrap();
        Probes {
            consumer: consumer.health(),
            brakes: consumer.brakes(),
            metrics: PrometheusBuilder::new().build_recorder().handle(),
        }
    }

    #[tokio::test]
    async fn the_brake_is_released_from_the_consumers_own_machine_only() {
        for (peer, status) in [
            ("127.0.0.1:1", StatusCode::OK),
            ("[::1]:1", StatusCode::OK),
            ("[::ffff:127.0.0.1]:1", StatusCode::OK),
            ("10.0.0.7:1", StatusCode::FORBIDDEN),
            ("[2001:db8::1]:1", StatusCode::FORBIDDEN),
        ] {
            let release = Ok(axum::Json(ReleaseIn {
                partition: None,
                dead_letters: 0,
            }));
            let peer_address = ConnectInfo(peer.parse().unwrap());
            let answer = release_brake(State(probes()), peer_address, release).await;
            assert_eq!(answer.status(), status, "{peer}");
        }
    }
}
