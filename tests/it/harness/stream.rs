//! Events that go to the topic without a pause, past the server.

use std::collections::BTreeSet;
use std::time::Duration;

use analytics_ingestor::event::envelope;
use kafka_toolkit::Message;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::client::USER_ID;
use super::event::an_answer;
use super::topic::Topics;

/// Sessions that take turns; enough for every partition to have some.
const SESSIONS: usize = 64;

const EVERY: Duration = Duration::from_millis(20);

/// Somebody who sends answers of tenant 1.
pub(crate) struct Stream {
    stop: CancellationToken,
    sending: JoinHandle<BTreeSet<Uuid>>,
}

impl Stream {
    /// So many every 20 ms, as far as the broker keeps up.
    pub(crate) fn start(topics: &Topics, events: usize) -> Self {
        let (producer, topic) = (topics.producer(), topics.events.clone());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let sending = tokio::spawn(async move {
            let sessions: Vec<(Uuid, Uuid)> = (0..SESSIONS)
                .map(|_| (Uuid::new_v4(), Uuid::new_v4()))
                .collect();
            let mut turns = sessions.iter().cycle();
            let mut acknowledged = BTreeSet::new();
            let mut tick = tokio::time::interval(EVERY);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while !stopped.is_cancelled() {
                tick.tick().await;
                let (ids, messages): (Vec<Uuid>, Vec<Message>) = turns
                    .by_ref()
                    .take(events)
                    .map(|(session, question)| message(*session, *question))
                    .unzip();
                let answers = producer.send_all(&topic, messages).await;
                for (id, answer) in ids.into_iter().zip(answers) {
                    answer.expect("the broker acknowledges");
                    acknowledged.insert(id);
                }
            }
            acknowledged
        });
        Self { stop, sending }
    }

    /// Stops, and returns the events that the broker has acknowledged: all of them.
    pub(crate) async fn stop(self) -> BTreeSet<Uuid> {
        self.stop.cancel();
        self.sending.await.expect("sending does not panic")
    }
}

fn message(session: Uuid, question: Uuid) -> (Uuid, Message) {
    let event = an_answer().in_session(session).of(question).parse(1);
    let message = Message::builder(session.to_string())
        .payload(envelope::encode(&event, USER_ID.into()))
        .build()
        .expect("the message has a key");
    (event.event_id.uuid(), message)
}
