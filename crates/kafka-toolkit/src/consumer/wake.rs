//! Has fetching go on at once after a rebalance.
//!
//! While an assignment changes, librdkafka fetches nothing for any partition. The threads that fetch find nothing to do and
//! go to sleep for up to a second, and nothing tells them when the partitions that stay go on. A question to a
//! partition's leader wakes up the thread that fetches from it.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;

use super::client::GroupClient;
use crate::partition::TopicPartition;

/// A leader that takes longer to answer has been woken up long since.
const PATIENCE: Duration = Duration::from_millis(500);

/// Asks on a thread of its own, because asking blocks. Whoever drops the client waits for one question at most.
pub(super) fn wake(client: &Arc<GroupClient>, partitions: Vec<TopicPartition>) {
    if partitions.is_empty() {
        return;
    }
    let client = Arc::downgrade(client);
    let asking = move || {
        for partition in partitions {
            let Some(client) = client.upgrade() else {
                return;
            };
            // Only the question counts, not the answer.
            drop(client.fetch_watermarks(&partition.topic, partition.partition, PATIENCE));
        }
    };
    // Without a thread it only takes longer.
    drop(
        std::thread::Builder::new()
            .name("kafka-wake".to_owned())
            .spawn(asking),
    );
}
