//! The Kafka path: an event becomes a record of the topic, keyed by its session.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_toolkit::producer::ConnectError;
use kafka_toolkit::{KafkaConfig, Message, Producer, ProducerConfig, SendError};

use crate::event::{Event, envelope};

/// How much of the produce deadline the wait for Kafka may take. When Kafka is lost, everything that waits for it goes
/// direct at once, beside what comes new; the rest of the deadline is for that, so that it bounds what a request loses.
const WAIT_PERCENT: u64 = 75;

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
    /// Writes to `topic` with a producer of its own, which waits for the brokers' word only a
    /// [part](WAIT_PERCENT) of the produce deadline.
    ///
    /// # Errors
    /// If a setting cannot be used.
    pub fn connect(
        kafka: &KafkaConfig,
        config: &ProducerConfig,
        topic: &str,
    ) -> Result<Self, ConnectError> {
        let wait_ms = config.produce_deadline_ms * WAIT_PERCENT / 100;
        let least_ms = config.linger_ms as u64 + 1;
        let config = ProducerConfig {
            produce_deadline_ms: wait_ms.max(least_ms).min(config.produce_deadline_ms),
            ..config.clone()
        };
        Ok(Self {
            producer: Producer::connect(kafka, &config)?,
            topic: topic.into(),
        })
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
