//! SIGINT and SIGTERM, turned into a token that everything long-running watches.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Returns a token that is cancelled at the first SIGINT or SIGTERM; a second one ends the process at once.
///
/// # Errors
/// If the signals cannot be watched.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        for already_asked in [false, true] {
            let name = tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
            };
            if already_asked {
                info!(signal = name, "asked twice: stopping at once");
                std::process::exit(130);
            }
            info!(signal = name, "stopping: finishing what was accepted");
            cancelled.cancel();
        }
    });
    Ok(token)
}
