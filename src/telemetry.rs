//! Logs and metrics of a process, installed once by its binary.

use std::io::IsTerminal;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, TelemetryConfig};
use crate::metrics;

/// Installs the log subscriber.
///
/// # Errors
/// If `RUST_LOG` cannot be read, or a subscriber is installed already.
pub fn install_logs(config: &TelemetryConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.rust_log).map_err(|error| {
        anyhow::anyhow!("RUST_LOG is not a list of level or module=level: {error}")
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => subscriber
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    }
    .map_err(|error| anyhow::anyhow!("logs are installed twice: {error}"))
}

/// How often the samples of the histograms are sorted into their buckets; until then each takes memory of its own.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Installs the metrics recorder and names every metric; the handle renders the Prometheus text.
///
/// Comes before anything that records, and inside a runtime, which it uses for its upkeep.
///
/// # Errors
/// If a recorder is installed already.
pub fn install_metrics() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Suffix("_seconds".to_owned()),
            metrics::SECONDS_BUCKETS,
        )?
        .set_buckets_for_metric(
            Matcher::Suffix("_events".to_owned()),
            metrics::EVENTS_BUCKETS,
        )?
        .set_buckets_for_metric(
            Matcher::Suffix("_records".to_owned()),
            metrics::EVENTS_BUCKETS,
        )?
        .install_recorder()?;
    metrics::describe();
    let upkept = handle.clone();
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            interval.tick().await;
            upkept.run_upkeep();
        }
    });
    Ok(handle)
}
