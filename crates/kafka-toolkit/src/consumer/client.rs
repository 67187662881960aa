//! The client of the group, and what librdkafka calls back for it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::client_log;
use crate::metrics::ConsumerMetrics;
use crate::partition::TopicPartition;

pub(super) type GroupClient = BaseConsumer<GroupContext>;

/// Told when partitions come and go.
pub(super) trait Assignments: Send + Sync {
    fn assigned(&self, client: &Arc<GroupClient>, partitions: Vec<TopicPartition>);
    fn revoked(&self, client: &Arc<GroupClient>, partitions: &[TopicPartition], lost: bool);
    /// The assignment is as it was told; fetching goes on.
    fn settled(&self, client: &Arc<GroupClient>);
}

/// What librdkafka calls back for one consumer.
pub(super) struct GroupContext {
    pub(super) assignments: Arc<dyn Assignments>,
    pub(super) metrics: ConsumerMetrics,
    /// Set once the client exists; weak, because the client owns this context.
    client: OnceLock<Weak<GroupClient>>,
    /// Since when the client is not in its group; `None` while it is.
    outside_since: Mutex<Option<Instant>>,
}

/// What librdkafka calls the state of a member that has its assignment, were it an empty one.
const IN_GROUP: &str = "steady";

impl GroupContext {
    /// A client that joins the group once it is subscribed.
    pub(super) fn client(
        config: &ClientConfig,
        assignments: Arc<dyn Assignments>,
        metrics: ConsumerMetrics,
    ) -> Result<Arc<GroupClient>, KafkaError> {
        let client: GroupClient = config.create_with_context(Self {
            assignments,
            metrics,
            client: OnceLock::new(),
            outside_since: Mutex::default(),
        })?;
        let client = Arc::new(client);
        // The cell is new, so setting it can't fail.
        let _ = client.context().client.set(Arc::downgrade(&client));
        Ok(client)
    }

    /// How long the client has not been in its group.
    pub(super) fn outside_for(&self) -> Duration {
        self.outside_since()
            .map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn outside_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.outside_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn is_now(&self, join_state: &str) {
        let mut since = self.outside_since();
        if join_state == IN_GROUP {
            *since = None;
        } else {
            since.get_or_insert_with(Instant::now);
        }
    }
}

impl ClientContext for GroupContext {
    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::line("consumer", level, facility, message);
    }

    fn stats(&self, statistics: rdkafka::Statistics) {
        if let Some(group) = &statistics.cgrp {
            self.is_now(&group.join_state);
        }
        for topic in statistics.topics.values() {
            for partition in topic.partitions.values() {
                if partition.consumer_lag >= 0 && partition.partition >= 0 {
                    self.metrics
                        .lag(&topic.topic, partition.partition, partition.consumer_lag);
                }
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.metrics.client_errors.increment(1);
        client_log::error("consumer", &error, reason);
    }
}

impl ConsumerContext for GroupContext {
    fn pre_rebalance(&self, consumer: &GroupClient, rebalance: &Rebalance<'_>) {
        // While the client is being dropped there is no work left to start or stop.
        let Some(client) = self.client.get().and_then(Weak::upgrade) else {
            return;
        };
        match rebalance {
            Rebalance::Assign(list) => {
                self.metrics.rebalance("assign");
                // Before the assignment takes effect, so that no record gets into the main queue.
                self.assignments.assigned(&client, partitions(list));
            }
            Rebalance::Revoke(list) => {
                let lost = consumer.assignment_lost();
                self.metrics.rebalance(if lost { "lost" } else { "revoke" });
                self.assignments.revoked(&client, &partitions(list), lost);
            }
            Rebalance::Error(error) => tracing::warn!(%error, "a rebalance failed"),
        }
    }

    fn post_rebalance(&self, _: &GroupClient, rebalance: &Rebalance<'_>) {
        // The statistics come too rarely to catch every member of a group that is put together anew all the time.
        if matches!(rebalance, Rebalance::Assign(_)) {
            self.is_now(IN_GROUP);
        }
        if let Some(client) = self.client.get().and_then(Weak::upgrade) {
            self.assignments.settled(&client);
        }
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements()
        .iter()
        .map(|element| TopicPartition {
            topic: element.topic().into(),
            partition: element.partition(),
        })
        .collect()
}
