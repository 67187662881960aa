//! Reads the sets from where they are.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use kafka_toolkit::inspect::{self, InspectError};
use kafka_toolkit::{DeadLetter, Inspector};
use serde::Serialize;
use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::count::{Count, Partition};
use crate::event::envelope;
use crate::offsets::Offsets;
use crate::store::progress::finished_offsets;

const MINUTE_MS: i64 = 60_000;

/// Most offsets that are read to see whether there is a record; past it, offsets are taken for records.
const READ_MAX: i64 = 10_000;

/// Why nothing could be said.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// Kafka does not answer.
    #[error(transparent)]
    Kafka(#[from] InspectError),
    /// The database does not answer.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Looks at a group, again and again: what it has read of the dead letters it remembers.
#[derive(Debug)]
pub struct Look {
    inspector: Inspector,
    group: String,
    topic: String,
    dead_letters: String,
    dead: BTreeMap<i32, Offsets>,
    /// Where to read the partitions of the dead letters on.
    dead_next: BTreeMap<i32, i64>,
}

/// What became of the topic's records.
#[derive(Debug)]
pub struct Found {
    /// By partition.
    pub partitions: BTreeMap<i32, Partition>,
    /// Records that are missing, the oldest first in each partition, up to a limit.
    pub missing: Vec<Missing>,
    /// Minutes that ended before the look and the one that was under way, ascending; as many as were asked for.
    pub minutes: Vec<Minute>,
    /// Behind each partition's committed offset: age of the oldest record, in seconds.
    pub lag_seconds: BTreeMap<i32, f64>,
}

/// A record that nobody will read any more.
#[derive(Debug, Clone, Serialize)]
pub struct Missing {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// When the topic took it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub recorded_at: Option<OffsetDateTime>,
    /// The event in it, if it is one.
    pub event_id: Option<String>,
}

/// One minute of the topic's time. A record belongs to the minute in which its partition reached its offset, which for
/// records out of order may be one later than its own timestamp says.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Minute {
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub began_at: OffsetDateTime,
    /// Its records.
    #[serde(flatten)]
    pub count: Count,
}

impl Look {
    /// At `group`, reading `topic`, with its dead letters in `dead_letters`.
    pub fn new(inspector: Inspector, group: &str, topic: &str, dead_letters: &str) -> Self {
        Self {
            inspector,
            group: group.to_owned(),
            topic: topic.to_owned(),
            dead_letters: dead_letters.to_owned(),
            dead: BTreeMap::new(),
            dead_next: BTreeMap::new(),
        }
    }

    /// The group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Counts everything that the topic still holds, and so many of the latest minutes.
    ///
    /// # Errors
    /// [`LookError`] when Kafka or the database does not answer.
    pub async fn count(
        &mut self,
        db: impl PgExecutor<'_>,
        minutes: u32,
        missing_max: usize,
    ) -> Result<Found, LookError> {
        // The order matters. A record is stored or a dead letter before the group commits past it, so what is read after
        // the group's offsets holds everything below them.
        let lags = self.inspector.lag(&self.group, &self.topic).await?;
        self.read_dead_letters().await?;
        let stored = finished_offsets(db, &self.group, &self.topic).await?;

        let mut found = Found {
            partitions: BTreeMap::new(),
            missing: Vec::new(),
            minutes: Vec::new(),
            lag_seconds: BTreeMap::new(),
        };
        for lag in lags {
            let number = lag.partition;
            let mut partition = Partition {
                low: lag.low,
                high: lag.high,
                committed: lag.committed.unwrap_or(lag.low),
                stored: stored.get(&number).cloned().unwrap_or_default(),
                dead: self.dead.get(&number).cloned().unwrap_or_default(),
                empty: Offsets::default(),
            };
            let room = missing_max.saturating_sub(found.missing.len());
            let (records, empty) = self.read(number, &partition.missing(), room).await?;
            partition.empty = empty;
            found.missing.extend(records);
            found.lag_seconds.insert(number, lag.lag_seconds);
            found.partitions.insert(number, partition);
        }
        found.minutes = self.minutes(&found.partitions, minutes).await?;
        Ok(found)
    }

    /// Takes in the dead letters that have come since the last time.
    async fn read_dead_letters(&mut self) -> Result<(), InspectError> {
        let watermarks = match self.inspector.watermarks(&self.dead_letters).await {
            // Without the topic there are no dead letters; whoever writes the first one needs it.
            Err(InspectError::UnknownTopic(_)) => return Ok(()),
            watermarks => watermarks?,
        };
        let ranges: Vec<_> = watermarks
            .iter()
            .map(|watermark| inspect::Range {
                partition: watermark.partition,
                from: *self.dead_next.get(&watermark.partition).unwrap_or(&0),
                to: watermark.high,
            })
            .filter(|range| range.from < range.to)
            .collect();
        if ranges.is_empty() {
            return Ok(());
        }
        // Their places are taken on the way, so that a flood of them need not fit into memory.
        let origins = Arc::new(Mutex::new(Vec::new()));
        let (seen, topic) = (Arc::clone(&origins), self.topic.clone());
        self.inspector
            .read_range(&self.dead_letters, &ranges, usize::MAX, move |located| {
                // Whatever else somebody put there is no dead letter of ours.
                if let Ok(letter) = DeadLetter::from_record(&located.record)
                    && letter.topic == topic
                {
                    seen.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((letter.partition, letter.record.offset));
                }
                false
            })
            .await?;
        let mut by_partition = BTreeMap::<i32, Vec<Range<i64>>>::new();
        for &(partition, offset) in origins
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            let offsets = by_partition.entry(partition).or_default();
            offsets.push(offset..offset + 1);
        }
        for (partition, offsets) in by_partition {
            let dead = self.dead.entry(partition).or_default();
            *dead = dead.or(&offsets.into_iter().collect());
        }
        for range in ranges {
            self.dead_next.insert(range.partition, range.to);
        }
        Ok(())
    }

    /// Reads what is said to be missing: which records they are, and which offsets have none.
    async fn read(
        &self,
        partition: i32,
        missing: &Offsets,
        records_max: usize,
    ) -> Result<(Vec<Missing>, Offsets), InspectError> {
        let mut records = Vec::new();
        let mut there = Vec::new();
        let mut looked_at = Vec::new();
        let mut left = READ_MAX;
        for range in missing.ranges() {
            if left <= 0 {
                break;
            }
            let range = range.start..range.end.min(range.start + left);
            left -= range.end - range.start;
            let wanted = inspect::Range {
                partition,
                from: range.start,
                to: range.end,
            };
            let read = self
                .inspector
                .read_range(&self.topic, &[wanted], usize::MAX, |_| true)
                .await?;
            for located in read {
                let record = located.record;
                there.push(record.offset..record.offset + 1);
                if records.len() < records_max {
                    records.push(Missing {
                        partition,
                        offset: record.offset,
                        recorded_at: record.timestamp_ms.and_then(at),
                        event_id: envelope::decode(
                            record.payload.as_deref(),
                            OffsetDateTime::now_utc(),
                        )
                        .ok()
                        .map(|event| event.event_id.uuid().to_string()),
                    });
                }
            }
            looked_at.push(range);
        }
        let looked_at: Offsets = looked_at.into_iter().collect();
        Ok((records, looked_at.without(&there.into_iter().collect())))
    }

    async fn minutes(
        &self,
        partitions: &BTreeMap<i32, Partition>,
        count: u32,
    ) -> Result<Vec<Minute>, InspectError> {
        let now_ms = OffsetDateTime::now_utc().unix_timestamp() * 1_000;
        let under_way = now_ms - now_ms.rem_euclid(MINUTE_MS);
        let began: Vec<i64> = (0..=i64::from(count))
            .rev()
            .map(|back| under_way - back * MINUTE_MS)
            .collect();
        let firsts = self
            .inspector
            .offsets_for_times(&self.topic, began.clone())
            .await?;
        let first_of = |minute: usize, partition: i32, otherwise: i64| {
            let offsets = firsts.get(minute);
            offsets
                .and_then(|offsets| offsets.iter().find(|(number, _)| *number == partition))
                .and_then(|(_, first)| *first)
                .unwrap_or(otherwise)
        };
        let minutes = began.iter().enumerate().filter_map(|(place, &began_ms)| {
            let mut counted = Count::default();
            for (&number, partition) in partitions {
                let high = partition.high;
                let range = first_of(place, number, high)..first_of(place + 1, number, high);
                counted += partition.count(&range);
            }
            Some(Minute {
                began_at: at(began_ms)?,
                count: counted,
            })
        });
        Ok(minutes.collect())
    }
}

impl Found {
    /// Everything that the topic still holds.
    #[must_use]
    pub fn total(&self) -> Count {
        let mut total = Count::default();
        for partition in self.partitions.values() {
            total += partition.count(&(0..i64::MAX));
        }
        total
    }

    /// What retention removed before anybody had read it.
    #[must_use]
    pub fn expired(&self) -> i64 {
        self.partitions.values().map(Partition::expired).sum()
    }

    /// The latest minute that is over.
    #[must_use]
    pub fn last_whole_minute(&self) -> Option<&Minute> {
        self.minutes.iter().nth_back(1)
    }
}

fn at(unix_ms: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000).ok()
}
