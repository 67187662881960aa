//! `ctl dlq redrive`: puts dead letters back into the topics that they came from.
//!
//! The order of the steps, what earlier calls have done and when to give up are the toolkit's; this file decides which
//! dead letters are meant, and tells what was done.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use anyhow::ensure;
use clap::Args;
use kafka_toolkit::inspect::Range;
use kafka_toolkit::redrive::Redrove;
use kafka_toolkit::{Inspector, Producer, ProducerConfig, Redriver};
use serde::Serialize;

use super::filter::{Filter, records_in};
use super::letter::Letter;
use super::state::{RedriveGroup, State, States};
use super::summary::Summary;
use crate::ctl::answer::Answer;
use crate::ctl::brake;
use crate::ctl::kafka::ClusterArgs;
use crate::ctl::progress::Progress;
use crate::shutdown;

/// Shortest deadline of a send: nobody waits for an answer, so a slow broker is better than a second copy.
const PRODUCE_DEADLINE_MS_MIN: u64 = 10_000;

/// Arguments of `ctl dlq redrive`.
#[derive(Debug, Args)]
pub struct RedriveArgs {
    /// Tell what would be put back, by kind, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Most records a second.
    #[arg(long, value_name = "PER_SECOND", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: u32,
    /// Most records in all, the oldest of each partition first.
    #[arg(long)]
    pub limit: Option<u64>,
    /// Put those back, too, that have failed again after 3 redrives.
    #[arg(long)]
    pub include_quarantined: bool,
    /// Ask the consumer at this address first, and put nothing back while its brake is on.
    #[arg(long, env = "CONSUMER_URL", value_name = "URL")]
    pub consumer_url: Option<String>,
    /// Which ones.
    #[command(flatten)]
    pub filter: Filter,
    /// Where it is noted what has been put back.
    #[command(flatten)]
    pub group: RedriveGroup,
    /// The topics and the cluster that holds them.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// How records are sent.
    #[command(flatten)]
    pub producer: ProducerConfig,
}

/// What was put back, or would be.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(in crate::ctl) enum Redrive {
    Planned(Planned),
    Done(Done),
}

/// What would be put back.
#[derive(Debug, Serialize)]
pub(in crate::ctl) struct Planned {
    dry_run: bool,
    topic: String,
    would_redrive: u64,
    /// Those that would be left alone because they failed again after 3 redrives.
    quarantined: u64,
    histogram: Summary,
}

/// What was put back.
#[derive(Debug, Serialize)]
pub(in crate::ctl) struct Done {
    topic: String,
    redriven: u64,
    /// Put back by an earlier call.
    already: u64,
    quarantined: u64,
    /// Not meant by the filters; they wait for another call.
    left_out: u64,
    unreadable: u64,
    refused: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    /// Records that were put back and are dead letters again already.
    returned: u64,
    /// Why it ended early.
    #[serde(skip_serializing_if = "Option::is_none")]
    obstacle: Option<String>,
}

/// Which dead letters are meant.
struct Choice {
    filter: Filter,
    states: States,
    include_quarantined: bool,
    left: u64,
    quarantined: u64,
}

impl Choice {
    fn takes(&mut self, letter: &Letter) -> bool {
        if !self.filter.is_met_by(letter) {
            return false;
        }
        let wanted = match letter.state {
            State::Pending => true,
            State::Quarantined => {
                self.quarantined += u64::from(!self.include_quarantined);
                self.include_quarantined
            }
            State::Redriven | State::Unreadable => false,
        };
        let taken = wanted && self.left > 0;
        self.left -= u64::from(taken);
        taken
    }
}

pub(in crate::ctl) async fn redrive(args: RedriveArgs) -> anyhow::Result<Redrive> {
    let stop = shutdown::on_signal()?;
    let cluster = &args.cluster;
    let explain = |error| cluster.explain(error);
    let inspector = cluster.inspector()?;
    let topic = cluster.topics.kafka_dlq_topic.clone();
    let ranges = args.filter.ranges(&inspector, &topic).await;
    let ranges = ranges.map_err(explain)?;
    let states = States::read(&inspector, &topic, &args.group).await;
    let mut choice = Choice {
        filter: args.filter.clone(),
        states: states.map_err(explain)?,
        include_quarantined: args.include_quarantined,
        left: args.limit.unwrap_or(u64::MAX),
        quarantined: 0,
    };
    let progress = Arc::new(Progress::new(records_in(&ranges), "dead letters"));
    if args.dry_run {
        let planned = plan(&inspector, topic, &ranges, choice, Arc::clone(&progress)).await;
        progress.finish();
        return Ok(Redrive::Planned(planned.map_err(explain)?));
    }
    if let Some(url) = &args.consumer_url {
        let paused = brake::paused(url).await?;
        ensure!(
            paused.is_empty(),
            "the brake is on for {}: what its records fail for is not mended, and what is put back would wait behind them; \
             `ctl brake show` says what that is",
            paused.join(", ")
        );
    }
    let config = ProducerConfig {
        produce_deadline_ms: args
            .producer
            .produce_deadline_ms
            .max(PRODUCE_DEADLINE_MS_MIN),
        ..args.producer.clone()
    };
    let producer = Producer::connect(&cluster.kafka, &config)?;
    let redriver = Redriver::new(inspector, producer, &topic, &args.group.redrive_group);
    let wanted = |located: &_| {
        let letter = choice.states.letter(located);
        choice.takes(&letter)
    };
    let looked_at = |letters| progress.advance(letters);
    let redrove = redriver
        .run(&ranges, f64::from(args.rate), wanted, looked_at, &stop)
        .await;
    progress.finish();
    let redrove = redrove.map_err(explain)?;
    Ok(Redrive::Done(Done::of(topic, redrove, choice.quarantined)))
}

async fn plan(
    inspector: &Inspector,
    topic: String,
    ranges: &[Range],
    choice: Choice,
    progress: Arc<Progress>,
) -> Result<Planned, kafka_toolkit::inspect::InspectError> {
    let step = move |(choice, histogram): &mut (Choice, Summary), located| {
        progress.advance(1);
        let letter = choice.states.letter(&located);
        if choice.takes(&letter) {
            histogram.count(&letter);
        }
        ControlFlow::Continue(())
    };
    let read = (choice, Summary::default());
    let (choice, histogram) = inspector.fold(&topic, ranges, read, step).await?;
    Ok(Planned {
        dry_run: true,
        topic,
        would_redrive: histogram.total(),
        quarantined: choice.quarantined,
        histogram,
    })
}

impl Done {
    fn of(topic: String, redrove: Redrove, quarantined: u64) -> Self {
        Self {
            topic,
            redriven: redrove.redriven,
            already: redrove.already,
            quarantined,
            left_out: redrove.left_out - quarantined,
            unreadable: redrove.unreadable,
            refused: redrove.refused,
            refusal: redrove.refusal.map(|error| error.to_string()),
            returned: redrove.returned,
            obstacle: redrove.obstacle.map(|obstacle| obstacle.to_string()),
        }
    }
}

impl Answer for Redrive {
    fn is_failure(&self) -> bool {
        match self {
            Self::Planned(_) => false,
            Self::Done(done) => done.obstacle.is_some() || done.refused > 0,
        }
    }
}

impl fmt::Display for Redrive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Planned(planned) => planned.fmt(f),
            Self::Done(done) => done.fmt(f),
        }
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.would_redrive > 0 {
            writeln!(f, "{}", self.histogram)?;
        }
        let Self {
            would_redrive,
            quarantined,
            ..
        } = self;
        write!(
            f,
            "{would_redrive} dead letters would be put back, {quarantined} are quarantined; nothing was written"
        )
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} dead letters put back", self.redriven)?;
        let told = [
            (self.already, "had been put back before"),
            (
                self.quarantined,
                "are quarantined: they failed again after 3 redrives (--include-quarantined puts them back)",
            ),
            (self.left_out, "were left out and wait for another call"),
            (self.unreadable, "are no dead letters of ours"),
            (self.returned, "records are dead letters again already"),
        ];
        for (count, text) in told.into_iter().filter(|(count, _)| *count > 0) {
            writeln!(f, "{count} {text}")?;
        }
        if let Some(refusal) = &self.refusal {
            writeln!(f, "{} were refused: {refusal}", self.refused)?;
        }
        if let Some(obstacle) = &self.obstacle {
            write!(
                f,
                "it ended early: {obstacle}. What was put back is noted; the same command goes on behind it"
            )?;
        }
        Ok(())
    }
}
