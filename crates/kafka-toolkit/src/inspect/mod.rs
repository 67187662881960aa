//! Looking at a cluster without taking part in it: lag of a group, records of a range, offsets of a time.
//!
//! For operators' tools and health checks. It never joins a group and never commits.

mod lag;
mod read;

pub use lag::PartitionLag;
pub use read::{Located, Range};

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::Offset;

use crate::client_log;
use crate::config::{ConfigError, KafkaConfig};

/// librdkafka reads nothing without the name of a group, even when no group is joined.
const NO_GROUP: &str = "kafka-toolkit-inspector";

/// Why something could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The settings can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The cluster did not answer, or refused.
    #[error("the cluster did not answer: {0}")]
    Cluster(String),
    /// There is no such topic.
    #[error("the topic {0} does not exist")]
    UnknownTopic(String),
    /// Records that should be there did not come in time.
    #[error("no record came from {topic} within {waited:?}")]
    Stalled {
        /// The topic that was read.
        topic: String,
        /// How long was waited.
        waited: Duration,
    },
}

impl From<KafkaError> for InspectError {
    fn from(error: KafkaError) -> Self {
        Self::Cluster(error.to_string())
    }
}

/// A broker of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerInfo {
    /// Its number.
    pub id: i32,
    /// Where clients reach it, as host:port.
    pub address: String,
}

/// A topic of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub name: String,
    /// Its partitions, ascending.
    pub partitions: Vec<i32>,
}

/// What a cluster says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterInfo {
    /// The brokers that are up.
    pub brokers: Vec<BrokerInfo>,
    /// All topics.
    pub topics: Vec<TopicInfo>,
}

/// The first and the next offset of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// The partition.
    pub partition: i32,
    /// Offset of the oldest record that is kept.
    pub low: i64,
    /// Offset that the next record gets.
    pub high: i64,
}

/// Looks at a cluster; see the [module](self).
#[derive(Clone)]
pub struct Inspector {
    config: ClientConfig,
    timeout: Duration,
}

impl std::fmt::Debug for Inspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspector")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Inspector {
    /// An inspector that waits so long for each answer of the cluster.
    ///
    /// # Errors
    /// [`ConfigError`] when the settings can't be used.
    pub fn new(kafka: &KafkaConfig, timeout: Duration) -> Result<Self, ConfigError> {
        let mut config = kafka.client()?;
        config
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "50")
            // Read ahead, but not without bounds: a topic may be larger than the memory.
            .set("queued.max.messages.kbytes", "16384");
        Ok(Self { config, timeout })
    }

    /// The brokers and topics, which also shows whether the cluster can be reached.
    ///
    /// # Errors
    /// [`InspectError::Cluster`] when no broker answers in time.
    pub async fn cluster(&self) -> Result<ClusterInfo, InspectError> {
        self.blocking(|session| session.cluster()).await
    }

    /// The first and next offset of every partition.
    ///
    /// # Errors
    /// [`InspectError`] when the topic is unknown or the cluster does not answer.
    pub async fn watermarks(&self, topic: &str) -> Result<Vec<Watermarks>, InspectError> {
        let topic = topic.to_owned();
        self.blocking(move |session| session.watermarks(&topic))
            .await
    }

    /// For every partition the first offset whose record is not older than this time, if there is one.
    ///
    /// # Errors
    /// [`InspectError`] when the topic is unknown or the cluster does not answer.
    pub async fn offsets_for_time(
        &self,
        topic: &str,
        timestamp_ms: i64,
    ) -> Result<Vec<(i32, Option<i64>)>, InspectError> {
        let topic = topic.to_owned();
        self.blocking(move |session| session.offsets_for_time(&topic, timestamp_ms))
            .await
    }

    /// The same for several times at once, in their order.
    ///
    /// # Errors
    /// [`InspectError`] when the topic is unknown or the cluster does not answer.
    pub async fn offsets_for_times(
        &self,
        topic: &str,
        timestamps_ms: Vec<i64>,
    ) -> Result<Vec<Vec<(i32, Option<i64>)>>, InspectError> {
        let topic = topic.to_owned();
        self.blocking(move |session| {
            let offsets = timestamps_ms
                .into_iter()
                .map(|timestamp_ms| session.offsets_for_time(&topic, timestamp_ms));
            offsets.collect()
        })
        .await
    }

    /// A client that can read and write the commits of this group, without joining it.
    pub(crate) fn client(&self, group: &str) -> Result<Client, InspectError> {
        let mut config = self.config.clone();
        config.set("group.id", group);
        Ok(config.create_with_context(QuietContext)?)
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    async fn blocking<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Session) -> Result<T, InspectError> + Send + 'static,
    ) -> Result<T, InspectError> {
        self.blocking_as(NO_GROUP, look).await
    }

    /// librdkafka's own calls block, so each look has a thread and a short-lived client.
    async fn blocking_as<T: Send + 'static>(
        &self,
        group: &str,
        look: impl FnOnce(&Session) -> Result<T, InspectError> + Send + 'static,
    ) -> Result<T, InspectError> {
        let (inspector, group) = (self.clone(), group.to_owned());
        let looked = tokio::task::spawn_blocking(move || {
            let client = inspector.client(&group)?;
            look(&Session {
                client,
                timeout: inspector.timeout,
            })
        });
        match looked.await {
            Ok(result) => result,
            Err(_) => Err(KafkaError::Canceled.into()),
        }
    }
}

pub(crate) type Client = BaseConsumer<QuietContext>;

/// A look that fails says so to its caller; what the library says meanwhile, once per attempt to reconnect, is for
/// debugging.
pub(crate) struct QuietContext;

impl ClientContext for QuietContext {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::line("inspector", RDKafkaLogLevel::Debug, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", client = "inspector", error = %error, "{reason}");
    }
}

impl ConsumerContext for QuietContext {}

/// One look, with its client.
struct Session {
    client: Client,
    timeout: Duration,
}

impl Session {
    fn cluster(&self) -> Result<ClusterInfo, InspectError> {
        let metadata = self.client.fetch_metadata(None, self.timeout)?;
        let brokers = metadata.brokers().iter().map(|broker| BrokerInfo {
            id: broker.id(),
            address: format!("{}:{}", broker.host(), broker.port()),
        });
        let topics = metadata.topics().iter().map(|topic| {
            let mut partitions: Vec<i32> = topic.partitions().iter().map(|p| p.id()).collect();
            partitions.sort_unstable();
            TopicInfo {
                name: topic.name().to_owned(),
                partitions,
            }
        });
        Ok(ClusterInfo {
            brokers: brokers.collect(),
            topics: topics.collect(),
        })
    }

    fn partitions(&self, topic: &str) -> Result<Vec<i32>, InspectError> {
        // All topics are asked for, because asking for one by name may create it.
        let found = self.cluster()?.topics.into_iter().find(|t| t.name == topic);
        match found {
            Some(topic) => Ok(topic.partitions),
            None => Err(InspectError::UnknownTopic(topic.to_owned())),
        }
    }

    fn watermarks(&self, topic: &str) -> Result<Vec<Watermarks>, InspectError> {
        let partitions = self.partitions(topic)?.into_iter();
        partitions
            .map(|partition| {
                let (low, high) = self
                    .client
                    .fetch_watermarks(topic, partition, self.timeout)?;
                Ok(Watermarks {
                    partition,
                    low,
                    high,
                })
            })
            .collect()
    }

    fn offsets_for_time(
        &self,
        topic: &str,
        timestamp_ms: i64,
    ) -> Result<Vec<(i32, Option<i64>)>, InspectError> {
        let mut times = TopicPartitionList::new();
        for partition in self.partitions(topic)? {
            times.add_partition_offset(topic, partition, Offset::Offset(timestamp_ms))?;
        }
        let offsets = self.client.offsets_for_times(times, self.timeout)?;
        Ok(offsets
            .elements()
            .iter()
            .map(|element| (element.partition(), certain(element.offset())))
            .collect())
    }
}

/// The offset where it is a number rather than an end or nothing.
pub(crate) fn certain(offset: Offset) -> Option<i64> {
    match offset {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    }
}
