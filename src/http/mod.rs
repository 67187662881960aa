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
mod stopping;

use std::future::IntoFuture;
use std::pin::pin;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::health::Health;
pub use self::probes::{Probes, probes_router};
pub use self::router::router;
pub use self::state::{AppState, Limits};
use self::stopping::ClosingListener;
pub use self::stopping::Leave;

/// Serves until `shutdown`, then finishes what was accepted: requests first, then both write paths. What can't be finished
/// in time is refused.
///
/// # Errors
/// If the listener fails.
pub async fn serve(
    listener: TcpListener,
    mut state: AppState,
    shutdown: CancellationToken,
    leave: Leave,
) -> std::io::Result<()> {
    let (refuse_connections, close_idle) = (CancellationToken::new(), CancellationToken::new());
    let listener =
        ClosingListener::new(listener, refuse_connections.clone())?.tap_io(|connection| {
            // Small answers must not wait for the client's acknowledgement of the previous one.
            if let Err(error) = connection.set_nodelay(true) {
                warn!(error = %error, "a connection keeps Nagle's algorithm");
            }
        });
    state.stopping = shutdown.clone();
    let ingest = state.ingest.clone();
    let serving = axum::serve(listener, router(state))
        .with_graceful_shutdown(close_idle.clone().cancelled_owned());
    let mut serving = pin!(serving.into_future());
    tokio::select! {
        served = &mut serving => return served,
        () = shutdown.cancelled() => {}
    }

    let schedule = leave.schedule(Instant::now());
    let leaving = async {
        sleep_until(schedule.refuse_connections).await;
        refuse_connections.cancel();
        sleep_until(schedule.close_idle).await;
        close_idle.cancel();
        sleep_until(schedule.refuse_requests).await;
    };
    let mut is_served = false;
    tokio::select! {
        served = &mut serving => {
            served?;
            is_served = true;
        }
        () = leaving => {}
    }
    let left = schedule.end - Instant::now();
    if is_served {
        ingest.close(left).await;
    } else {
        warn!("requests are still waiting near the end of SHUTDOWN_TIMEOUT_MS: they are refused");
        // The second half of the time is for writing the refusals.
        ingest.close(left / 2).await;
        if timeout_at(schedule.end, &mut serving).await.is_err() {
            warn!(
                "connections were still open at the end: they are cut; nothing on them was acknowledged"
            );
        }
    }
    info!("stopped; everything that was acknowledged is durable");
    Ok(())
}
