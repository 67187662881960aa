//! Reading a bounded part of a topic without a group.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Instant;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::Offset;
use tokio::sync::mpsc::{self, Receiver};

use super::{InspectError, Inspector, Session};
use crate::consumer::owned;
use crate::record::Record;

/// Part of a partition; one look takes at most one range of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub from: i64,
    /// The offset behind the last one.
    pub to: i64,
}

impl Range {
    /// Everything in a partition.
    #[must_use]
    pub const fn all(partition: i32) -> Self {
        Self {
            partition,
            from: 0,
            to: i64::MAX,
        }
    }
}

/// A record and the partition it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The partition.
    pub partition: i32,
    /// The record.
    pub record: Record,
}

impl Inspector {
    /// Reads what is in these ranges at this moment, keeps what the filter wants, and stops at so many records.
    ///
    /// Records come in the order of their offsets within a partition, in no order between partitions.
    ///
    /// # Errors
    /// [`InspectError`] when the topic is unknown, or the cluster does not answer in time.
    pub async fn read_range(
        &self,
        topic: &str,
        ranges: &[Range],
        limit: usize,
        filter: impl Fn(&Located) -> bool + Send + 'static,
    ) -> Result<Vec<Located>, InspectError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        self.fold(topic, ranges, Vec::new(), move |kept, located| {
            if filter(&located) {
                kept.push(located);
            }
            if kept.len() == limit {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .await
    }

    /// Reads what is in these ranges at this moment, one record after the other, and gives back what the step made of
    /// them; nothing else is kept, so any number of records can be read.
    ///
    /// Records come as in [`read_range`](Self::read_range); a step that breaks ends the reading. Steps run on a thread
    /// that may block.
    ///
    /// # Errors
    /// The same.
    pub async fn fold<T: Send + 'static>(
        &self,
        topic: &str,
        ranges: &[Range],
        initial: T,
        mut step: impl FnMut(&mut T, Located) -> ControlFlow<()> + Send + 'static,
    ) -> Result<T, InspectError> {
        let topic = topic.to_owned();
        let ranges = ranges.to_vec();
        self.blocking(move |session| {
            let mut made = initial;
            session.visit(&topic, &ranges, |located| {
                step(&mut made, located).map_continue(|()| true)
            })?;
            Ok(made)
        })
        .await
    }

    /// The same records in a channel, which holds so many of them; dropping the receiver ends the reading.
    pub(crate) fn stream(
        &self,
        topic: &str,
        ranges: &[Range],
        capacity: usize,
    ) -> Receiver<Result<Located, InspectError>> {
        let (sender, receiver) = mpsc::channel(capacity);
        let (inspector, topic, ranges) = (self.clone(), topic.to_owned(), ranges.to_vec());
        tokio::spawn(async move {
            let records = sender.clone();
            let step = move |(): &mut (), located| match records.blocking_send(Ok(located)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            };
            if let Err(error) = inspector.fold(&topic, &ranges, (), step).await {
                // Nobody may want to know any more.
                drop(sender.send(Err(error)).await);
            }
        });
        receiver
    }

    /// Reads everything that is in a topic at this moment, like [`read_range`](Self::read_range).
    ///
    /// # Errors
    /// The same.
    pub async fn read_all(
        &self,
        topic: &str,
        limit: usize,
        filter: impl Fn(&Located) -> bool + Send + 'static,
    ) -> Result<Vec<Located>, InspectError> {
        let watermarks = self.watermarks(topic).await?;
        let ranges: Vec<Range> = watermarks.iter().map(|w| Range::all(w.partition)).collect();
        self.read_range(topic, &ranges, limit, filter).await
    }
}

impl Session {
    pub(super) fn first_of_each(
        &self,
        topic: &str,
        ranges: &[Range],
    ) -> Result<Vec<Located>, InspectError> {
        let mut firsts = Vec::new();
        self.visit(topic, ranges, |located| {
            firsts.push(located);
            ControlFlow::Continue(false)
        })?;
        Ok(firsts)
    }

    /// Shows records until the ranges are read; the visitor says whether it wants more, of this partition or at all.
    fn visit(
        &self,
        topic: &str,
        ranges: &[Range],
        mut visitor: impl FnMut(Located) -> ControlFlow<(), bool>,
    ) -> Result<(), InspectError> {
        let mut ends = self.assign(topic, ranges)?;
        let mut progress = Instant::now();
        while !ends.is_empty() {
            match self.client.poll(self.timeout) {
                Some(Ok(message)) => {
                    let partition = message.partition();
                    let Some(&end) = ends.get(&partition) else {
                        continue;
                    };
                    if message.offset() < end {
                        let record = owned(&message);
                        match visitor(Located { partition, record }) {
                            ControlFlow::Break(()) => break,
                            ControlFlow::Continue(true) if message.offset() + 1 < end => {}
                            ControlFlow::Continue(_) => drop(ends.remove(&partition)),
                        }
                        // A visitor that takes its time is no silence of the cluster.
                        progress = Instant::now();
                    } else {
                        ends.remove(&partition);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    progress = Instant::now();
                    ends.remove(&partition);
                }
                Some(Err(error)) if error.rdkafka_error_code().is_none() => {
                    return Err(error.into());
                }
                // librdkafka goes on by itself after an error with a code; only time decides.
                Some(Err(_)) | None => {
                    if progress.elapsed() >= self.timeout {
                        return Err(InspectError::Stalled {
                            topic: topic.to_owned(),
                            waited: self.timeout,
                        });
                    }
                }
            }
        }
        self.client.unassign()?;
        Ok(())
    }

    /// Starts reading, and answers where each partition that has anything to read ends.
    fn assign(&self, topic: &str, ranges: &[Range]) -> Result<HashMap<i32, i64>, InspectError> {
        let mut ends = HashMap::new();
        let mut starts = TopicPartitionList::new();
        if ranges.is_empty() {
            return Ok(ends);
        }
        for watermark in self.watermarks(topic)? {
            let Some(range) = ranges.iter().find(|r| r.partition == watermark.partition) else {
                continue;
            };
            let from = range.from.max(watermark.low);
            let end = range.to.min(watermark.high);
            if from < end {
                starts.add_partition_offset(topic, range.partition, Offset::Offset(from))?;
                ends.insert(range.partition, end);
            }
        }
        if !ends.is_empty() {
            self.client.assign(&starts)?;
        }
        Ok(ends)
    }
}
