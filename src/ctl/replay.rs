//! `ctl replay`: events from the topic into PostgreSQL once more, without stopping anything.
//!
//! The arguments, and what is said meanwhile and at the end; the work itself is `crate::replay`'s.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use clap::{ArgGroup, Args};
use kafka_toolkit::inspect::Range;
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::answer::Answer;
use super::database;
use super::kafka::ClusterArgs;
use super::progress::Progress;
use super::timestamp;
use crate::config::{CONSUMER_GROUP, DatabaseConfig};
use crate::replay::{
    End, Expired, Notice, Partitions, PlanError, Replay, Selection, Span, Tally, Target,
};
use crate::shutdown;
use crate::store::{self, EventWriter, Purpose};

/// How long a database that is away is waited for before anything is read.
const DATABASE_PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Arguments of `ctl replay`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true).args(["from", "to", "offsets", "session", "all"]))]
pub struct ReplayArgs {
    /// Only records of this time or later, RFC 3339. The time of a record is its sender's; of several senders, take a
    /// minute more.
    #[arg(long, value_name = "TIME", value_parser = timestamp::parse)]
    pub from: Option<OffsetDateTime>,
    /// Only records before this time, RFC 3339: in each partition those in front of the first one that is not.
    #[arg(long, value_name = "TIME", value_parser = timestamp::parse)]
    pub to: Option<OffsetDateTime>,
    /// Only these offsets, TO not included; without TO up to the end. Several times for several partitions.
    #[arg(long, value_name = "PARTITION:FROM-TO", value_parser = parse_offsets, conflicts_with_all = ["from", "to", "all", "partition"])]
    pub offsets: Vec<Range>,
    /// Only events of this session. Its key says in which partition they are, and no other one is read; where the topic has
    /// been given more partitions since, add --all or name the old --partition.
    #[arg(long, value_name = "SESSION_ID")]
    pub session: Option<Uuid>,
    /// Everything that the topic keeps; with --session, every partition.
    #[arg(long)]
    pub all: bool,
    /// Only this partition; several times at will.
    #[arg(long, value_name = "PARTITION", value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Vec<i32>,
    /// Only events of this tenant.
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..))]
    pub tenant: Option<i32>,
    /// Count the records and ask the database which events it lacks; write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Most records a second; as fast as both sides allow if it is not given.
    #[arg(long, value_name = "RECORDS")]
    pub rate: Option<NonZeroU32>,
    /// The group that is told which records are stored, for `ctl completeness`; its offsets stay where they are.
    #[arg(long = "kafka-group-id", env = "KAFKA_GROUP_ID", default_value = CONSUMER_GROUP, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub group: String,
    /// The topics and the cluster that holds them.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// PostgreSQL.
    #[command(flatten)]
    pub database: DatabaseConfig,
}

/// What came of a replay.
#[derive(Debug, Serialize)]
pub(super) struct Replayed {
    topic: String,
    dry_run: bool,
    /// Whether every record that is kept was done.
    finished: bool,
    /// Records that there were to read.
    planned: u64,
    #[serde(flatten)]
    tally: Tally,
    /// Offsets that were asked for and are kept no longer.
    expired: Vec<Expired>,
    /// Why it ended before the end, other than by being told to.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The arguments that go on where it ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resume: Vec<String>,
    took_seconds: f64,
}

/// `PARTITION:FROM-TO` or `PARTITION:FROM-`.
fn parse_offsets(text: &str) -> Result<Range, String> {
    let parse = || {
        let (partition, offsets) = text.split_once(':')?;
        let (from, to) = offsets.split_once('-')?;
        Some(Range {
            partition: partition.parse().ok().filter(|partition| *partition >= 0)?,
            from: from.parse().ok()?,
            to: if to.is_empty() {
                i64::MAX
            } else {
                to.parse().ok()?
            },
        })
    };
    let range = parse().ok_or("not of the form PARTITION:FROM-TO, such as 0:1200-3400")?;
    if range.from < range.to {
        Ok(range)
    } else {
        Err("holds nothing: TO is not included and must be above FROM".to_owned())
    }
}

impl ReplayArgs {
    fn selection(&self) -> anyhow::Result<Selection> {
        if let (Some(from), Some(to)) = (self.from, self.to) {
            ensure!(
                from < to,
                "--from must be before --to; between these two there is nothing"
            );
        }
        let span = if !self.offsets.is_empty() {
            Span::Offsets(self.offsets.clone())
        } else if self.from.is_some() || self.to.is_some() {
            Span::Times {
                from: self.from,
                to: self.to,
            }
        } else {
            Span::All
        };
        let partitions = match self.session {
            _ if !self.partition.is_empty() => {
                Partitions::These(BTreeSet::from_iter(self.partition.iter().copied()))
            }
            Some(session) if !self.all => Partitions::OfSession(session),
            _ => Partitions::All,
        };
        Ok(Selection {
            span,
            partitions,
            session: self.session,
            tenant: self.tenant,
        })
    }

    /// The arguments that go on with these ranges.
    fn resume(&self, remaining: &[Range]) -> Vec<String> {
        let mut arguments = Vec::new();
        for range in remaining {
            arguments.push("--offsets".to_owned());
            arguments.push(format!("{}:{}-{}", range.partition, range.from, range.to));
        }
        let others = [
            ("--session", self.session.map(|session| session.to_string())),
            ("--tenant", self.tenant.map(|tenant| tenant.to_string())),
            ("--rate", self.rate.map(|rate| rate.to_string())),
        ];
        for (name, value) in others {
            if let Some(value) = value {
                arguments.extend([name.to_owned(), value]);
            }
        }
        if self.dry_run {
            arguments.push("--dry-run".to_owned());
        }
        arguments
    }
}

pub(super) async fn replay(args: ReplayArgs) -> anyhow::Result<Replayed> {
    let began = Instant::now();
    let stop = shutdown::on_signal()?;
    let replay = Replay {
        inspector: args.cluster.inspector()?,
        topic: args.cluster.topics.kafka_topic.clone(),
        selection: args.selection()?,
        target: target(&args)?,
        rate: args.rate,
    };
    let plan = replay.selection.plan(&replay.inspector, &replay.topic);
    let plan = plan.await.map_err(|error| match error {
        PlanError::Inspect(error) => args.cluster.explain(error),
        wrong => anyhow!("{}: {wrong}", replay.topic),
    })?;
    for expired in &plan.expired {
        eprintln!("warning: {}", Told(expired));
    }
    tokio::select! {
        usable = check_database(&args.database) => usable?,
        () = stop.cancelled() => anyhow::bail!("interrupted before anything was read"),
    }
    let progress = Progress::new(plan.records(), "records");
    let replayed = replay
        .run(&plan, &stop, |notice| match notice {
            Notice::Done(records) => progress.advance(records),
            Notice::Waiting(error, pause) => progress.say(&format!(
                "the database takes no events ({error}); nothing is lost, trying again in {:.1} s",
                pause.as_secs_f64()
            )),
            Notice::GoingOn => progress.say("the database takes events again"),
        })
        .await;
    progress.finish();
    Ok(Replayed {
        topic: replay.topic,
        dry_run: args.dry_run,
        finished: matches!(replayed.end, End::Finished),
        planned: plan.records(),
        tally: replayed.tally,
        expired: plan.expired,
        error: match replayed.end {
            End::Failed(error) => Some(args.cluster.explain(error).to_string()),
            End::Finished | End::Stopped => None,
        },
        resume: match &replayed.remaining[..] {
            [] => Vec::new(),
            remaining => args.resume(remaining),
        },
        took_seconds: began.elapsed().as_secs_f64(),
    })
}

fn target(args: &ReplayArgs) -> anyhow::Result<Target> {
    args.database.check()?;
    Ok(if args.dry_run {
        Target::DryRun(store::connect_lazy(&args.database, Purpose::Read)?)
    } else {
        let pool = store::connect_lazy(&args.database, Purpose::Write)?;
        let deadline = args.database.write_deadline();
        Target::Store {
            writer: EventWriter::new(pool.clone(), deadline, "replay"),
            pool,
            group: args.group.clone(),
        }
    })
}

/// Waits for a database that is away; one that can't be used as it is, is no reason to wait.
async fn check_database(config: &DatabaseConfig) -> anyhow::Result<()> {
    let mut connection = database::connect_within(config, DATABASE_PATIENCE).await?;
    store::count_not_stored(&mut connection, &[])
        .await
        .map_err(database::explain)?;
    Ok(())
}

/// What retention has taken, in words.
struct Told<'e>(&'e Expired);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Expired {
            partition,
            from,
            to,
            certain,
        } = self.0;
        write!(
            f,
            "partition {partition} keeps offsets {from} to {} no longer",
            to - 1
        )?;
        if *certain {
            write!(f, ": they can't be replayed")
        } else {
            write!(
                f,
                ", and some of them may be of the time that was asked for"
            )
        }
    }
}

impl Answer for Replayed {
    fn is_failure(&self) -> bool {
        !self.finished
            || !self.tally.refused.is_empty()
            || self.expired.iter().any(|expired| expired.certain)
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            read,
            decoded,
            passed_over,
            undecodable,
            refused,
            new,
            duplicates,
        } = &self.tally;
        writeln!(
            f,
            "read {read} of {} records of {} in {:.1} s: {decoded} events",
            self.planned, self.topic, self.took_seconds
        )?;
        if *passed_over > 0 {
            writeln!(f, "{passed_over} of another session or tenant passed over")?;
        }
        for (reason, count) in undecodable {
            writeln!(f, "{count} are no events: {reason}")?;
        }
        for (sqlstate, count) in refused {
            writeln!(
                f,
                "{count} events are refused by the database for good: SQLSTATE {sqlstate}"
            )?;
        }
        let would_be = if self.dry_run { "would be " } else { "" };
        write!(
            f,
            "{would_be}new rows: {} answers, {} publications, {} session events; stored before: {duplicates}",
            new.answers, new.publications, new.session_events
        )?;
        for expired in &self.expired {
            write!(f, "\n{}", Told(expired))?;
        }
        if let Some(error) = &self.error {
            write!(f, "\nended early: {error}")?;
        } else if !self.finished {
            write!(f, "\ninterrupted")?;
        }
        if !self.resume.is_empty() {
            write!(f, "\ngo on with: ctl replay {}", self.resume.join(" "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_a_partition_and_a_range_that_holds_something() {
        let range = |partition, from, to| Range {
            partition,
            from,
            to,
        };
        assert_eq!(parse_offsets("0:12-40"), Ok(range(0, 12, 40)));
        assert_eq!(parse_offsets("11:0-"), Ok(range(11, 0, i64::MAX)));
        for wrong in [
            "", "5", "0:5", "0:-5", "-1:2-3", "a:1-2", "0:1-b", "0:4-4", "0:5-4", "0: 1-2",
        ] {
            assert!(parse_offsets(wrong).is_err(), "{wrong}");
        }
    }
}
