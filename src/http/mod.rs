//! The HTTP API: routes, extractors, answers. Translates between HTTP and the other modules; holds no SQL and no
//! Kafka, and decides nothing about events.

mod answer;
mod auth;
mod body;
mod catalogue;
mod docs;
mod error;
mod event;
mod extract;
mod health;
mod middleware;
mod probes;
mod query;
mod report;
mod router;
mod state;

use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::health::Health;
pub use self::probes::{Probes, probes_router};
pub use self::router::router;
pub use self::state::{AppState, Limits};

/// Serves until `shutdown`, then finishes what was accepted: requests first, then both write paths.
///
/// # Errors
/// If the listener fails.
pub async fn serve(
    listener: TcpListener,
    state: AppState,
    shutdown: CancellationToken,
    finish_within: Duration,
) -> std::io::Result<()> {
    let listener = listener.tap_io(|connection| {
        // Small answers must not wait for the client's acknowledgement of the previous one.
        if let Err(error) = connection.set_nodelay(true) {
            warn!(error = %error, "a connection keeps Nagle's algorithm");
        }
    });
    let ingest = state.ingest.clone();
    let serving = axum::serve(listener, router(state))
        .with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let deadline = async {
        shutdown.cancelled().await;
        tokio::time::sleep(finish_within).await;
    };
    tokio::select! {
        served = serving.into_future() => served?,
        () = deadline => warn!(finish_within_ms = finish_within.as_millis(), "requests were still open at the deadline"),
    }
    ingest.close(finish_within).await;
    info!("stopped; everything that was acknowledged is durable");
    Ok(())
}
