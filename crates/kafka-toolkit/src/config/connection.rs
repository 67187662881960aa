//! How to reach the cluster; shared by producer, consumer and tools.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rdkafka::ClientConfig;
use secrecy::{ExposeSecret, SecretString};

use super::{ConfigError, Problems};

const HEADING: &str = "Kafka connection";

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum SecurityProtocol {
    /// No encryption and no login.
    Plaintext,
    /// TLS without a login.
    Ssl,
    /// A login without encryption.
    SaslPlaintext,
    /// A login over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    fn needs_login(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }
}

/// How the login is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SaslMechanism {
    /// Name and password as they are; only over TLS.
    #[value(name = "PLAIN", alias = "plain")]
    Plain,
    /// Challenge and response with SHA-256.
    #[value(name = "SCRAM-SHA-256", alias = "scram-sha-256")]
    ScramSha256,
    /// Challenge and response with SHA-512.
    #[value(name = "SCRAM-SHA-512", alias = "scram-sha-512")]
    ScramSha512,
}

impl SaslMechanism {
    fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// Where the cluster is and how to log in to it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = HEADING)]
pub struct KafkaConfig {
    /// Brokers to ask first, as host:port, separated by commas.
    #[arg(
        id = "kafka_brokers",
        long = "kafka-brokers",
        env = "KAFKA_BROKERS",
        value_name = "KAFKA_BROKERS",
        value_delimiter = ',',
        default_value = "localhost:9092"
    )]
    pub brokers: Vec<String>,

    /// Name of this program in the brokers' logs and quotas.
    #[arg(
        id = "kafka_client_id",
        long = "kafka-client-id",
        env = "KAFKA_CLIENT_ID",
        value_name = "KAFKA_CLIENT_ID",
        default_value = "kafka-toolkit"
    )]
    pub client_id: String,

    /// Encryption and login.
    #[arg(
        id = "kafka_security_protocol",
        long = "kafka-security-protocol",
        env = "KAFKA_SECURITY_PROTOCOL",
        value_name = "KAFKA_SECURITY_PROTOCOL",
        value_enum,
        ignore_case = true,
        default_value = "plaintext"
    )]
    pub security_protocol: SecurityProtocol,

    /// Login method, for the two sasl protocols.
    #[arg(
        id = "kafka_sasl_mechanism",
        long = "kafka-sasl-mechanism",
        env = "KAFKA_SASL_MECHANISM",
        value_name = "KAFKA_SASL_MECHANISM",
        value_enum,
        ignore_case = true
    )]
    pub sasl_mechanism: Option<SaslMechanism>,

    /// Login name, for the two sasl protocols.
    #[arg(
        id = "kafka_sasl_username",
        long = "kafka-sasl-username",
        env = "KAFKA_SASL_USERNAME",
        value_name = "KAFKA_SASL_USERNAME"
    )]
    pub sasl_username: Option<String>,

    /// Login password, for the two sasl protocols.
    #[arg(
        id = "kafka_sasl_password",
        long = "kafka-sasl-password",
        env = "KAFKA_SASL_PASSWORD",
        value_name = "KAFKA_SASL_PASSWORD",
        hide_env_values = true
    )]
    pub sasl_password: Option<SecretString>,

    /// File with the certificates that sign the brokers' own; the system's when absent.
    #[arg(
        id = "kafka_ssl_ca_location",
        long = "kafka-ssl-ca-location",
        env = "KAFKA_SSL_CA_LOCATION",
        value_name = "KAFKA_SSL_CA_LOCATION"
    )]
    pub ssl_ca_location: Option<PathBuf>,

    /// Longest pause between attempts to reconnect to a broker, in milliseconds.
    #[arg(
        id = "kafka_reconnect_backoff_max_ms",
        long = "kafka-reconnect-backoff-max-ms",
        env = "KAFKA_RECONNECT_BACKOFF_MAX_MS",
        value_name = "KAFKA_RECONNECT_BACKOFF_MAX_MS",
        default_value_t = 500
    )]
    pub reconnect_backoff_max_ms: u64,

    /// Longest wait for the answer to a request, in milliseconds; after it the connection counts as dead and a new one is
    /// made. Until then a connection that died without a word holds up whatever goes over it.
    #[arg(
        id = "kafka_socket_timeout_ms",
        long = "kafka-socket-timeout-ms",
        env = "KAFKA_SOCKET_TIMEOUT_MS",
        value_name = "KAFKA_SOCKET_TIMEOUT_MS",
        default_value_t = 10_000
    )]
    pub socket_timeout_ms: u64,

    /// What the names of this toolkit's metrics start with.
    #[arg(
        id = "kafka_metrics_prefix",
        long = "kafka-metrics-prefix",
        env = "KAFKA_METRICS_PREFIX",
        value_name = "KAFKA_METRICS_PREFIX",
        default_value = "kafka_"
    )]
    pub metrics_prefix: String,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: vec!["localhost:9092".to_owned()],
            client_id: "kafka-toolkit".to_owned(),
            security_protocol: SecurityProtocol::Plaintext,
            sasl_mechanism: None,
            sasl_username: None,
            sasl_password: None,
            ssl_ca_location: None,
            reconnect_backoff_max_ms: 500,
            socket_timeout_ms: 10_000,
            metrics_prefix: "kafka_".to_owned(),
        }
    }
}

impl KafkaConfig {
    /// Reads the settings from the environment alone.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`] when a variable does not hold a value of its type.
    pub fn from_env() -> Result<Self, ConfigError> {
        super::from_env()
    }

    /// Checks the settings against each other; every `connect` of this crate does it first.
    ///
    /// # Errors
    /// [`ConfigError::Unusable`] with every problem, each naming its variable.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut problems = Problems::default();
        problems.unless(
            !self.brokers.is_empty(),
            "KAFKA_BROKERS",
            "must name at least one broker",
        );
        for broker in &self.brokers {
            problems.unless(
                is_host_and_port(broker),
                "KAFKA_BROKERS",
                format!("has {broker:?}, which is not of the form host:port"),
            );
        }
        problems.unless(
            !self.client_id.trim().is_empty(),
            "KAFKA_CLIENT_ID",
            "must not be empty",
        );
        problems.range(
            "KAFKA_RECONNECT_BACKOFF_MAX_MS",
            self.reconnect_backoff_max_ms,
            50..=60_000,
        );
        problems.range(
            "KAFKA_SOCKET_TIMEOUT_MS",
            self.socket_timeout_ms,
            1_000..=300_000,
        );
        problems.unless(
            self.metrics_prefix
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_'),
            "KAFKA_METRICS_PREFIX",
            "may only hold letters, digits and underscores",
        );
        if self.security_protocol.needs_login() {
            let why = "is required by KAFKA_SECURITY_PROTOCOL";
            problems.unless(self.sasl_mechanism.is_some(), "KAFKA_SASL_MECHANISM", why);
            problems.unless(self.sasl_username.is_some(), "KAFKA_SASL_USERNAME", why);
            problems.unless(self.sasl_password.is_some(), "KAFKA_SASL_PASSWORD", why);
        } else {
            // A login that is silently not used would look like a protected connection.
            let why = "is set, but KAFKA_SECURITY_PROTOCOL does not log in";
            problems.unless(self.sasl_mechanism.is_none(), "KAFKA_SASL_MECHANISM", why);
            problems.unless(self.sasl_password.is_none(), "KAFKA_SASL_PASSWORD", why);
        }
        if let Some(path) = &self.ssl_ca_location {
            problems.unless(
                path.exists(),
                "KAFKA_SSL_CA_LOCATION",
                format!("is {}, which does not exist", path.display()),
            );
        }
        problems.result()
    }

    /// The settings that every kind of client shares, in librdkafka's names.
    pub(crate) fn client(&self) -> Result<ClientConfig, ConfigError> {
        self.check()?;
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", self.brokers.join(","))
            .set("client.id", &self.client_id)
            .set("security.protocol", self.security_protocol.as_str())
            .set("reconnect.backoff.ms", "50")
            .set(
                "reconnect.backoff.max.ms",
                self.reconnect_backoff_max_ms.to_string(),
            )
            .set("socket.connection.setup.timeout.ms", "5000")
            .set("socket.timeout.ms", self.socket_timeout_ms.to_string())
            .set("socket.keepalive.enable", "true")
            .set("socket.nagle.disable", "true")
            .set("enable.metrics.push", "false");
        if let Some(mechanism) = self.sasl_mechanism {
            client.set("sasl.mechanism", mechanism.as_str());
        }
        if let Some(username) = &self.sasl_username {
            client.set("sasl.username", username);
        }
        if let Some(password) = &self.sasl_password {
            client.set("sasl.password", password.expose_secret());
        }
        if let Some(path) = &self.ssl_ca_location {
            client.set("ssl.ca.location", path.to_string_lossy());
        }
        Ok(client)
    }
}

fn is_host_and_port(broker: &str) -> bool {
    broker.rsplit_once(':').is_some_and(|(host, port)| {
        !host.trim().is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
    })
}
