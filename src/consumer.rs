//! From the topic into PostgreSQL: what a batch of records means.
//!
//! Fetching, batching, retries, dead letters and offsets are the toolkit's; this handler decodes and stores, and
//! says of each record what became of it. It knows no Kafka client and no SQL.

use kafka_toolkit::{Batch, Handler, Outcome, Record};
use time::OffsetDateTime;
use tracing::warn;

use crate::event::Event;
use crate::event::envelope::{InvalidEnvelope, decode};
use crate::store::{EventWriter, Progress, WriteOutcome};

/// Stores the events of a batch in one transaction, together with the group's progress.
#[derive(Debug)]
pub struct EventHandler {
    writer: EventWriter,
    group: String,
}

impl EventHandler {
    /// Writes through `writer` and keeps the progress of `group`.
    pub fn new(writer: EventWriter, group: &str) -> Self {
        Self {
            writer,
            group: group.to_owned(),
        }
    }
}

impl Handler for EventHandler {
    async fn handle(&self, batch: &Batch) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Done; batch.len()];
        let mut events = Vec::with_capacity(batch.len());
        let mut places = Vec::with_capacity(batch.len());
        for (place, record) in batch.records().iter().enumerate() {
            match decode_record(record) {
                Ok(event) => {
                    events.push(event);
                    places.push(place);
                }
                Err(invalid) => {
                    outcomes[place] = Outcome::permanent(invalid.code(), invalid.reason())
                }
            }
        }
        let progress = Progress {
            group: self.group.clone(),
            topic: batch.topic().to_owned(),
            partition: batch.partition(),
            next_offset: batch.next_offset(),
            record_at: batch.records().last().and_then(appended_at),
            offsets: places
                .iter()
                .map(|&place| batch.records()[place].offset)
                .collect(),
        };
        match self.writer.write_batch(&events, Some(&progress)).await {
            Ok(written) => {
                for (place, written) in places.into_iter().zip(written) {
                    if let WriteOutcome::Refused { sqlstate } = written {
                        let reason =
                            format!("PostgreSQL refuses the event for good: SQLSTATE {sqlstate}");
                        outcomes[place] = Outcome::permanent("not_storable", reason);
                    }
                }
                outcomes
            }
            Err(unavailable) => {
                let cause: &dyn std::error::Error = &unavailable.0;
                warn!(
                    error = cause,
                    kafka.partition = batch.partition(),
                    "the database takes no events; waiting for it"
                );
                for place in places {
                    outcomes[place] =
                        Outcome::dependency_down("database", "the database takes no events");
                }
                outcomes
            }
        }
    }
}

/// The event of a record.
///
/// # Errors
/// If the record can never become an event.
pub(crate) fn decode_record(record: &Record) -> Result<Event, InvalidEnvelope> {
    let appended_at = appended_at(record).unwrap_or_else(OffsetDateTime::now_utc);
    decode(record.payload.as_deref(), appended_at)
}

fn appended_at(record: &Record) -> Option<OffsetDateTime> {
    let nanoseconds = i128::from(record.timestamp_ms?) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()
}
