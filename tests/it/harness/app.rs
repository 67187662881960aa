//! The application inside the test process, put together as `server` does it and served on a free port.

use std::ops::Deref;
use std::sync::OnceLock;

use analytics_ingestor::config::ServerConfig;
use analytics_ingestor::http::{self, AppState, Leave};
use analytics_ingestor::telemetry;
use clap::Parser;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::client::{Client, JWT_SECRET};
use super::database::{PATIENT_CONNECT_MS, TestDb};
use super::topic::Topics;

/// One recorder serves all applications of a test process; tests that look at metrics start the program instead.
fn metrics() -> PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    METRICS
        .get_or_init(|| telemetry::install_metrics().expect("nobody else installs a recorder"))
        .clone()
}

/// The settings of an application: the defaults, and what a test changes.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    arguments: Vec<String>,
}

impl Setup {
    pub(crate) fn on(database_url: &str) -> Self {
        let mut setup = Self {
            arguments: vec!["server".to_owned()],
        };
        for (name, value) in [
            ("database-url", database_url),
            ("jwt-secret", JWT_SECRET),
            ("kafka-metrics-prefix", "ingestor_kafka_"),
        ] {
            setup = setup.with(name, value);
        }
        setup
    }

    /// On a machine that may be busy: a database that is there may take its time.
    fn patient_on(db: &TestDb) -> Self {
        let setup = Self::on(&db.url());
        if db.is_always_there() {
            setup.with("database-connect-timeout-ms", PATIENT_CONNECT_MS)
        } else {
            setup
        }
    }

    /// Sends events by way of Kafka.
    pub(crate) fn through(self, topics: &Topics) -> Self {
        self.with("kafka-enabled", true)
            .with("kafka-brokers", topics.brokers())
            .with("kafka-topic", &topics.events)
            .with("kafka-dlq-topic", &topics.dead_letters)
    }

    /// Sets what `--help` lists as `--name`.
    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.arguments.push(format!("--{name}"));
        self.arguments.push(value.to_string());
        self
    }

    fn config(&self) -> ServerConfig {
        let config =
            ServerConfig::try_parse_from(&self.arguments).unwrap_or_else(|error| panic!("{error}"));
        config.check().expect("the settings go together");
        config
    }

    /// The application, not served.
    pub(crate) fn assemble(&self) -> AppState {
        AppState::assemble(&self.config(), metrics()).expect("the application is assembled")
    }

    pub(crate) async fn start(self) -> App {
        let config = self.config();
        let state = self.assemble();
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("the listener has an address");
        let stop = CancellationToken::new();
        let leave = Leave::from(&config.http);
        let serving = tokio::spawn(http::serve(listener, state, stop.clone(), leave));
        App {
            client: Client::new(format!("http://{address}")),
            stop,
            serving,
        }
    }
}

/// A served application; it is also a client of itself.
pub(crate) struct App {
    client: Client,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl App {
    /// In direct mode, with sign-up open.
    pub(crate) async fn direct(db: &TestDb) -> Self {
        Setup::patient_on(db)
            .with("signup-enabled", true)
            .start()
            .await
    }

    /// In Kafka mode, on a machine that may be busy: nothing goes direct only because the broker takes its time.
    pub(crate) async fn by_kafka(db: &TestDb, topics: &Topics) -> Self {
        Setup::patient_on(db)
            .through(topics)
            .with("kafka-produce-deadline-ms", 10_000)
            .start()
            .await
    }

    /// Stops as SIGTERM does, and returns when everything accepted is finished.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.serving
            .await
            .expect("serving does not panic")
            .expect("serving ends well");
    }
}

impl Deref for App {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
