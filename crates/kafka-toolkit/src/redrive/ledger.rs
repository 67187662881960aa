//! What has been put back, kept where every Kafka tool looks for such things: in the commits of a group of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::topic_partition_list::Offset;
use tokio::sync::oneshot;

use super::Obstacle;
use super::offset_set::OffsetSet;
use crate::inspect::{Client, InspectError, Inspector, certain};

/// What has been put back of a dead-letter topic.
#[derive(Debug, Clone, Default)]
pub struct Redriven {
    pub(super) partitions: BTreeMap<i32, OffsetSet>,
}

impl Redriven {
    /// Whether this dead letter has been put back, or is so old that the topic has lost it.
    #[must_use]
    pub fn contains(&self, partition: i32, offset: i64) -> bool {
        self.partitions
            .get(&partition)
            .is_some_and(|done| done.contains(offset))
    }
}

/// A commit as the brokers hold it; `None` when there is none.
type Committed = Option<(i64, String)>;

/// Reads and writes what has been put back.
pub(super) struct Ledger {
    client: Arc<Client>,
    topic: String,
    timeout: Duration,
    /// What this ledger has read or written last.
    known: BTreeMap<i32, Committed>,
}

impl Ledger {
    pub(super) fn open(
        inspector: &Inspector,
        group: &str,
        topic: &str,
    ) -> Result<Self, InspectError> {
        Ok(Self {
            client: Arc::new(inspector.client(group)?),
            topic: topic.to_owned(),
            timeout: inspector.timeout(),
            known: BTreeMap::new(),
        })
    }

    /// What has been put back so far; everything that the topic has lost counts as put back.
    pub(super) async fn read(&mut self, inspector: &Inspector) -> Result<Redriven, InspectError> {
        let watermarks = inspector.watermarks(&self.topic).await?;
        let partitions: Vec<i32> = watermarks.iter().map(|w| w.partition).collect();
        self.known = self.fetch(&partitions).await?;
        let sets = watermarks.iter().map(|watermark| {
            let committed = self.known.get(&watermark.partition).cloned().flatten();
            let mut done = match committed {
                // A commit behind the end is of a topic of the same name that was deleted.
                Some((position, metadata)) if position <= watermark.high => {
                    OffsetSet::from_commit(position, &metadata)
                }
                _ => OffsetSet::before(watermark.low),
            };
            done.raise(watermark.low);
            (watermark.partition, done)
        });
        Ok(Redriven {
            partitions: sets.collect(),
        })
    }

    /// Writes what has been put back of one partition, and waits for the brokers' word.
    pub(super) async fn write(&mut self, partition: i32, done: &OffsetSet) -> Result<(), Obstacle> {
        let Some(metadata) = done.to_metadata() else {
            return Err(Obstacle::TooScattered {
                partition,
                position: done.position(),
            });
        };
        let before = self.fetch(&[partition]).await?;
        if before.get(&partition) != self.known.get(&partition) {
            return Err(Obstacle::Concurrent);
        }
        let position = done.position();
        let written = Some((position, metadata.clone()));
        let topic = self.topic.clone();
        self.ask(move |client, _| {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(&topic, partition, Offset::Offset(position))?;
            if let (Some(mut element), false) =
                (list.find_partition(&topic, partition), metadata.is_empty())
            {
                element.set_metadata(&metadata);
            }
            client.commit(&list, CommitMode::Sync)?;
            Ok(())
        })
        .await?;
        self.known.insert(partition, written);
        Ok(())
    }

    async fn fetch(&self, partitions: &[i32]) -> Result<BTreeMap<i32, Committed>, InspectError> {
        let mut wanted = TopicPartitionList::new();
        for &partition in partitions {
            wanted.add_partition(&self.topic, partition);
        }
        let topic = self.topic.clone();
        let committed = self
            .ask(move |client, timeout| Ok(client.committed_offsets(wanted, timeout)?))
            .await?;
        let found = partitions.iter().map(|&partition| {
            let element = committed.find_partition(&topic, partition);
            let commit = element.and_then(|element| {
                Some((certain(element.offset())?, element.metadata().to_owned()))
            });
            (partition, commit)
        });
        Ok(found.collect())
    }

    /// Asks on a thread of its own, which a broker that never answers may keep.
    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Client, Duration) -> Result<T, InspectError> + Send + 'static,
    ) -> Result<T, InspectError> {
        let silent = |waited| InspectError::Cluster(format!("no answer within {waited:?}"));
        let (client, timeout) = (Arc::clone(&self.client), self.timeout);
        let (answer, answered) = oneshot::channel();
        std::thread::Builder::new()
            .name("kafka-redrive".to_owned())
            .spawn(move || {
                let result = ask(&client, timeout);
                drop(client);
                drop(answer.send(result));
            })
            .map_err(|error| InspectError::Cluster(error.to_string()))?;
        match tokio::time::timeout(timeout, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(silent(timeout)),
        }
    }
}
