//! Which dead letters are meant.

use clap::{Args, ValueEnum};
use kafka_toolkit::inspect::{InspectError, Range};
use kafka_toolkit::{ErrorClass, Inspector};
use time::OffsetDateTime;

use super::letter::Letter;
use crate::ctl::timestamp;

/// Which dead letters are meant; all of the conditions must hold.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Which dead letters")]
pub struct Filter {
    /// Only those of this error class.
    #[arg(long)]
    pub class: Option<Class>,
    /// Only those of this error name, such as malformed_envelope; several times at will.
    #[arg(long, value_name = "ERROR")]
    pub name: Vec<String>,
    /// Only those that were given up at this time or later, RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = timestamp::parse)]
    pub from: Option<OffsetDateTime>,
    /// Only those that were given up before this time, RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = timestamp::parse)]
    pub to: Option<OffsetDateTime>,
    /// Only those in this partition of the dead-letter topic.
    #[arg(long)]
    pub partition: Option<i32>,
    /// Only those that came from this partition of their original topic.
    #[arg(long, value_name = "PARTITION")]
    pub original_partition: Option<i32>,
}

/// The error classes that lead to a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Class {
    /// The record can never be stored as it is.
    Permanent,
    /// The record failed at every try.
    Transient,
}

impl Class {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => ErrorClass::Permanent.as_str(),
            Self::Transient => ErrorClass::Transient.as_str(),
        }
    }
}

impl Filter {
    /// Whether this one is meant. A record without a readable origin fulfils no condition on it.
    pub(super) fn is_met_by(&self, letter: &Letter) -> bool {
        let origin = letter.origin.as_ref();
        let in_time = (self.from.is_none() && self.to.is_none())
            || letter.time.is_some_and(|time| {
                self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time < to)
            });
        in_time
            && self
                .partition
                .is_none_or(|partition| partition == letter.partition)
            && self
                .class
                .is_none_or(|class| origin.is_some_and(|o| o.error_class == class.as_str()))
            && (self.name.is_empty() || origin.is_some_and(|o| self.name.contains(&o.error_name)))
            && self
                .original_partition
                .is_none_or(|wanted| origin.is_some_and(|o| o.original_partition == wanted))
    }

    /// The parts of the topic that have to be read to find all of them, as the topic is now.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub(super) async fn ranges(
        &self,
        inspector: &Inspector,
        topic: &str,
    ) -> Result<Vec<Range>, InspectError> {
        let firsts = match self.from {
            Some(from) => {
                let from_ms = from.unix_timestamp_nanos().div_euclid(1_000_000);
                let from_ms = i64::try_from(from_ms).unwrap_or(i64::MAX);
                Some(inspector.offsets_for_time(topic, from_ms).await?)
            }
            None => None,
        };
        let watermarks = inspector.watermarks(topic).await?;
        let meant = watermarks.into_iter().filter(|watermark| {
            self.partition
                .is_none_or(|only| only == watermark.partition)
        });
        Ok(meant
            .map(|watermark| {
                let from = firsts.as_ref().map_or(watermark.low, |firsts| {
                    let first = firsts
                        .iter()
                        .find(|(partition, _)| *partition == watermark.partition);
                    // No record is as young.
                    first
                        .and_then(|(_, offset)| *offset)
                        .unwrap_or(watermark.high)
                });
                Range {
                    partition: watermark.partition,
                    from: from.clamp(watermark.low, watermark.high),
                    to: watermark.high,
                }
            })
            .collect())
    }
}

/// How many records these ranges hold at most.
pub(super) fn records_in(ranges: &[Range]) -> u64 {
    ranges
        .iter()
        .map(|range| u64::try_from(range.to - range.from).unwrap_or_default())
        .sum()
}
