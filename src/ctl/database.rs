//! The one connection that an operator's command uses.
//!
//! Not the pools of the programs: a command wants the server's own words when it can't connect, and no limit on how
//! long a statement takes.

use std::time::Duration;

use anyhow::anyhow;
use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::time::{Instant, sleep, timeout};

use crate::config::DatabaseConfig;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Connects, or says at once why not.
pub(super) async fn connect(config: &DatabaseConfig) -> anyhow::Result<PgConnection> {
    let options = options(config)?;
    match attempt(config, &options).await {
        Ok(connection) => Ok(connection),
        Err(refused) => Err(anyhow!(refused.error).context(cannot_connect(&options))),
    }
}

/// Connects, waiting so long for a database that is starting or not there yet.
pub(super) async fn connect_within(
    config: &DatabaseConfig,
    wait: Duration,
) -> anyhow::Result<PgConnection> {
    let options = options(config)?;
    let deadline = Instant::now() + wait;
    let mut pause = FIRST_PAUSE;
    loop {
        match attempt(config, &options).await {
            Ok(connection) => return Ok(connection),
            Err(refused) if refused.for_now && Instant::now() + pause < deadline => {
                if pause == FIRST_PAUSE {
                    eprintln!("waiting for the database at {}", target(&options));
                }
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(refused) => return Err(anyhow!(refused.error).context(cannot_connect(&options))),
        }
    }
}

/// Which database a configuration names, without its password.
pub(super) fn describe(config: &DatabaseConfig) -> anyhow::Result<String> {
    Ok(target(&options(config)?))
}

/// A failed statement in the operator's words.
pub(super) fn explain(error: sqlx::Error) -> anyhow::Error {
    let undefined_table = error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| code == "42P01");
    if undefined_table {
        return anyhow!("the database has no schema yet; make it with: ctl migrate");
    }
    anyhow!(error).context("the database failed")
}

struct Refused {
    error: sqlx::Error,
    /// Whether waiting may help.
    for_now: bool,
}

async fn attempt(
    config: &DatabaseConfig,
    options: &PgConnectOptions,
) -> Result<PgConnection, Refused> {
    let patience = Duration::from_millis(config.database_connect_timeout_ms);
    let error = match timeout(patience, PgConnection::connect_with(options)).await {
        Ok(Ok(connection)) => return Ok(connection),
        Ok(Err(error)) => error,
        Err(_) => sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()),
    };
    let for_now = match &error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        // 53300: all connections are taken; 57P01..57P03: it is starting or stopping.
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code == "53300" || code.starts_with("57P0")),
        _ => false,
    };
    Err(Refused { error, for_now })
}

fn options(config: &DatabaseConfig) -> anyhow::Result<PgConnectOptions> {
    config.check()?;
    let options: PgConnectOptions = config.database_url.expose_secret().parse()?;
    Ok(options
        .application_name("analytics-ingestor ctl")
        .options([
            ("statement_timeout", "0"),
            ("client_min_messages", "warning"),
        ])
        .disable_statement_logging())
}

fn target(options: &PgConnectOptions) -> String {
    format!(
        "{}:{}/{}",
        options.get_host(),
        options.get_port(),
        options.get_database().unwrap_or_default()
    )
}

fn cannot_connect(options: &PgConnectOptions) -> String {
    format!("cannot connect to the database at {}", target(options))
}
