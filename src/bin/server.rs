//! The HTTP API.

use std::time::Duration;

use analytics_ingestor::auth::{Passwords, Tokens};
use analytics_ingestor::config::{self, ServerConfig};
use analytics_ingestor::http::{self, AppState, Health, Limits};
use analytics_ingestor::sink::{Breaker, DirectPath, Ingest, KafkaPath};
use analytics_ingestor::store::{self, EventWriter, Purpose};
use analytics_ingestor::{shutdown, telemetry};
use anyhow::Context;
use kafka_toolkit::{Inspector, Producer};
use tokio::net::TcpListener;
use tracing::info;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: ServerConfig = config::parse();
    config.check()?;
    telemetry::install_logs(&config.telemetry)?;
    let metrics = telemetry::install_metrics()?;
    let shutdown = shutdown::on_signal().context("the signals cannot be watched")?;

    let db = store::connect_lazy(&config.database, Purpose::Read)?;
    let writer = EventWriter::new(
        store::connect_lazy(&config.database, Purpose::Write)?,
        config.database.write_deadline(),
        "direct",
    );
    let direct = DirectPath::start(writer, &config.ingest);
    let (ingest, inspector) = if config.kafka_mode.kafka_enabled {
        let producer = Producer::connect(&config.kafka, &config.producer)?;
        let breaker = Breaker::new(
            config.kafka_mode.kafka_breaker_failures,
            Duration::from_millis(config.kafka_mode.kafka_breaker_open_ms),
        );
        let path = KafkaPath::new(producer, &config.topics.kafka_topic);
        let inspector = Inspector::new(&config.kafka, Duration::from_secs(1))?;
        (Ingest::kafka(path, breaker, direct), Some(inspector))
    } else {
        (Ingest::direct(direct), None)
    };
    let state = AppState {
        health: Health::new(db.clone(), inspector),
        ingest,
        db,
        tokens: Tokens::new(&config.auth.jwt_secret, config.auth.auth_tokens_cached_max),
        passwords: Passwords::new()?,
        signup_enabled: config.auth.signup_enabled,
        limits: Limits::new(&config.http),
        metrics,
    };

    let listener = TcpListener::bind((config.http.host, config.http.port))
        .await
        .with_context(|| format!("port {} cannot be listened on (PORT)", config.http.port))?;
    info!(
        address = %listener.local_addr()?,
        mode = state.ingest.mode().name(),
        version = env!("CARGO_PKG_VERSION"),
        "serving"
    );
    let finish_within = Duration::from_millis(config.http.shutdown_timeout_ms);
    http::serve(listener, state, shutdown, finish_within).await?;
    Ok(())
}
