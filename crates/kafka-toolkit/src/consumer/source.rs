//! Turns what librdkafka hands over into records, and gathers them into batches.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::board::PartitionState;
use super::client::GroupContext;
use crate::header::{Header, Headers};
use crate::partition::TopicPartition;
use crate::record::{Batch, Record};

/// Name of the header that stands for headers which no Rust client can read.
pub const UNREADABLE_HEADERS: &str = "kafka_toolkit.unreadable_headers";

/// How many records are taken before other tasks get a turn.
const RECORDS_PER_TURN: usize = 128;
/// How long to rely on librdkafka's word that the queue has something.
const LOOK_ANYWAY: Duration = Duration::from_millis(250);

/// The records of one partition, as they arrive.
pub(super) struct Source {
    queue: PartitionQueue<GroupContext>,
    filled: Arc<Notify>,
    partition: TopicPartition,
    state: Arc<PartitionState>,
    limits: Limits,
}

/// When a batch is complete.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) records: usize,
    pub(super) bytes: usize,
    pub(super) age: Duration,
}

/// A batch that is being gathered.
#[derive(Default)]
pub(super) struct Gathering {
    records: Vec<Record>,
    bytes: usize,
    oldest: Option<Instant>,
    /// Offset and timestamp of the record that was taken last, be it in this batch or in the one before.
    latest: Option<(i64, Option<i64>)>,
}

impl Gathering {
    /// Takes a record, unless it is the one that was taken last: at every rebalance librdkafka pauses the partitions that
    /// stay, empties their queues and fetches again from behind the record that it has handed out last. Of a record that
    /// is on its way out of the queue at that moment it does not know yet, so that one comes a second time. The timestamp
    /// tells it from the record at the same offset of a topic that was made anew.
    fn push(&mut self, record: Record) {
        let place = Some((record.offset, record.timestamp_ms));
        if self.latest == place {
            return;
        }
        self.latest = place;
        self.oldest.get_or_insert_with(Instant::now);
        self.bytes += record.payload.as_ref().map_or(0, Bytes::len);
        self.records.push(record);
    }

    /// Gives what was gathered, and begins the next batch with room for `room` records.
    fn give(&mut self, room: usize) -> Vec<Record> {
        self.bytes = 0;
        self.oldest = None;
        let room = self.records.len().min(room);
        std::mem::replace(&mut self.records, Vec::with_capacity(room))
    }

    pub(super) fn is_full(&self, limits: Limits) -> bool {
        self.records.len() >= limits.records || self.bytes >= limits.bytes
    }
}

impl Source {
    pub(super) fn new(
        mut queue: PartitionQueue<GroupContext>,
        partition: TopicPartition,
        state: Arc<PartitionState>,
        limits: Limits,
    ) -> Self {
        let filled = Arc::new(Notify::new());
        queue.set_nonempty_callback({
            let filled = Arc::clone(&filled);
            move || filled.notify_one()
        });
        Self {
            queue,
            filled,
            partition,
            state,
            limits,
        }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Gathers until the batch is full, or its oldest record is old enough. Can be dropped and called again.
    pub(super) async fn gather_until_due(&self, gathering: &mut Gathering) {
        loop {
            let emptied = self.take(gathering);
            let due = gathering.oldest.map(|oldest| oldest + self.limits.age);
            if gathering.is_full(self.limits) || due.is_some_and(|due| due <= Instant::now()) {
                return;
            }
            match due {
                _ if !emptied => tokio::task::yield_now().await,
                None => self.wait().await,
                // Whether it is due is looked at in the next turn.
                Some(due) => drop(tokio::time::timeout_at(due, self.wait()).await),
            }
        }
    }

    /// Gathers until the batch is full. Can be dropped and called again.
    pub(super) async fn gather_until_full(&self, gathering: &mut Gathering) {
        loop {
            let emptied = self.take(gathering);
            if gathering.is_full(self.limits) {
                return;
            }
            if emptied {
                self.wait().await;
            } else {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Takes what there is, up to one turn's worth; `true` when nothing is left.
    fn take(&self, gathering: &mut Gathering) -> bool {
        let emptied = self.take_quietly(gathering);
        self.state.set_gathered(gathering.records.len());
        emptied
    }

    fn take_quietly(&self, gathering: &mut Gathering) -> bool {
        for _ in 0..RECORDS_PER_TURN {
            if gathering.is_full(self.limits) {
                return false;
            }
            match self.queue.poll(Duration::ZERO) {
                Some(Ok(message)) => gathering.push(owned(&message)),
                // librdkafka goes on by itself, and a fatal error comes by the main queue too.
                Some(Err(error)) => {
                    tracing::warn!(partition = %self.partition, %error, "reading the partition met an error");
                }
                None => return true,
            }
        }
        false
    }

    async fn wait(&self) {
        let _ = tokio::time::timeout(LOOK_ANYWAY, self.filled.notified()).await;
    }

    /// The batch gathered so far.
    pub(super) fn batch(&self, gathering: &mut Gathering) -> Batch {
        self.state.set_gathered(0);
        Batch::new(
            Arc::clone(&self.partition.topic),
            self.partition.partition,
            gathering.give(self.limits.records),
        )
    }
}

/// A copy of the record that does not hold on to librdkafka's buffers.
pub(crate) fn owned(message: &BorrowedMessage<'_>) -> Record {
    Record {
        offset: message.offset(),
        key: message.key().map(Bytes::copy_from_slice),
        payload: message.payload().map(Bytes::copy_from_slice),
        headers: headers(message),
        timestamp_ms: message.timestamp().to_millis(),
    }
}

fn headers(message: &BorrowedMessage<'_>) -> Headers {
    let Some(borrowed) = message.headers() else {
        return Headers::new();
    };
    // rdkafka panics at a header name that is not UTF-8; one such record must not stop a partition.
    let copied = catch_unwind(AssertUnwindSafe(|| {
        let mut headers = Headers::with_capacity(borrowed.count());
        for header in borrowed.iter() {
            headers.push_header(Header {
                name: header.key.to_owned().into(),
                value: header.value.map(Bytes::copy_from_slice),
            });
        }
        headers
    }));
    copied.unwrap_or_else(|_| {
        let mut headers = Headers::new();
        headers.push(UNREADABLE_HEADERS, "true");
        headers
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: i64, timestamp_ms: i64) -> Record {
        Record {
            timestamp_ms: Some(timestamp_ms),
            ..Record::new(offset, "key", "payload")
        }
    }

    fn offsets(gathering: &Gathering) -> Vec<i64> {
        gathering.records.iter().map(|r| r.offset).collect()
    }

    #[test]
    fn a_record_that_comes_twice_in_a_row_is_taken_once() {
        let mut gathering = Gathering::default();
        for offset in [7, 8, 8, 9] {
            gathering.push(record(offset, 1));
        }
        assert_eq!(offsets(&gathering), [7, 8, 9]);
        assert_eq!(gathering.bytes, 3 * "payload".len());
        assert_eq!(gathering.give(10).len(), 3);
        for offset in [9, 10] {
            gathering.push(record(offset, 1));
        }
        assert_eq!(offsets(&gathering), [10], "the one before is not forgotten");
    }

    #[test]
    fn the_records_of_a_topic_that_was_made_anew_are_taken() {
        let mut gathering = Gathering::default();
        for (offset, timestamp_ms) in [(0, 1), (0, 2), (1, 3), (0, 4)] {
            gathering.push(record(offset, timestamp_ms));
        }
        assert_eq!(offsets(&gathering), [0, 0, 1, 0]);
    }
}
