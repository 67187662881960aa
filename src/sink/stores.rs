//! Which store takes an event: Kafka while it acknowledges, else PostgreSQL, event by event.

use std::time::Duration;

use kafka_toolkit::SendError;
use tracing::{debug, warn};

use super::kafka::Values;
use super::{Accepted, Breaker, BreakerState, DirectPath, KafkaPath, Mode, Outcome, Refusal};
use crate::event::Event;
use crate::metrics;

/// Why events went direct without Kafka having been asked.
const BREAKER_OPEN: &str = "breaker_open";

/// Both stores, or PostgreSQL alone; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Stores {
    direct: DirectPath,
    kafka: Option<(KafkaPath, Breaker)>,
}

impl Stores {
    pub(super) fn new(direct: DirectPath, kafka: Option<(KafkaPath, Breaker)>) -> Self {
        metrics::ingest_started(&[Mode::Direct.name()], &[]);
        if kafka.is_some() {
            metrics::ingest_started(&[Mode::Kafka.name()], &[BREAKER_OPEN]);
            metrics::ingest_started(&[], &SendError::NAMES);
        }
        Self { direct, kafka }
    }

    /// The path that events are meant to take.
    pub(super) fn mode(&self) -> Mode {
        if self.kafka.is_some() {
            Mode::Kafka
        } else {
            Mode::Direct
        }
    }

    pub(super) fn breaker_state(&self) -> Option<BreakerState> {
        self.kafka.as_ref().map(|(_, breaker)| breaker.state())
    }

    /// Writes events, whose records on the topic would have these values, to the store that takes them; resolves when
    /// each is durable or refused. Outcomes come in the order of the events.
    pub(super) async fn write(&self, events: Vec<Event>, values: Values<'_>) -> Vec<Outcome> {
        let Some((kafka, breaker)) = &self.kafka else {
            return self.direct.write(events).await;
        };
        let Some(permit) = breaker.permit() else {
            return self.write_past_kafka(breaker, events).await;
        };

        let sent = tokio::select! {
            biased;
            sent = kafka.write(&events, values) => sent,
            // Whatever arrives on the topic all the same is a copy.
            () = permit.overtaken() => {
                drop(permit);
                return self.write_past_kafka(breaker, events).await;
            }
            () = permit.silence() => {
                permit.fail();
                return self.write_past_kafka(breaker, events).await;
            }
        };
        if sent
            .iter()
            .flat_map(|sent| sent.as_ref().err())
            .any(speaks_of_the_brokers)
        {
            permit.fail();
        } else if sent.iter().any(Result::is_ok) {
            permit.succeed();
        } else {
            drop(permit);
        }

        let mut outcomes: Vec<Outcome> = vec![
            Ok(Accepted {
                mode: Mode::Kafka,
                duplicate: false
            });
            events.len()
        ];
        let mut unsent = Vec::new();
        let mut places = Vec::new();
        for (place, (event, sent)) in events.into_iter().zip(sent).enumerate() {
            if let Err(error) = sent {
                debug!(event.id = %event.event_id.uuid(), error = %error, "Kafka did not take an event: it goes direct");
                metrics::kafka_fallback(error.as_str(), 1);
                unsent.push(event);
                places.push(place);
            }
        }
        if !unsent.is_empty() {
            for (place, outcome) in places.into_iter().zip(self.direct.write(unsent).await) {
                outcomes[place] = retry_when_the_breaker_says(breaker, outcome);
            }
        }
        outcomes
    }

    async fn write_past_kafka(&self, breaker: &Breaker, events: Vec<Event>) -> Vec<Outcome> {
        metrics::kafka_fallback(BREAKER_OPEN, events.len() as u64);
        let outcomes = self.direct.write(events).await;
        outcomes
            .into_iter()
            .map(|outcome| retry_when_the_breaker_says(breaker, outcome))
            .collect()
    }

    /// Finishes what both paths hold and refuses what comes after, and what is not finished at the deadline.
    pub(super) async fn close(&self, deadline: Duration) {
        let flushed = async {
            match &self.kafka {
                Some((kafka, _)) => kafka.close(deadline).await,
                None => true,
            }
        };
        // Together, because each may need all of the time.
        let (is_flushed, is_written) = tokio::join!(flushed, self.direct.close(deadline));
        if !is_flushed {
            warn!(
                "Kafka had not acknowledged everything in time; none of that was reported as accepted"
            );
        }
        if !is_written {
            warn!(
                "the database had not taken everything in time; none of that was reported as accepted"
            );
        }
    }
}

/// A full queue is our own haste, and a payload that Kafka refuses is the payload's fault; neither says that the
/// brokers are away.
fn speaks_of_the_brokers(error: &SendError) -> bool {
    !error.is_payload_fault() && !matches!(error, SendError::QueueFull)
}

/// When both stores are away, the breaker knows best when trying again makes sense: it lets the next probe through
/// then. The direct path's own pause is shorter than the second that an answer can name.
fn retry_when_the_breaker_says(breaker: &Breaker, outcome: Outcome) -> Outcome {
    outcome.map_err(|refusal| match refusal {
        Refusal::Unavailable { retry_after } => {
            let open_for = breaker.retry_after();
            Refusal::Unavailable {
                retry_after: if open_for.is_zero() {
                    retry_after
                } else {
                    open_for
                },
            }
        }
        refused @ Refusal::Refused { .. } => refused,
    })
}
