//! Carries the broker's answer from librdkafka's thread to the task that waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use tokio::sync::oneshot;

use super::{Delivery, SendError};
use crate::client_log;
use crate::metrics::ProducerMetrics;

type Answer = Result<Delivery, SendError>;

/// Travels with one message through librdkafka and comes back with its answer.
pub(crate) enum Ticket {
    /// A message sent alone.
    One(oneshot::Sender<Answer>),
    /// One of many that are waited for together, with its place among them.
    Of(Arc<Many>, u32),
}

impl Ticket {
    pub(crate) fn answer(self, answer: Answer) {
        match self {
            // Nobody waits any more after a deadline.
            Self::One(sender) => drop(sender.send(answer)),
            Self::Of(many, place) => many.answer(place as usize, answer),
        }
    }
}

/// The answers of messages that are waited for together: one wake-up for all instead of one each.
pub(crate) struct Many {
    state: Mutex<ManyState>,
}

struct ManyState {
    answers: Vec<Option<Answer>>,
    missing: usize,
    done: Option<oneshot::Sender<()>>,
}

impl Many {
    pub(crate) fn new(count: usize) -> (Arc<Self>, oneshot::Receiver<()>) {
        let (done, wait) = oneshot::channel();
        let mut answers = Vec::new();
        answers.resize_with(count, || None);
        let many = Self {
            state: Mutex::new(ManyState {
                answers,
                missing: count,
                done: Some(done),
            }),
        };
        (Arc::new(many), wait)
    }

    fn state(&self) -> MutexGuard<'_, ManyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn answer(&self, place: usize, answer: Answer) {
        let mut state = self.state();
        // After the deadline the answers have been taken away and the slots are gone.
        let Some(slot @ None) = state.answers.get_mut(place) else {
            return;
        };
        *slot = Some(answer);
        state.missing -= 1;
        if state.missing == 0
            && let Some(done) = state.done.take()
        {
            let _ = done.send(());
        }
    }

    /// Takes the answers; a message without one has missed the deadline.
    pub(crate) fn take(&self) -> Vec<Answer> {
        std::mem::take(&mut self.state().answers)
            .into_iter()
            .map(|answer| answer.unwrap_or(Err(SendError::Deadline)))
            .collect()
    }
}

/// What librdkafka calls back for one client.
pub(crate) struct DeliveryContext {
    pub(crate) metrics: ProducerMetrics,
    fatal: AtomicBool,
}

impl DeliveryContext {
    pub(crate) fn new(metrics: ProducerMetrics) -> Self {
        Self {
            metrics,
            fatal: AtomicBool::new(false),
        }
    }

    /// Whether this client can't send any more and must be replaced.
    pub(crate) fn is_fatal(&self) -> bool {
        self.fatal.load(Ordering::Relaxed)
    }

    pub(crate) fn set_fatal(&self) {
        self.fatal.store(true, Ordering::Relaxed);
    }
}

impl ClientContext for DeliveryContext {
    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::line("producer", level, facility, message);
    }

    fn stats(&self, statistics: rdkafka::Statistics) {
        self.metrics.queue.set(statistics.msg_cnt as f64);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.set_fatal();
        }
        self.metrics.client_errors.increment(1);
        client_log::error("producer", &error, reason);
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        ticket.answer(match result {
            Ok(message) => Ok(Delivery {
                partition: message.partition(),
                offset: message.offset(),
            }),
            Err((error, _)) => {
                let error = SendError::from(error);
                if error == SendError::Fatal {
                    self.set_fatal();
                }
                Err(error)
            }
        });
    }
}
