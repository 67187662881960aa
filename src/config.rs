//! Every setting: its name, its default, what it is for. `--help` prints this file; nothing else reads the
//! environment. A binary composes the groups that it needs and checks them as a whole before it starts.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use clap::{Args, Command, CommandFactory, FromArgMatches, Parser};
use kafka_toolkit::config::{ConsumerConfig, KafkaConfig, ProducerConfig};
use secrecy::{ExposeSecret, SecretString};

/// The consumer group of this product.
pub const CONSUMER_GROUP: &str = "analytics-event-processors";

/// Where this product has a better default than the toolkit, which knows nothing of it.
const DEFAULTS: [(&str, &str); 3] = [
    ("kafka_group_id", CONSUMER_GROUP),
    ("kafka_client_id", "analytics-ingestor"),
    ("kafka_metrics_prefix", "ingestor_kafka_"),
];

/// Shortest `JWT_SECRET` accepted, in bytes: HS256 is as strong as its key, up to the hash's 32 bytes.
const JWT_SECRET_BYTES_MIN: usize = 32;

/// Reads a program's settings from its command line and the environment; ends the process with the reason, or with
/// the help text that was asked for, if they cannot be used.
pub fn parse<C: CommandFactory + FromArgMatches>() -> C {
    C::from_arg_matches(&command::<C>().get_matches()).unwrap_or_else(|error| error.exit())
}

fn command<C: CommandFactory>() -> Command {
    with_defaults(C::command())
}

fn with_defaults(command: Command) -> Command {
    let command = DEFAULTS
        .into_iter()
        .fold(command, |command, (id, default)| {
            if command
                .get_arguments()
                .any(|argument| argument.get_id() == id)
            {
                command.mut_arg(id, |argument| argument.default_value(default))
            } else {
                command
            }
        });
    command.mut_subcommands(with_defaults)
}

/// The HTTP API of the analytics pipeline of live quizzes.
///
/// Takes events on POST /api/events and /api/events/batch, writes them to PostgreSQL directly or by way of Kafka,
/// and answers the reports under /api/reports.
#[derive(Debug, Clone, Parser)]
#[command(name = "server", version)]
pub struct ServerConfig {
    /// Where the API listens, and what it takes.
    #[command(flatten)]
    pub http: HttpConfig,
    /// Tokens and accounts.
    #[command(flatten)]
    pub auth: AuthConfig,
    /// PostgreSQL.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// The direct path.
    #[command(flatten)]
    pub ingest: IngestConfig,
    /// The spool.
    #[command(flatten)]
    pub spool: SpoolConfig,
    /// Stored figures.
    #[command(flatten)]
    pub refresh: RefreshConfig,
    /// Whether events go by way of Kafka.
    #[command(flatten)]
    pub kafka_mode: KafkaModeConfig,
    /// The topics.
    #[command(flatten)]
    pub topics: TopicConfig,
    /// How to reach Kafka.
    #[command(flatten)]
    pub kafka: KafkaConfig,
    /// How records are sent.
    #[command(flatten)]
    pub producer: ProducerConfig,
    /// Logs.
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
}

/// Drains the Kafka topic of quiz events into PostgreSQL.
#[derive(Debug, Clone, Parser)]
#[command(name = "consumer", version)]
pub struct ConsumerProgramConfig {
    /// Most time from SIGTERM or SIGINT to the end, in milliseconds; finishing batches has KAFKA_DRAIN_DEADLINE_MS of it.
    #[arg(long, env = "SHUTDOWN_TIMEOUT_MS", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(..=600_000))]
    pub shutdown_timeout_ms: u64,
    /// Port of /livez, /readyz and /metrics.
    #[arg(long, env = "CONSUMER_PORT", default_value_t = 8081)]
    pub consumer_port: u16,
    /// Address to listen on; 127.0.0.1 keeps other machines out.
    #[arg(long, env = "LISTEN_ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    pub listen_address: IpAddr,
    /// Pause between two counts of what became of the topic's records, in milliseconds; the metrics of lag and
    /// completeness are as old as that.
    #[arg(long, env = "COMPLETENESS_INTERVAL_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=3_600_000))]
    pub completeness_interval_ms: u64,
    /// PostgreSQL.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Stored figures.
    #[command(flatten)]
    pub refresh: RefreshConfig,
    /// The topics.
    #[command(flatten)]
    pub topics: TopicConfig,
    /// How to reach Kafka.
    #[command(flatten)]
    pub kafka: KafkaConfig,
    /// How records are read.
    #[command(flatten)]
    pub consumer: ConsumerConfig,
    /// How records are sent.
    #[command(flatten)]
    pub producer: ProducerConfig,
    /// Logs.
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
}

/// Where the HTTP API listens, and what it takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
pub struct HttpConfig {
    /// Port of the API.
    #[arg(long, env = "PORT", default_value_t = 8080)]
    pub port: u16,
    /// Address to listen on; 127.0.0.1 keeps other machines out.
    #[arg(long, env = "LISTEN_ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    pub listen_address: IpAddr,
    /// Most time from SIGTERM or SIGINT to the end, in milliseconds: requests are finished or refused, and both write
    /// paths flushed.
    #[arg(long, env = "SHUTDOWN_TIMEOUT_MS", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(..=600_000))]
    pub shutdown_timeout_ms: u64,
    /// How much of that time new connections are still taken, in milliseconds, while /readyz says 503: what a balancer
    /// needs to notice. With 0 they are refused at once, upon which most balancers try the next server.
    #[arg(long, env = "SHUTDOWN_DRAIN_MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=600_000))]
    pub shutdown_drain_ms: u64,
    /// Most bytes of request bodies held at one time by all requests together, after decompression; beyond them a
    /// request is answered 503.
    #[arg(long, env = "HTTP_BODY_MEMORY_BYTES_MAX", default_value_t = 128 * 1024 * 1024)]
    pub http_body_memory_bytes_max: usize,
    /// Most time for a request body to arrive, in milliseconds.
    #[arg(long, env = "HTTP_BODY_TIMEOUT_MS", default_value_t = 30_000)]
    pub http_body_timeout_ms: u64,
}

/// Tokens and accounts.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Authentication")]
pub struct AuthConfig {
    /// Key that signs the tokens (HS256), at least 32 bytes; the text itself is the key, it is not decoded.
    #[arg(long, env = "JWT_SECRET", hide_env_values = true)]
    pub jwt_secret: SecretString,
    /// Whether POST /api/auth/signup is open to everybody.
    #[arg(long, env = "SIGNUP_ENABLED", default_value = "false", value_parser = parse_switch, action = clap::ArgAction::Set)]
    pub signup_enabled: bool,
    /// Most verified tokens kept in memory, so that a token is verified once and not at every request.
    #[arg(long, env = "AUTH_TOKENS_CACHED_MAX", default_value_t = 10_000)]
    pub auth_tokens_cached_max: usize,
}

/// PostgreSQL.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "PostgreSQL")]
pub struct DatabaseConfig {
    /// Connection URL, such as postgres://user:password@localhost:5432/ingestor.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,
    /// Most connections for reports, logins and health.
    #[arg(long, env = "DATABASE_CONNECTIONS_MAX", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub database_connections_max: u32,
    /// Most connections for writing events.
    #[arg(long, env = "DATABASE_WRITE_CONNECTIONS_MAX", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub database_write_connections_max: u32,
    /// Most time to wait for a connection, in milliseconds. One for writing goes on being made for three times as long.
    #[arg(long, env = "DATABASE_CONNECT_TIMEOUT_MS", default_value_t = 2_000)]
    pub database_connect_timeout_ms: u64,
    /// Most time for one statement that writes events, in milliseconds.
    #[arg(long, env = "DATABASE_WRITE_TIMEOUT_MS", default_value_t = 10_000)]
    pub database_write_timeout_ms: u64,
    /// Most time for one statement of a report, in milliseconds.
    #[arg(long, env = "DATABASE_READ_TIMEOUT_MS", default_value_t = 10_000)]
    pub database_read_timeout_ms: u64,
}

impl AuthConfig {
    // Checked here and not while parsing: clap quotes a value that it refuses, and this one is a secret.
    fn check(&self) -> anyhow::Result<()> {
        let bytes = self.jwt_secret.expose_secret().len();
        anyhow::ensure!(
            bytes >= JWT_SECRET_BYTES_MIN,
            "JWT_SECRET has {bytes} bytes and needs at least {JWT_SECRET_BYTES_MIN}; make one with: openssl rand -hex 32"
        );
        Ok(())
    }
}

impl DatabaseConfig {
    /// Checks the settings; the URL is not quoted, since it may hold a password.
    ///
    /// # Errors
    /// With the variable that cannot be used.
    pub fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.database_url
                .expose_secret()
                .parse::<sqlx::postgres::PgConnectOptions>()
                .is_ok(),
            "DATABASE_URL is not of the form postgres://user:password@host:port/database"
        );
        Ok(())
    }

    /// Longest wait for one write transaction: the server gives up first, unless it cannot be reached.
    pub fn write_deadline(&self) -> Duration {
        Duration::from_millis(self.database_write_timeout_ms) + Duration::from_secs(1)
    }
}

/// The direct path, and the limits of a batch.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Ingest")]
pub struct IngestConfig {
    /// Writers of the direct path; each has one transaction under way at a time.
    #[arg(long, env = "DIRECT_WRITERS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub direct_writers: u32,
    /// Most events in one transaction of the direct path.
    #[arg(long, env = "DIRECT_BATCH_EVENTS_MAX", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub direct_batch_events_max: u32,
    /// Most events waiting for the direct path; one more is answered 503.
    #[arg(long, env = "DIRECT_QUEUE_EVENTS_MAX", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub direct_queue_events_max: u32,
}

/// Where events are kept while no store takes them.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Spool")]
pub struct SpoolConfig {
    /// Directory of this server's own, on a local disk that outlives it, for events that neither Kafka nor PostgreSQL
    /// takes: they are acknowledged from there and delivered when one of the two is back. Empty: such events are
    /// answered 503.
    #[arg(long, env = "SPOOL_DIR", value_parser = clap::builder::OsStringValueParser::new())]
    pub spool_dir: Option<OsString>,
    /// Most bytes of the spool's files; an event that does not fit is answered 503.
    #[arg(long, env = "SPOOL_BYTES_MAX", default_value_t = 1024 * 1024 * 1024, value_parser = clap::value_parser!(u64).range(SPOOL_BYTES_MIN..))]
    pub spool_bytes_max: u64,
}

/// Smallest `SPOOL_BYTES_MAX`, in bytes.
const SPOOL_BYTES_MIN: u64 = 128 * 1024;

impl SpoolConfig {
    /// The directory, if there is to be a spool.
    pub fn directory(&self) -> Option<&Path> {
        self.spool_dir
            .as_deref()
            .filter(|directory| !directory.is_empty())
            .map(Path::new)
    }
}

/// When the stored figures of a session follow its facts. Reports are exact either way; they read stored figures faster.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Stored figures")]
pub struct RefreshConfig {
    /// Keep the stored figures of sessions up in this process; only the exact text `true` switches it on. One process
    /// is enough, several share the work.
    #[arg(long, env = "REFRESH_ENABLED", default_value = "true", value_parser = parse_switch, action = clap::ArgAction::Set)]
    pub refresh_enabled: bool,
    /// Silence of a session after which its figures are stored, in milliseconds.
    #[arg(long, env = "REFRESH_QUIET_MS", default_value_t = 2_000)]
    pub refresh_quiet_ms: u64,
    /// Time after which the figures of a session are stored that gets events all along, or while writers are busy, in
    /// milliseconds.
    #[arg(long, env = "REFRESH_STALE_MAX_MS", default_value_t = 20_000)]
    pub refresh_stale_max_ms: u64,
}

/// Whether events go by way of Kafka, and when they stop doing so.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Kafka mode")]
pub struct KafkaModeConfig {
    /// Send events to Kafka; only the exact text `true` switches it on.
    #[arg(long, env = "KAFKA_ENABLED", default_value = "false", value_parser = parse_switch, action = clap::ArgAction::Set)]
    pub kafka_enabled: bool,
    /// Failed sends in a row that open the circuit breaker, after which events go the direct way. A crowd of requests of
    /// which none is acknowledged for half the produce deadline counts as one.
    #[arg(long, env = "KAFKA_BREAKER_FAILURES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub kafka_breaker_failures: u32,
    /// Pause before an open circuit breaker lets one event try Kafka again, in milliseconds.
    #[arg(long, env = "KAFKA_BREAKER_OPEN_MS", default_value_t = 2_000)]
    pub kafka_breaker_open_ms: u64,
}

/// The topics.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Kafka topics")]
pub struct TopicConfig {
    /// Topic of the events.
    #[arg(long, env = "KAFKA_TOPIC", default_value = "quiz-events", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub kafka_topic: String,
    /// Topic of the dead letters: records that can never be stored.
    #[arg(long, env = "KAFKA_DLQ_TOPIC", default_value = "quiz-events-dlq", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub kafka_dlq_topic: String,
}

/// Logs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logs")]
pub struct TelemetryConfig {
    /// Which lines to write, as `level` or `module=level`, separated by commas.
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    pub rust_log: String,
    /// Form of the lines.
    #[arg(long, env = "LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for log stores.
    Json,
}

impl ServerConfig {
    /// Checks the groups as a whole.
    ///
    /// # Errors
    /// With every problem in one text, each naming its variable.
    pub fn check(&self) -> anyhow::Result<()> {
        self.auth.check()?;
        self.database.check()?;
        if self.kafka_mode.kafka_enabled {
            self.kafka.check()?;
            self.producer.check()?;
        }
        Ok(())
    }
}

impl ConsumerProgramConfig {
    /// Checks the groups as a whole.
    ///
    /// # Errors
    /// With every problem in one text, each naming its variable.
    pub fn check(&self) -> anyhow::Result<()> {
        self.database.check()?;
        anyhow::ensure!(
            self.topics.kafka_topic != self.topics.kafka_dlq_topic,
            "KAFKA_TOPIC and KAFKA_DLQ_TOPIC must differ: dead letters would be consumed as events"
        );
        self.kafka.check()?;
        self.consumer.check()?;
        self.producer.check()?;
        Ok(())
    }
}

fn parse_switch(text: &str) -> Result<bool, std::convert::Infallible> {
    Ok(text == "true")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const URL: &str = "postgres://user:hunter2@localhost/ingestor";
    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn server(arguments: &[&str]) -> Result<ServerConfig, clap::Error> {
        let required = ["server", "--database-url", URL, "--jwt-secret", SECRET];
        ServerConfig::try_parse_from(required.iter().chain(arguments))
    }

    #[test]
    fn the_sample_names_every_setting_with_its_default() {
        let sample: BTreeMap<_, _> = include_str!("../.env.sample")
            .lines()
            .filter_map(|line| line.strip_prefix('#')?.split_once('='))
            .filter(|(name, _)| !name.contains(' '))
            .collect();
        let mut settings = BTreeMap::new();
        for command in [
            command::<ServerConfig>(),
            command::<ConsumerProgramConfig>(),
        ] {
            for argument in command.get_arguments() {
                let Some(name) = argument.get_env().and_then(|name| name.to_str()) else {
                    continue;
                };
                let default = argument
                    .get_default_values()
                    .first()
                    .and_then(|value| value.to_str());
                settings.insert(name.to_owned(), default.unwrap_or_default().to_owned());
            }
        }
        settings.insert(
            "DATABASE_URL".into(),
            "postgres://user:password@localhost:5432/ingestor".into(),
        );
        let settings: BTreeMap<_, _> = settings
            .iter()
            .map(|(name, default)| (&**name, &**default))
            .collect();
        assert_eq!(sample, settings);
    }

    #[test]
    fn kafka_mode_is_on_for_the_exact_text_true_only() {
        for (text, on) in [
            ("true", true),
            ("TRUE", false),
            ("1", false),
            ("yes", false),
            ("", false),
        ] {
            let config = server(&["--kafka-enabled", text]).unwrap();
            assert_eq!(config.kafka_mode.kafka_enabled, on, "{text}");
        }
    }

    #[test]
    fn a_short_secret_and_a_url_that_is_none_are_refused_without_being_quoted() {
        for (setting, value, said) in [
            ("--jwt-secret", "short-secret", "12 bytes"),
            ("--database-url", "http://hunter2@", "DATABASE_URL"),
        ] {
            let others = [("--jwt-secret", SECRET), ("--database-url", URL)];
            let arguments = others
                .iter()
                .map(|&(name, good)| (name, if name == setting { value } else { good }));
            let arguments = arguments.flat_map(|(name, value)| [name, value]);
            let config =
                ServerConfig::try_parse_from(std::iter::once("server").chain(arguments)).unwrap();
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains(value), "{error}");
        }
    }

    #[test]
    fn a_secret_never_prints() {
        let text = format!("{:?}", server(&[]).unwrap());
        assert!(
            !text.contains("hunter2") && !text.contains(SECRET),
            "{text}"
        );
    }

    #[test]
    fn a_topic_for_both_events_and_dead_letters_is_refused() {
        let arguments = [
            "consumer",
            "--database-url",
            URL,
            "--kafka-topic",
            "x",
            "--kafka-dlq-topic",
            "x",
        ];
        let config = ConsumerProgramConfig::try_parse_from(arguments).unwrap();
        assert!(
            config
                .check()
                .unwrap_err()
                .to_string()
                .contains("KAFKA_DLQ_TOPIC")
        );
    }
}
