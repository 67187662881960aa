//! The HTTP API.

use analytics_ingestor::config::{self, ServerConfig};
use analytics_ingestor::http::{self, AppState, Leave};
use analytics_ingestor::refresh::Refresher;
use analytics_ingestor::{shutdown, telemetry};
use anyhow::Context;
use tokio::net::TcpListener;
use tracing::info;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: ServerConfig = config::parse();
    config.check()?;
    telemetry::install_logs(&config.telemetry)?;
    let metrics = telemetry::install_metrics()?;
    let shutdown = shutdown::on_signal().context("the signals cannot be watched")?;

    let state = AppState::assemble(&config, metrics)?;
    let listener = TcpListener::bind((config.http.listen_address, config.http.port))
        .await
        .with_context(|| format!("port {} cannot be listened on (PORT)", config.http.port))?;
    info!(
        address = %listener.local_addr()?,
        mode = state.ingest.mode().name(),
        version = env!("CARGO_PKG_VERSION"),
        "serving"
    );
    let refresher = Refresher::start(&config.database, config.refresh)?;
    http::serve(listener, state, shutdown, Leave::from(&config.http)).await?;
    if let Some(refresher) = refresher {
        refresher.stop().await;
    }
    Ok(())
}
