//! `ctl brake`: partitions that a consumer has paused because too many of their records became dead letters.
//!
//! Asks the consumer itself, which alone knows: a brake is the state of a running process and of nothing else.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::table::Table;

/// Longest wait for a consumer's answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The brake.
#[derive(Debug, Subcommand)]
pub enum BrakeCommand {
    /// Which partitions of a consumer are paused, since when, and for what.
    Show(ShowArgs),
    /// Let the paused partitions of a consumer go on at once, instead of at the next probe.
    ///
    /// Records that still fail become dead letters until the limits are reached again. Works on the consumer's own
    /// machine only, or through a tunnel to its port.
    Release(ReleaseArgs),
}

/// Which consumer.
#[derive(Debug, Args)]
pub struct ConsumerArgs {
    /// Where the consumer answers /readyz.
    #[arg(
        long,
        env = "CONSUMER_URL",
        default_value = "http://127.0.0.1:8081",
        value_name = "URL"
    )]
    pub consumer_url: String,
}

/// Arguments of `ctl brake show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Which consumer.
    #[command(flatten)]
    pub consumer: ConsumerArgs,
}

/// Arguments of `ctl brake release`.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// Only this partition; the exit code is 1 if this consumer has not paused it.
    #[arg(long)]
    pub partition: Option<i32>,
    /// Let so many records become dead letters before the limits count again: for records that are known to be beyond
    /// help.
    #[arg(long, default_value_t = 0)]
    pub dead_letters: u32,
    /// Which consumer.
    #[command(flatten)]
    pub consumer: ConsumerArgs,
}

/// What a consumer says of its partitions.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Shown {
    partitions: Vec<Partition>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Partition {
    partition: String,
    next_offset: Option<i64>,
    brake: Option<Brake>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Brake {
    since: String,
    held_back: u64,
    error_name: String,
    error_message: String,
    next_probe: String,
}

/// What was released.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Released {
    released: Vec<String>,
    #[serde(skip)]
    wanted: Option<i32>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

pub(super) async fn show(args: ShowArgs) -> anyhow::Result<Shown> {
    let consumer = &args.consumer;
    let request = client()?.get(consumer.route("readyz"));
    consumer.ask(request).await
}

pub(super) async fn release(args: ReleaseArgs) -> anyhow::Result<Released> {
    let consumer = &args.consumer;
    let body = serde_json::json!({
        "partition": args.partition,
        "dead_letters": args.dead_letters,
    });
    let request = client()?.post(consumer.route("brake/release")).json(&body);
    let released: Released = consumer.ask(request).await?;
    Ok(Released {
        wanted: args.partition,
        ..released
    })
}

/// The partitions that the consumer at this address has paused.
pub(super) async fn paused(consumer_url: &str) -> anyhow::Result<Vec<String>> {
    let consumer = ConsumerArgs {
        consumer_url: consumer_url.to_owned(),
    };
    let shown = show(ShowArgs { consumer }).await?;
    let partitions = shown.partitions.into_iter();
    Ok(partitions
        .filter(|partition| partition.brake.is_some())
        .map(|partition| partition.partition)
        .collect())
}

fn client() -> reqwest::Result<reqwest::Client> {
    // The consumer takes commands from its own machine only, so a proxy would be in the way.
    reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()
}

impl ConsumerArgs {
    fn route(&self, route: &str) -> String {
        format!("{}/{route}", self.consumer_url.trim_end_matches('/'))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> anyhow::Result<T> {
        let url = &self.consumer_url;
        let silent =
            || format!("no consumer answers at {url}; --consumer-url (CONSUMER_URL) says where");
        let answer = request.send().await.with_context(silent)?;
        let status = answer.status();
        let body = answer.bytes().await.with_context(silent)?;
        if let Ok(refusal) = serde_json::from_slice::<Refusal>(&body) {
            bail!("the consumer at {url} refuses: {}", refusal.error);
        }
        serde_json::from_slice(&body)
            .with_context(|| format!("{url} answers {status}, and not as a consumer does"))
    }
}

impl Answer for Shown {}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new([
            "PARTITION",
            "SINCE",
            "HELD BACK",
            "NEXT PROBE",
            "ERROR",
            "MESSAGE",
        ]);
        let mut braked = 0;
        for partition in &self.partitions {
            let Some(brake) = &partition.brake else {
                continue;
            };
            braked += 1;
            table.row([
                partition.partition.clone(),
                brake.since.clone(),
                brake.held_back.to_string(),
                brake.next_probe.clone(),
                brake.error_name.clone(),
                brake.error_message.clone(),
            ]);
        }
        if braked > 0 {
            table.fmt(f)?;
        }
        write!(
            f,
            "{braked} of {} partitions of this consumer are paused",
            self.partitions.len()
        )
    }
}

impl Answer for Released {
    fn is_failure(&self) -> bool {
        self.wanted.is_some() && self.released.is_empty()
    }
}

impl fmt::Display for Released {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.released, self.wanted) {
            ([], Some(partition)) => write!(
                f,
                "this consumer has not paused partition {partition}; another one of the group may have"
            ),
            ([], None) => f.write_str("no partition of this consumer is paused"),
            (released, _) => write!(f, "released: {}", released.join(", ")),
        }
    }
}
