//! Waiting for a condition, with a deadline and a loud end.

use std::time::{Duration, Instant};

/// Longest wait for something that should take a moment, on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until the condition holds.
///
/// # Panics
/// When it does not hold within `deadline`.
pub(crate) async fn eventually(
    what: &str,
    deadline: Duration,
    mut holds: impl AsyncFnMut() -> bool,
) {
    let began = Instant::now();
    while !holds().await {
        assert!(
            began.elapsed() < deadline,
            "waited {deadline:?} in vain until {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
