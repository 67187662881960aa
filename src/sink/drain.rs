//! Delivers what is in the spool, oldest first, whenever a store takes it.
//!
//! Goes through the same stores as new events do, breaker and pauses included, and so finds out by itself that one of
//! them is back. What no store will ever take is kept in a file for the operator and does not hold up the rest.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use tracing::{error, info};

use super::Refusal;
use super::kafka::Values;
use super::stores::Stores;
use crate::event::Event;
use crate::event::envelope::{self, InvalidEnvelope};
use crate::metrics;
use crate::spool::{Reader, Record};

/// Most events delivered at a time.
const BATCH_EVENTS_MAX: usize = 500;

/// Shortest and longest pause before a store is tried again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// Most tries to read a file.
const READS_MAX: u32 = 5;

/// The background work of draining.
pub(super) struct Drain {
    reader: Reader,
    stores: Stores,
    /// How many events to try next: one while nothing is known to take them, then twice as many each time.
    batch: usize,
}

impl Drain {
    pub(super) fn new(reader: Reader, stores: Stores) -> Self {
        Self {
            reader,
            stores,
            batch: 1,
        }
    }

    /// Works for ever.
    pub(super) async fn run(mut self) {
        let left = self.reader.spool().status().records;
        if left > 0 {
            info!(
                events = left,
                "the spool holds acknowledged events of the last run: delivering them"
            );
        }
        let mut delivered = 0;
        let mut failures = 0;
        loop {
            let records = match self.reader.oldest(self.batch).await {
                Ok(records) => records,
                Err(error) => {
                    metrics::spool_failed();
                    error!(error = %error, "the spool cannot be read: its events wait. Check the disk");
                    failures += 1;
                    if failures == READS_MAX {
                        // One file must not hold up the others for ever.
                        self.reader.skip(&error).await;
                        failures = 0;
                    }
                    tokio::time::sleep(PAUSE.1).await;
                    continue;
                }
            };
            failures = 0;
            let count = records.len();
            self.deliver(records).await;
            self.reader.delivered(count).await;
            delivered += count;
            if self.reader.spool().status().records == 0 {
                info!(
                    events = delivered,
                    "the spool is empty: everything in it was delivered"
                );
                delivered = 0;
            }
        }
    }

    /// Returns when a store has taken each record, or it is kept as rejected.
    async fn deliver(&mut self, records: Vec<Record>) {
        let mut rejected = Rejected::default();
        let mut waiting: Vec<(Event, Bytes)> = Vec::with_capacity(records.len());
        for record in records {
            match decode(&record) {
                Ok(event) => waiting.push((event, record.payload)),
                Err(invalid) => rejected.add(invalid.code(), &invalid.reason(), &record.payload),
            }
        }
        while !waiting.is_empty() {
            let rest = waiting.split_off(self.batch.min(waiting.len()));
            let (events, values): (Vec<_>, Vec<_>) = waiting.iter().cloned().unzip();
            let outcomes = self.stores.write(events, Values::Recorded(&values)).await;
            let mut pause = None;
            let mut again = Vec::new();
            for ((event, value), outcome) in waiting.into_iter().zip(outcomes) {
                match outcome {
                    Ok(_) => {}
                    Err(Refusal::Refused { sqlstate }) => {
                        let reason =
                            format!("PostgreSQL refuses the event for good: SQLSTATE {sqlstate}");
                        rejected.add("not_storable", &reason, &value);
                    }
                    Err(Refusal::Unavailable { retry_after }) => {
                        pause = Some(retry_after);
                        again.push((event, value));
                    }
                }
            }
            again.extend(rest);
            waiting = again;
            match pause {
                Some(pause) => {
                    self.batch = 1;
                    tokio::time::sleep(pause.clamp(PAUSE.0, PAUSE.1)).await;
                }
                None => self.batch = (self.batch * 2).min(BATCH_EVENTS_MAX),
            }
        }
        self.keep(rejected).await;
    }

    /// Keeps what no store takes; only then may it leave the spool.
    async fn keep(&self, rejected: Rejected) {
        if rejected.events == 0 {
            return;
        }
        loop {
            match self.reader.spool().reject(rejected.lines.clone()).await {
                Ok(path) => {
                    metrics::spool_rejected(rejected.events);
                    error!(
                        events = rejected.events,
                        kept = %path.display(),
                        "acknowledged events cannot be stored, and never will be as they are: they are kept, one a line \
                         with its reason. Mend and post them again"
                    );
                    return;
                }
                Err(error) => {
                    metrics::spool_failed();
                    error!(error = %error, "rejected events cannot be kept: the spool waits. Check the disk");
                    tokio::time::sleep(PAUSE.1).await;
                }
            }
        }
    }
}

/// Events that no store takes, as lines for the operator.
#[derive(Default)]
struct Rejected {
    lines: Vec<u8>,
    events: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(with = "time::serde::rfc3339")]
    rejected_at: OffsetDateTime,
    code: &'a str,
    reason: &'a str,
    /// The event as it was acknowledged, with tenant, user and time of acceptance.
    record: &'a RawValue,
}

impl Rejected {
    fn add(&mut self, code: &str, reason: &str, value: &[u8]) {
        let text = String::from_utf8_lossy(value);
        let record = RawValue::from_string(text.clone().into_owned())
            .or_else(|_| serde_json::value::to_raw_value(&text))
            .expect("a text is a JSON value");
        let line = Line {
            rejected_at: OffsetDateTime::now_utc(),
            code,
            reason,
            record: &record,
        };
        let written = serde_json::to_vec(&line).expect("plain fields always serialize");
        self.lines.extend(written);
        self.lines.push(b'\n');
        self.events += 1;
    }
}

fn decode(record: &Record) -> Result<Event, InvalidEnvelope> {
    let nanoseconds = i128::from(record.appended_at_ms) * 1_000_000;
    let appended_at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds)
        .unwrap_or_else(|_| OffsetDateTime::now_utc());
    envelope::decode(Some(&record.payload), appended_at)
}
