//! Delivers events over several connections, each with one request under way at a time.
//!
//! An event leaves with a [`Fate`] or stays unsent because the load was stopped; none is dropped on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::client::{Answered, Client};
use super::pace::Pace;
use super::tally::{Fate, Tally};
use crate::ctl::progress::Progress;
use crate::event::EventIn;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A server that asks for more is asked again sooner, so that one bad header can't stop a load.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// How often an event is sent again, and after what pauses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retries {
    pub(super) max: u32,
}

impl Retries {
    /// The pause before the given repetition, counted from 0: doubling, the upper half of it random, and not shorter
    /// than the server asked for.
    fn pause(self, repetition: u32, retry_after: Option<Duration>, random: f64) -> Duration {
        let longest = FIRST_PAUSE
            .saturating_mul(1 << repetition.min(16))
            .min(LONGEST_PAUSE);
        let own = longest.mul_f64(0.5 + 0.5 * random);
        let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        // Connections that were told the same time would all come back at once.
        own.max(asked + asked.mul_f64(0.1 * random))
    }
}

/// What is to be delivered, and how.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) client: Client,
    pub(super) events: Vec<Bytes>,
    pub(super) batch_events: usize,
    pub(super) pace: Pace,
    pub(super) retries: Retries,
    pub(super) progress: Progress,
    pub(super) stop: CancellationToken,
}

/// Delivers everything and counts what became of it; events that were left when the load was stopped are not counted.
pub(super) async fn deliver(delivery: Delivery, connections: usize) -> anyhow::Result<Tally> {
    let delivery = Arc::new(delivery);
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders = JoinSet::new();
    for _ in 0..connections {
        let sender = Sender {
            delivery: Arc::clone(&delivery),
            tally: Tally::new()?,
        };
        senders.spawn(sender.run(Arc::clone(&next)));
    }
    let mut all = Tally::new()?;
    while let Some(tally) = senders.join_next().await {
        all.add(tally?)?;
    }
    delivery.progress.finish();
    Ok(all)
}

/// One connection.
struct Sender {
    delivery: Arc<Delivery>,
    tally: Tally,
}

impl Sender {
    async fn run(mut self, next: Arc<AtomicUsize>) -> Tally {
        let delivery = Arc::clone(&self.delivery);
        loop {
            let first = next.fetch_add(delivery.batch_events, Ordering::Relaxed);
            let Some(rest) = delivery.events.get(first..).filter(|rest| !rest.is_empty()) else {
                return self.tally;
            };
            let due = delivery.pace.due(first);
            if !self.wait(due).await {
                return self.tally;
            }
            let events = &rest[..rest.len().min(delivery.batch_events)];
            self.settle(events, due.unwrap_or_else(Instant::now)).await;
        }
    }

    /// Waits until then; `false` if the load was stopped.
    async fn wait(&self, until: Option<Instant>) -> bool {
        let stop = &self.delivery.stop;
        if let Some(until) = until {
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep_until(until) => {}
            }
        }
        !stop.is_cancelled()
    }

    /// Sends events until each has its fate. A refused body is halved until the event at fault stands alone.
    async fn settle(&mut self, events: &[Bytes], due: Instant) {
        let mut parts = vec![events.to_vec()];
        while let Some(part) = parts.pop() {
            if let Some(mut refused) = self.settle_part(part).await {
                let second = refused.split_off(refused.len() / 2);
                parts.push(second);
                parts.push(refused);
            }
        }
        self.tally.time(due.elapsed());
    }

    /// Sends events until each has its fate, or gives those back whose body was refused as a whole.
    async fn settle_part(&mut self, mut open: Vec<Bytes>) -> Option<Vec<Bytes>> {
        let retries = self.delivery.retries;
        for repetition in 0.. {
            self.tally.requests += 1;
            let client = &self.delivery.client;
            let answered = match &open[..] {
                [event] if self.delivery.batch_events == 1 => client.send_one(event).await,
                _ => client.send_batch(&open).await,
            };
            let (reason, retry_after) = match answered {
                Answered::Each { fates, retry_after } => {
                    open = self.keep_open(open, fates);
                    if open.is_empty() {
                        return None;
                    }
                    ("no store could take it".to_owned(), retry_after)
                }
                Answered::Again {
                    reason,
                    retry_after,
                } => (reason, retry_after),
                Answered::Refused { reason } => match &open[..] {
                    [event] => {
                        let reason = format!("event {}: {reason}", id_of(event));
                        self.count(1, &Fate::Invalid(reason));
                        return None;
                    }
                    _ => return Some(open),
                },
                Answered::Hopeless { reason } => {
                    self.delivery.stop.cancel();
                    self.count(open.len(), &Fate::GivenUp(reason));
                    return None;
                }
            };
            let pause = retries.pause(repetition, retry_after, fastrand::f64());
            if repetition >= retries.max || !self.wait(Some(Instant::now() + pause)).await {
                self.count(open.len(), &Fate::GivenUp(reason));
                return None;
            }
            self.tally.sent_again += open.len() as u64;
        }
        None
    }

    /// Counts the fates and gives back the events that have none yet.
    fn keep_open(&mut self, events: Vec<Bytes>, fates: Vec<Option<Fate>>) -> Vec<Bytes> {
        let sent = events.len();
        let mut open = Vec::new();
        for (event, fate) in events.into_iter().zip(fates) {
            match fate {
                Some(fate) => self.tally.count(fate),
                None => open.push(event),
            }
        }
        self.delivery.progress.advance((sent - open.len()) as u64);
        open
    }

    fn count(&mut self, events: usize, fate: &Fate) {
        for _ in 0..events {
            self.tally.count(fate.clone());
        }
        self.delivery.progress.advance(events as u64);
    }
}

/// The id of an event for a message; empty where it has none.
fn id_of(event: &[u8]) -> String {
    let event = EventIn::from_json(event).unwrap_or_default();
    event.event_id().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRIES: Retries = Retries { max: 10 };

    #[test]
    fn pauses_double_up_to_a_limit() {
        let pause = |repetition| RETRIES.pause(repetition, None, 1.0);
        assert_eq!(pause(0), Duration::from_millis(100));
        assert_eq!(pause(1), Duration::from_millis(200));
        assert_eq!(pause(40), LONGEST_PAUSE);
        assert_eq!(RETRIES.pause(0, None, 0.0), Duration::from_millis(50));
    }

    #[test]
    fn a_pause_is_never_shorter_than_the_server_asked_for() {
        for random in [0.0, 0.5, 1.0] {
            let pause = RETRIES.pause(0, Some(Duration::from_secs(2)), random);
            assert!(pause >= Duration::from_secs(2), "{pause:?}");
        }
        let unreasonable = RETRIES.pause(0, Some(Duration::from_secs(86_400)), 0.0);
        assert_eq!(unreasonable, RETRY_AFTER_MAX);
    }
}
