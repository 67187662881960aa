//! `ctl dlq list`: how many dead letters there are of each kind, and the newest ones.
//!
//! The topic is read from end to end and only the newest ones are kept, so its size costs time and no memory.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::filter::{Filter, records_in};
use super::letter::{Letter, time_cell};
use super::state::{RedriveGroup, State, States};
use super::summary::Summary;
use super::text::one_line;
use crate::ctl::answer::Answer;
use crate::ctl::kafka::ClusterArgs;
use crate::ctl::progress::Progress;
use crate::ctl::table::Table;

/// Arguments of `ctl dlq list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Most dead letters to list; all are counted.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub limit: u32,
    /// Only those of which this has become.
    #[arg(long)]
    pub state: Option<State>,
    /// Which ones.
    #[command(flatten)]
    pub filter: Filter,
    /// Where it is noted what has been put back.
    #[command(flatten)]
    pub group: RedriveGroup,
    /// The topics and the cluster that holds them.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Dead letters of a topic.
#[derive(Debug, Serialize)]
pub(in crate::ctl) struct DeadLetters {
    topic: String,
    /// How many the topic keeps.
    total: u64,
    /// How many of them are meant.
    matching: u64,
    summary: Summary,
    dead_letters: Vec<Letter>,
}

/// What is kept of the topic while it is read.
#[derive(Default)]
struct Read {
    summary: Summary,
    /// Of each partition, because the newest of all are among them.
    newest: BTreeMap<i32, VecDeque<Letter>>,
}

pub(in crate::ctl) async fn list(args: ListArgs) -> anyhow::Result<DeadLetters> {
    let ListArgs {
        limit,
        state,
        filter,
        group,
        cluster,
    } = args;
    let inspector = cluster.inspector()?;
    let topic = cluster.topics.kafka_dlq_topic.clone();
    let explain = |error| cluster.explain(error);
    let watermarks = inspector.watermarks(&topic).await.map_err(explain)?;
    let ranges = filter.ranges(&inspector, &topic).await.map_err(explain)?;
    let states = States::read(&inspector, &topic, &group).await;
    let states = states.map_err(explain)?;
    let progress = Arc::new(Progress::new(records_in(&ranges), "dead letters"));
    let looked_at = Arc::clone(&progress);
    let limit = limit as usize;
    let read = inspector
        .fold(&topic, &ranges, Read::default(), move |read, located| {
            looked_at.advance(1);
            let letter = states.letter(&located);
            if filter.is_met_by(&letter) && state.is_none_or(|state| state == letter.state) {
                read.take(letter, limit);
            }
            ControlFlow::Continue(())
        })
        .await;
    progress.finish();
    let read = read.map_err(explain)?;
    let mut letters: Vec<Letter> = read.newest.into_values().flatten().collect();
    letters.sort_by_key(|letter| (letter.time, letter.partition, letter.offset));
    letters.drain(..letters.len().saturating_sub(limit));
    Ok(DeadLetters {
        topic,
        total: watermarks
            .iter()
            .map(|w| u64::try_from(w.high - w.low).unwrap_or_default())
            .sum(),
        matching: read.summary.total(),
        summary: read.summary,
        dead_letters: letters,
    })
}

impl Read {
    fn take(&mut self, letter: Letter, limit: usize) {
        self.summary.count(&letter);
        let newest = self.newest.entry(letter.partition).or_default();
        newest.push_back(letter);
        if newest.len() > limit {
            newest.pop_front();
        }
    }
}

impl Answer for DeadLetters {}

impl fmt::Display for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new([
            "PARTITION",
            "OFFSET",
            "TIME",
            "ORIGIN",
            "CLASS",
            "ERROR",
            "ATTEMPTS",
            "REDRIVES",
            "STATE",
            "MESSAGE",
        ]);
        for letter in &self.dead_letters {
            let [origin, class, name, attempts, redrives, message] = match &letter.origin {
                Some(origin) => [
                    format!(
                        "{}/{}/{}",
                        one_line(&origin.original_topic),
                        origin.original_partition,
                        origin.original_offset
                    ),
                    one_line(&origin.error_class),
                    one_line(&origin.error_name),
                    origin.attempts.to_string(),
                    origin.redrives.to_string(),
                    one_line(&origin.error_message),
                ],
                None => {
                    let why = letter.unreadable.clone().unwrap_or_default();
                    let nothing = || "-".to_owned();
                    [nothing(), nothing(), nothing(), nothing(), nothing(), why]
                }
            };
            table.row([
                letter.partition.to_string(),
                letter.offset.to_string(),
                time_cell(letter.time),
                origin,
                class,
                name,
                attempts,
                redrives,
                letter.state.as_str().to_owned(),
                message,
            ]);
        }
        if !self.dead_letters.is_empty() {
            writeln!(f, "{table}")?;
        }
        if self.matching > 0 {
            writeln!(f, "{}", self.summary)?;
        }
        write!(
            f,
            "{} shown, {} matching, {} in {}",
            self.dead_letters.len(),
            self.matching,
            self.total,
            self.topic
        )
    }
}
