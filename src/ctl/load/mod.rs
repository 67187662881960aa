//! `ctl load`: sends events to a server and accounts for every one of them.
//!
//! [`source`] and [`classroom`] make the events, [`order`] arranges them, [`sender`] delivers them over several
//! connections by way of [`client`], and [`tally`] is the account. Knows the server by its HTTP contract only.

mod classroom;
mod client;
mod order;
mod pace;
mod sender;
mod source;
mod tally;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;
use clap::{ArgGroup, Args};
use indicatif::HumanCount;
use secrecy::SecretString;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::classroom::Plan;
use self::client::Client;
use self::order::Order;
use self::pace::Pace;
use self::sender::{Delivery, Retries};
pub(super) use self::tally::Account;
use super::progress::Progress;
use crate::shutdown;

/// Arguments of `ctl load`.
#[derive(Debug, Args)]
#[group(skip)]
#[command(group(ArgGroup::new("events").required(true).args(["file", "classrooms"])))]
pub struct LoadArgs {
    /// File of events, one JSON object a line, plain or gzip; `-` is standard input.
    pub file: Option<PathBuf>,

    /// Simulate so many classrooms instead of reading a file.
    #[arg(long, env = "LOAD_CLASSROOMS", help_heading = "Simulation", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub classrooms: Option<u32>,
    /// Students of each classroom.
    #[arg(long, env = "LOAD_STUDENTS", default_value_t = 25, help_heading = "Simulation", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub students: u32,
    /// Questions of each quiz.
    #[arg(long, env = "LOAD_QUESTIONS", default_value_t = 10, help_heading = "Simulation", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub questions: u32,
    /// Sessions that each classroom plays, one after the other.
    #[arg(long, env = "LOAD_SESSIONS", default_value_t = 1, help_heading = "Simulation", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub sessions: u32,
    /// When the first session begins, RFC 3339; the same start and seed make the same events. By default the last
    /// session ends at this moment.
    #[arg(long, env = "LOAD_START", help_heading = "Simulation", value_parser = parse_time)]
    pub start: Option<OffsetDateTime>,

    /// Base URL of the API.
    #[arg(long, env = "LOAD_URL", default_value = "http://localhost:8080/api")]
    pub url: String,
    /// Token of an account that may write.
    #[arg(long, env = "LOAD_TOKEN", hide_env_values = true)]
    pub token: Option<SecretString>,
    /// Address to log in with, where there is no token.
    #[arg(long, env = "LOAD_EMAIL", required_unless_present = "token")]
    pub email: Option<String>,
    /// Password to log in with; asked for on the terminal if it is not given.
    #[arg(long, env = "LOAD_PASSWORD", hide_env_values = true)]
    pub password: Option<SecretString>,

    /// Events in a request; 1 sends each on its own to POST /events.
    #[arg(long, env = "LOAD_BATCH_EVENTS", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub batch: u32,
    /// Requests under way at a time.
    #[arg(long, env = "LOAD_CONNECTIONS", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// Most events a second; as fast as the server answers if it is not given.
    #[arg(long, env = "LOAD_RATE", value_parser = parse_rate)]
    pub rate: Option<f64>,
    /// Order of the events.
    #[arg(long, env = "LOAD_ORDER", default_value = "forwards")]
    pub order: Order,
    /// Seed of the shuffle and of the simulation.
    #[arg(long, env = "LOAD_SEED", default_value_t = 1)]
    pub seed: u64,
    /// How often an event is sent again while the server is busy or away, before it is given up.
    #[arg(long, env = "LOAD_RETRIES", default_value_t = 30)]
    pub retries: u32,
    /// Most time for one request, in milliseconds.
    #[arg(long, env = "LOAD_TIMEOUT_MS", default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout_ms: u64,
}

pub(super) async fn load(args: LoadArgs) -> anyhow::Result<Account> {
    let mut events = events(&args).await?;
    args.order.arrange(&mut events, args.seed);
    let total = events.len() as u64;
    ensure!(total > 0, "there are no events to send");

    let connections = args.connections as usize;
    let timeout = Duration::from_millis(args.timeout_ms);
    let mut client = Client::new(&args.url, connections, timeout)?;
    match (args.token, args.email) {
        (Some(token), _) => client.use_token(&token)?,
        (None, Some(email)) => {
            let password = match args.password {
                Some(password) => password,
                None => rpassword::prompt_password(format!("Password of {email}: "))?.into(),
            };
            client.log_in(&email, &password).await?;
        }
        (None, None) => anyhow::bail!("give LOAD_TOKEN, or LOAD_EMAIL and LOAD_PASSWORD"),
    }

    let stop = shutdown::on_signal()?;
    eprintln!("sending {} events to {}", HumanCount(total), args.url);
    let started = Instant::now();
    let delivery = Delivery {
        client,
        events,
        batch_events: args.batch as usize,
        pace: Pace::new(started.into(), args.rate),
        retries: Retries { max: args.retries },
        progress: Progress::new(total, "events"),
        stop,
    };
    let tally = sender::deliver(delivery, connections).await?;
    Ok(Account::new(total, tally, started.elapsed()))
}

async fn events(args: &LoadArgs) -> anyhow::Result<Vec<Bytes>> {
    let Some(classrooms) = args.classrooms else {
        let path = args.file.clone().unwrap_or_else(|| PathBuf::from("-"));
        return tokio::task::spawn_blocking(move || source::read(&path)).await?;
    };
    let plan = Plan {
        seed: args.seed,
        classrooms,
        students: args.students,
        questions: args.questions,
        sessions: args.sessions,
    };
    let start = args
        .start
        .unwrap_or_else(|| OffsetDateTime::now_utc() - plan.longest());
    tokio::task::spawn_blocking(move || plan.simulate(start)).await?
}

fn parse_time(text: &str) -> Result<OffsetDateTime, time::error::Parse> {
    OffsetDateTime::parse(text, &Rfc3339)
}

fn parse_rate(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|rate: &f64| rate.is_finite() && *rate > 0.0)
        .ok_or_else(|| "a rate is a number above 0".to_owned())
}
