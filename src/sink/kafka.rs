//! The Kafka path: an event becomes a record of the topic, keyed by its session.

use std::sync::Arc;
use std::time::Duration;

use kafka_toolkit::{Message, Producer, SendError};

use crate::event::{Event, envelope};

/// What the `source` header of our records says.
const SOURCE: &str = "analytics-ingestor";

/// Writes events to the topic; cheap to clone.
#[derive(Debug, Clone)]
pub struct KafkaPath {
    producer: Producer,
    topic: Arc<str>,
}

impl KafkaPath {
    /// Writes to `topic` through `producer`.
    pub fn new(producer: Producer, topic: &str) -> Self {
        Self {
            producer,
            topic: topic.into(),
        }
    }

    /// Sends events that `user_id` posted; resolves when the brokers have acknowledged each or the deadline is over.
    pub(super) async fn write(&self, events: &[Event], user_id: i64) -> Vec<Result<(), SendError>> {
        if let [event] = events {
            return vec![
                self.producer
                    .send(&self.topic, to_message(event, user_id))
                    .await
                    .map(|_| ()),
            ];
        }
        let messages = events
            .iter()
            .map(|event| to_message(event, user_id))
            .collect();
        let deliveries = self.producer.send_all(&self.topic, messages).await;
        deliveries
            .into_iter()
            .map(|delivery| delivery.map(|_| ()))
            .collect()
    }

    /// Waits for what was sent, refuses what comes after; `false` if the deadline came first.
    pub async fn close(&self, deadline: Duration) -> bool {
        self.producer.close(deadline).await
    }
}

fn to_message(event: &Event, user_id: i64) -> Message {
    Message::builder(event.session_id.to_string())
        .event_type(event.type_name())
        .event_id(event.event_id.uuid().to_string())
        .source(SOURCE)
        .payload(envelope::encode(event, user_id))
        .build()
        .expect("a session id is a key, and the metadata are plain text")
}
