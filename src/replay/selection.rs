//! Which records a replay is about, and where they are in the topic.

use std::collections::{BTreeMap, BTreeSet};

use kafka_toolkit::inspect::{InspectError, Range, Watermarks};
use kafka_toolkit::{Inspector, Record, partition_of_key};
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::event::Event;

/// Which records are meant; all of the conditions must hold.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Which part of each partition.
    pub span: Span,
    /// Which partitions; of no account where offsets name them.
    pub partitions: Partitions,
    /// Only events of this session.
    pub session: Option<Uuid>,
    /// Only events of this tenant.
    pub tenant: Option<i32>,
}

/// Which part of a partition.
#[derive(Debug, Clone)]
pub enum Span {
    /// Everything that is kept.
    All,
    /// Records from one time up to another, that one not included, by the timestamps of the records.
    Times {
        /// From the oldest, if there is none.
        from: Option<OffsetDateTime>,
        /// To the newest, if there is none.
        to: Option<OffsetDateTime>,
    },
    /// These offsets, at most one range of each partition.
    Offsets(Vec<Range>),
}

/// Which partitions.
#[derive(Debug, Clone)]
pub enum Partitions {
    /// All of them.
    All,
    /// The one of this session's key, as the topic is now.
    OfSession(Uuid),
    /// These.
    These(BTreeSet<i32>),
}

/// Why there is nothing to plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The topic could not be looked at.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// The topic has no such partition.
    #[error("the topic has the partitions 0 to {last} and no partition {partition}")]
    UnknownPartition {
        /// The one that was asked for.
        partition: i32,
        /// The last that there is.
        last: i32,
    },
    /// Two ranges of one partition.
    #[error("partition {0} is given twice; one replay takes one range of each partition")]
    TwoRanges(i32),
}

/// Offsets that were asked for and are kept no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Expired {
    /// The partition.
    pub partition: i32,
    /// The first one.
    pub from: i64,
    /// The one behind the last one, which is the oldest that is kept unless the whole range is gone.
    pub to: i64,
    /// Whether they are known to have been meant. A time says nothing of records that are gone.
    pub certain: bool,
}

/// What is to be read.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The records, as the topic is now; none of these is empty.
    pub ranges: Vec<Range>,
    /// What retention has taken.
    pub expired: Vec<Expired>,
}

impl Selection {
    /// Whether an event is meant.
    pub(super) fn wants(&self, event: &Event) -> bool {
        self.session
            .is_none_or(|session| session == event.session_id)
            && self.tenant.is_none_or(|tenant| tenant == event.tenant.id())
    }

    /// Whether a record that is no event would be meant if it were one, as far as its key tells.
    pub(super) fn may_want(&self, record: &Record) -> bool {
        let of_session = |session: Uuid| {
            let key = record.key.as_deref().unwrap_or_default();
            Uuid::try_parse_ascii(key).is_ok_and(|key| key == session)
        };
        self.session.is_none_or(of_session)
    }

    /// Looks where the records are.
    ///
    /// # Errors
    /// [`PlanError`] if the topic cannot be looked at, or has no such partitions.
    pub async fn plan(&self, inspector: &Inspector, topic: &str) -> Result<Plan, PlanError> {
        let watermarks = inspector.watermarks(topic).await?;
        let partitions = watermarks.len() as i32;
        let wanted = |partition: i32| match &self.partitions {
            Partitions::All => true,
            Partitions::OfSession(session) => {
                partition == partition_of_key(session.to_string().as_bytes(), partitions)
            }
            Partitions::These(these) => these.contains(&partition),
        };
        if let Partitions::These(these) = &self.partitions {
            for partition in these {
                find(&watermarks, *partition)?;
            }
        }
        let chosen = watermarks.iter().filter(|w| wanted(w.partition));
        let mut plan = Plan::default();
        match &self.span {
            Span::All => chosen.for_each(|watermark| plan.add(watermark, 0, i64::MAX, None)),
            Span::Times { from, to } => {
                let from = offsets(inspector, topic, *from).await?;
                let to = offsets(inspector, topic, *to).await?;
                for watermark in chosen {
                    let place = |offsets: &Option<Offsets>, otherwise| {
                        offsets.as_ref().map_or(otherwise, |offsets| {
                            // No record is as young.
                            offsets
                                .get(&watermark.partition)
                                .copied()
                                .flatten()
                                .unwrap_or(watermark.high)
                        })
                    };
                    let first = place(&from, 0);
                    // Where the oldest record is young enough, those before it may have been, too.
                    let certain = from.as_ref().map(|_| false);
                    let first = if first == watermark.low { 0 } else { first };
                    plan.add(watermark, first, place(&to, watermark.high), certain);
                }
            }
            Span::Offsets(ranges) => {
                let mut seen = BTreeSet::new();
                for range in ranges {
                    if !seen.insert(range.partition) {
                        return Err(PlanError::TwoRanges(range.partition));
                    }
                    let watermark = find(&watermarks, range.partition)?;
                    plan.add(watermark, range.from, range.to, Some(true));
                }
            }
        }
        Ok(plan)
    }
}

type Offsets = BTreeMap<i32, Option<i64>>;

async fn offsets(
    inspector: &Inspector,
    topic: &str,
    time: Option<OffsetDateTime>,
) -> Result<Option<Offsets>, InspectError> {
    let Some(time) = time else { return Ok(None) };
    let milliseconds = time.unix_timestamp_nanos().div_euclid(1_000_000);
    let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
    let offsets = inspector.offsets_for_time(topic, milliseconds).await?;
    Ok(Some(offsets.into_iter().collect()))
}

fn find(watermarks: &[Watermarks], partition: i32) -> Result<&Watermarks, PlanError> {
    watermarks
        .iter()
        .find(|watermark| watermark.partition == partition)
        .ok_or(PlanError::UnknownPartition {
            partition,
            last: watermarks.len() as i32 - 1,
        })
}

impl Plan {
    /// Adds what is kept of a range; what is not kept is noted where it may have been meant, with that certainty.
    fn add(&mut self, watermark: &Watermarks, from: i64, to: i64, meant: Option<bool>) {
        let partition = watermark.partition;
        let &Watermarks { low, high, .. } = watermark;
        if let Some(certain) = meant
            && from < low
            && from < to
        {
            self.expired.push(Expired {
                partition,
                from,
                to: to.min(low),
                certain,
            });
        }
        let (from, to) = (from.max(low), to.min(high));
        if from < to {
            self.ranges.push(Range {
                partition,
                from,
                to,
            });
        }
    }

    /// How many records there are to read.
    pub fn records(&self) -> u64 {
        self.ranges
            .iter()
            .map(|range| (range.to - range.from).unsigned_abs())
            .sum()
    }

    /// What is left once each partition is done up to these offsets.
    pub(super) fn remaining(&self, next: &BTreeMap<i32, i64>) -> Vec<Range> {
        let left = self.ranges.iter().map(|range| Range {
            from: next.get(&range.partition).copied().unwrap_or(range.from),
            ..*range
        });
        left.filter(|range| range.from < range.to).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(partition: i32, from: i64, to: i64) -> Range {
        Range {
            partition,
            from,
            to,
        }
    }

    const KEPT: Watermarks = Watermarks {
        partition: 1,
        low: 10,
        high: 30,
    };

    #[test]
    fn what_is_kept_no_longer_is_noted_and_the_rest_is_read() {
        for (from, to, read, gone) in [
            (15, 20, Some((15, 20)), None),
            (5, 20, Some((10, 20)), Some((5, 10))),
            (2, 7, None, Some((2, 7))),
            (25, i64::MAX, Some((25, 30)), None),
            (40, 50, None, None),
        ] {
            let mut plan = Plan::default();
            plan.add(&KEPT, from, to, Some(true));
            let read = read.map(|(from, to)| range(1, from, to));
            assert_eq!(plan.ranges, Vec::from_iter(read), "{from}-{to}");
            let noted = plan.expired.first().map(|gone| (gone.from, gone.to));
            assert_eq!(noted, gone, "{from}-{to}");
        }
    }

    #[test]
    fn what_remains_begins_behind_what_is_done() {
        let plan = Plan {
            ranges: vec![range(0, 5, 10), range(1, 0, 4), range(2, 3, 6)],
            expired: Vec::new(),
        };
        let next = BTreeMap::from([(0, 8), (1, 4)]);
        assert_eq!(plan.remaining(&next), [range(0, 8, 10), range(2, 3, 6)]);
        assert_eq!(plan.records(), 12);
    }
}
