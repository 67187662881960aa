//! Sending messages, each with its own answer: the partition and offset it got, or why it has none.
//!
//! Owns batching, bounds, deadlines and the replacement of a client that lost its place. It refuses to wait for room
//! in a full queue and to retry on its own beyond the deadline: what to do without an acknowledgement is the
//! caller's decision.

mod delivery;
mod error;

pub use error::{ConnectError, SendError};

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use tokio::sync::oneshot;

use crate::config::{KafkaConfig, ProducerConfig};
use crate::message::Message;
use crate::metrics::{ProducerMetrics, Registry};
use delivery::{DeliveryContext, Many, Ticket};

type Client = ThreadedProducer<DeliveryContext>;

/// How many messages of one set are queued before other tasks get a turn.
const QUEUED_PER_TURN: usize = 512;

/// Where the broker put a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// The partition.
    pub partition: i32,
    /// The place in the partition.
    pub offset: i64,
}

/// An idempotent producer that waits for all in-sync replicas; cheap to clone, clones share one queue.
#[derive(Clone)]
pub struct Producer {
    shared: Arc<Shared>,
}

struct Shared {
    config: ClientConfig,
    deadline: Duration,
    client: RwLock<Arc<Client>>,
    closed: AtomicBool,
    metrics: ProducerMetrics,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer")
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

impl Producer {
    /// Makes a producer; the brokers are looked for in the background, so none has to be up.
    ///
    /// # Errors
    /// [`ConnectError`] when the settings can't be used.
    pub fn connect(kafka: &KafkaConfig, config: &ProducerConfig) -> Result<Self, ConnectError> {
        let client_config = config.client(kafka)?;
        let metrics = Registry::new(&kafka.metrics_prefix).producer();
        let client = Arc::new(new_client(&client_config, &metrics)?);
        Ok(Self {
            shared: Arc::new(Shared {
                config: client_config,
                deadline: config.deadline(),
                client: RwLock::new(client),
                closed: AtomicBool::new(false),
                metrics,
            }),
        })
    }

    /// Sends one message and waits for the broker's acknowledgement, at most for the configured deadline.
    ///
    /// Dropping the future is safe; the message may still be delivered.
    ///
    /// # Errors
    /// [`SendError`] says why there is no acknowledgement.
    pub async fn send(&self, topic: &str, message: Message) -> Result<Delivery, SendError> {
        let started = Instant::now();
        let answer = match tokio::time::timeout(
            self.shared.deadline,
            self.send_until_answered(topic, &message),
        )
        .await
        {
            Ok(answer) => answer,
            Err(_) => Err(SendError::Deadline),
        };
        self.count(started, std::slice::from_ref(&answer));
        answer
    }

    async fn send_until_answered(
        &self,
        topic: &str,
        message: &Message,
    ) -> Result<Delivery, SendError> {
        let mut replaced = false;
        loop {
            let client = self.shared.client()?;
            let (sender, wait) = oneshot::channel();
            let answer = match enqueue(&client, topic, message, Ticket::One(sender)) {
                Ok(()) => {
                    drop(client);
                    wait.await.unwrap_or(Err(SendError::Fatal))
                }
                Err((error, _)) => Err(error),
            };
            // A message caught in the replacement of the client deserves the new one, once.
            match answer {
                Err(SendError::Fatal) if !replaced => replaced = true,
                answer => return answer,
            }
        }
    }

    /// Sends many messages at once and waits for all of them, with one answer each, in their order.
    ///
    /// Dropping the future is safe; messages may still be delivered.
    pub async fn send_all(
        &self,
        topic: &str,
        messages: Vec<Message>,
    ) -> Vec<Result<Delivery, SendError>> {
        if messages.is_empty() {
            return Vec::new();
        }
        let started = Instant::now();
        let until = tokio::time::Instant::now() + self.shared.deadline;
        let mut answers = self.send_set(topic, &messages, until).await;
        let caught: Vec<usize> = (0..answers.len())
            .filter(|&place| answers[place] == Err(SendError::Fatal))
            .collect();
        if !caught.is_empty() {
            let again: Vec<Message> = caught
                .iter()
                .map(|&place| messages[place].clone())
                .collect();
            let repeated = self.send_set(topic, &again, until).await;
            for (place, answer) in caught.into_iter().zip(repeated) {
                answers[place] = answer;
            }
        }
        self.count(started, &answers);
        answers
    }

    async fn send_set(
        &self,
        topic: &str,
        messages: &[Message],
        until: tokio::time::Instant,
    ) -> Vec<Result<Delivery, SendError>> {
        let client = match self.shared.client() {
            Ok(client) => client,
            Err(error) => return vec![Err(error); messages.len()],
        };
        let (many, done) = Many::new(messages.len());
        for (place, message) in messages.iter().enumerate() {
            if place > 0 && place % QUEUED_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
            let ticket = Ticket::Of(Arc::clone(&many), u32::try_from(place).unwrap_or(u32::MAX));
            if let Err((error, ticket)) = enqueue(&client, topic, message, ticket) {
                ticket.answer(Err(error));
            }
        }
        drop(client);
        // Both a missed deadline and a lost sender leave the unanswered messages as they are.
        let _ = tokio::time::timeout_at(until, done).await;
        many.take()
    }

    /// How many messages wait for their acknowledgement.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let client = self.shared.current();
        usize::try_from(client.in_flight_count()).unwrap_or(0)
    }

    /// Waits until every queued message has its answer; `false` when the time was not enough.
    pub async fn flush(&self, deadline: Duration) -> bool {
        let client = self.shared.current();
        tokio::task::spawn_blocking(move || client.flush(deadline).is_ok())
            .await
            .unwrap_or(false)
    }

    /// Refuses further messages and waits for the queued ones; `false` when the time was not enough.
    pub async fn close(&self, deadline: Duration) -> bool {
        self.shared.closed.store(true, Ordering::Release);
        self.flush(deadline).await
    }

    pub(crate) fn metrics(&self) -> &ProducerMetrics {
        &self.shared.metrics
    }

    fn count(&self, started: Instant, answers: &[Result<Delivery, SendError>]) {
        let metrics = &self.shared.metrics;
        metrics.seconds.record(started.elapsed().as_secs_f64());
        let mut produced = 0;
        for answer in answers {
            match answer {
                Ok(_) => produced += 1,
                Err(error) => metrics.failed(error.as_str()),
            }
        }
        metrics.produced.increment(produced);
    }
}

impl Shared {
    fn current(&self) -> Arc<Client> {
        Arc::clone(&self.client.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The client to send with, replaced first if it can't send any more.
    fn client(&self) -> Result<Arc<Client>, SendError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(SendError::Closed);
        }
        let client = self.current();
        if !client.context().is_fatal() {
            return Ok(client);
        }
        drop(client);
        let mut slot = self.client.write().unwrap_or_else(PoisonError::into_inner);
        if slot.context().is_fatal() {
            let fresh = new_client(&self.config, &self.metrics)
                .map_err(|error| SendError::Broker(error.to_string()))?;
            let lost = std::mem::replace(&mut *slot, Arc::new(fresh));
            self.metrics.rebuilds.increment(1);
            tracing::warn!("the Kafka producer met a fatal error and has been replaced");
            // Dropping a client waits for its thread and purges its queue, which answers whoever still waits.
            drop(std::thread::spawn(move || drop(lost)));
        }
        Ok(Arc::clone(&slot))
    }
}

fn new_client(config: &ClientConfig, metrics: &ProducerMetrics) -> Result<Client, ConnectError> {
    Ok(config.create_with_context(DeliveryContext::new(metrics.clone()))?)
}

/// Puts a message into librdkafka's queue, or gives the ticket back with the reason.
fn enqueue(
    client: &Client,
    topic: &str,
    message: &Message,
    ticket: Ticket,
) -> Result<(), (SendError, Ticket)> {
    let mut record = BaseRecord::<[u8], [u8], Box<Ticket>>::with_opaque_to(topic, Box::new(ticket));
    record.key = message.key.as_deref();
    record.payload = message.payload.as_deref();
    record.timestamp = message.timestamp_ms;
    if !message.headers.is_empty() {
        let mut headers = OwnedHeaders::new_with_capacity(message.headers.len());
        for header in &message.headers {
            headers = headers.insert(rdkafka::message::Header {
                key: &header.name,
                value: header.value.as_deref(),
            });
        }
        record.headers = Some(headers);
    }
    client.send(record).map_err(|(error, record)| {
        let error = SendError::from(&error);
        if error == SendError::Fatal {
            client.context().set_fatal();
        }
        (error, *record.delivery_opaque)
    })
}
