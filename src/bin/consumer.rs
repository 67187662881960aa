//! Drains the topic into PostgreSQL.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::time::Duration;

use analytics_ingestor::completeness::{Look, Watcher};
use analytics_ingestor::config::{self, ConsumerProgramConfig};
use analytics_ingestor::consumer::EventHandler;
use analytics_ingestor::http::{Probes, probes_router};
use analytics_ingestor::refresh::Refresher;
use analytics_ingestor::store::{self, EventWriter, Purpose};
use analytics_ingestor::{shutdown, telemetry};
use anyhow::Context;
use kafka_toolkit::{Consumer, DeadLetterWriter, HandlerExt, Inspector, Producer};
use tokio::net::TcpListener;
use tracing::{info, warn};

/// Most time for one answer of the cluster when records are counted.
const INSPECTION_TIMEOUT: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: ConsumerProgramConfig = config::parse();
    config.check()?;
    telemetry::install_logs(&config.telemetry)?;
    let metrics = telemetry::install_metrics()?;
    let shutdown = shutdown::on_signal().context("the signals cannot be watched")?;

    let pool = store::connect_lazy(&config.database, Purpose::Write)?;
    let writer = EventWriter::new(pool, config.database.write_deadline(), "consumer");
    let handler = EventHandler::new(writer, &config.consumer.group_id)
        .measured(&config.kafka)
        .logged();
    let dead_letters = DeadLetterWriter::new(
        Producer::connect(&config.kafka, &config.producer)?,
        &config.topics.kafka_dlq_topic,
    );
    let topics = [config.topics.kafka_topic.as_str()];
    let consumer = Consumer::new(
        &config.kafka,
        &config.consumer,
        &topics,
        dead_letters,
        handler,
    )?;

    let listener = TcpListener::bind((config.listen_address, config.consumer_port))
        .await
        .with_context(|| {
            format!(
                "port {} cannot be listened on (CONSUMER_PORT)",
                config.consumer_port
            )
        })?;
    info!(
        address = %listener.local_addr()?,
        topic = config.topics.kafka_topic,
        group = config.consumer.group_id,
        version = env!("CARGO_PKG_VERSION"),
        "consuming"
    );
    let probes = Probes {
        consumer: consumer.health(),
        brakes: consumer.brakes(),
        metrics,
    };
    let look = Look::new(
        Inspector::new(&config.kafka, INSPECTION_TIMEOUT)?,
        &config.consumer.group_id,
        &config.topics.kafka_topic,
        &config.topics.kafka_dlq_topic,
    );
    let watcher = Watcher::start(
        look,
        store::connect_lazy(&config.database, Purpose::Watch)?,
        Duration::from_millis(config.completeness_interval_ms),
    );
    let probes = probes_router(probes).into_make_service_with_connect_info::<SocketAddr>();
    let refresher = Refresher::start(&config.database, config.refresh)?;
    let too_late = {
        let shutdown = shutdown.clone();
        let within = Duration::from_millis(config.shutdown_timeout_ms);
        async move {
            shutdown.cancelled().await;
            tokio::time::sleep(within).await;
        }
    };
    tokio::select! {
        () = too_late => {
            warn!("the group could not be left within SHUTDOWN_TIMEOUT_MS; it notices by itself, and what is not committed is read again");
            return Ok(());
        }
        // The probes answer for as long as the consumer runs, its draining included.
        served = axum::serve(listener, probes).into_future() => served.context("the probes ended")?,
        ran = consumer.run(shutdown) => ran?,
    }
    watcher.stop().await;
    if let Some(refresher) = refresher {
        refresher.stop().await;
    }
    info!("stopped; everything that was stored is committed");
    Ok(())
}
