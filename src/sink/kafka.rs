//! The Kafka path: an event becomes a record of the topic, keyed by its session.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_toolkit::{Message, Producer, ProducerConfig, SendError};

use crate::event::{Event, envelope};

/// What the `source` header of our records says.
const SOURCE: &str = "analytics-ingestor";

/// The values that the records of events have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Values<'a> {
    /// Written now, for events that this user posted.
    PostedBy(i64),
    /// Written when the events were accepted, one for each.
    Recorded(&'a [Bytes]),
}

impl Values<'_> {
    fn of(self, place: usize, event: &Event) -> Bytes {
        match self {
            Self::PostedBy(user_id) => envelope::encode(event, user_id).into(),
            Self::Recorded(values) => values[place].clone(),
        }
    }
}

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

    /// How long a crowd may hear nothing of Kafka before the breaker takes it for a failure: half of its deadline, so that
    /// the other half is left for the direct way, and on top what the producer holds back by itself.
    pub fn silence_max(producer: &ProducerConfig) -> Duration {
        let linger = Duration::from_secs_f64(producer.linger_ms / 1_000.0);
        linger + producer.deadline().saturating_sub(linger) / 2
    }

    /// Sends events; resolves when the brokers have acknowledged each or the deadline is over.
    pub(super) async fn write(
        &self,
        events: &[Event],
        values: Values<'_>,
    ) -> Vec<Result<(), SendError>> {
        if let [event] = events {
            return vec![
                self.producer
                    .send(&self.topic, to_message(event, values.of(0, event)))
                    .await
                    .map(|_| ()),
            ];
        }
        let messages = events
            .iter()
            .enumerate()
            .map(|(place, event)| to_message(event, values.of(place, event)))
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

fn to_message(event: &Event, value: Bytes) -> Message {
    Message::builder(event.session_id.to_string())
        .event_type(event.type_name())
        .event_id(event.event_id.uuid().to_string())
        .source(SOURCE)
        .payload(value)
        .build()
        .expect("a session id is a key, and the metadata are plain text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_that_lingers_is_not_silent() {
        let silence_ms = |linger_ms| {
            let producer = ProducerConfig {
                linger_ms,
                produce_deadline_ms: 1_000,
                ..ProducerConfig::default()
            };
            KafkaPath::silence_max(&producer).as_millis()
        };
        assert_eq!([0.0, 600.0, 998.0].map(silence_ms), [500, 800, 999]);
    }
}
