//! What bad records cost the batch that they are in: statements are counted as the driver executes them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use analytics_ingestor::consumer::EventHandler;
use analytics_ingestor::event::Event;
use analytics_ingestor::store::WriteOutcome;
use kafka_toolkit::{Batch, Handler, Outcome, Record};
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, registry};
use uuid::Uuid;

use crate::harness::TestDb;
use crate::harness::event::{an_answer, envelope};

const EVENTS: usize = 1_000;

/// Counts the statements that are executed on this thread, failed ones included.
#[derive(Clone, Default)]
struct Statements(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Statements {
    fn counted(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }

    fn watch(&self) -> tracing::subscriber::DefaultGuard {
        // With one subscriber in the process, tracing asks the thread that comes by an event first whether anybody
        // wants it, and another test's thread would say no for all. With two it asks both.
        static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(registry()));
        LazyLock::force(&ANOTHER);
        tracing::subscriber::set_default(registry().with(self.clone()))
    }
}

async fn refusing_db() -> TestDb {
    let db = TestDb::new().await;
    db.execute("ALTER TABLE answers ADD CONSTRAINT no_poison CHECK (answer <> 'poison')")
        .await;
    // Rows that were rolled back leave room, which must not be used again while their order is looked at.
    db.execute("ALTER TABLE answers SET (autovacuum_enabled = off)")
        .await;
    db
}

/// So many places of a batch, at random.
fn places(random: &mut fastrand::Rng, count: usize) -> BTreeSet<usize> {
    random
        .choose_multiple(0..EVENTS, count)
        .into_iter()
        .collect()
}

/// Answers of one session in the order of their ids, in which they are stored, with poison in these places.
fn answers(poison: &BTreeSet<usize>) -> Vec<Event> {
    let session = Uuid::new_v4();
    (0..EVENTS)
        .map(|place| {
            let text = if poison.contains(&place) {
                "poison"
            } else {
                "B"
            };
            let answer = an_answer().with("session_id", session);
            let id = Uuid::from_u128(Uuid::new_v4().as_u128() >> 16 | (place as u128) << 112);
            answer.with("event_id", id).saying(text).parse(1)
        })
        .collect()
}

#[tokio::test]
async fn records_that_postgresql_refuses_cost_a_batch_a_logarithm_of_statements_each() {
    let db = refusing_db().await;
    let writer = db.writer(1);
    let statements = Statements::default();
    let _watching = statements.watch();
    // The connection is made, and the statement known.
    writer
        .write_batch(&answers(&BTreeSet::new()), None)
        .await
        .expect("it is there");
    assert_eq!(statements.counted(), 1, "a good batch is one statement");

    let mut random = fastrand::Rng::with_seed(20_250_620);
    for count in [1, 1, 1, 5, 5, 20, 20] {
        let poison = places(&mut random, count);
        let events = answers(&poison);
        let outcomes = writer
            .write_batch(&events, None)
            .await
            .expect("it is there");
        let executed = statements.counted();
        let most = 2.0 * count as f64 * (EVENTS as f64).log2() + 2.0;
        assert!(
            executed as f64 <= most,
            "{count} of {EVENTS} at {poison:?} took {executed} statements, more than {most:.0}"
        );
        for (place, outcome) in outcomes.iter().enumerate() {
            let refused =
                matches!(outcome, WriteOutcome::Refused { sqlstate } if sqlstate == "23514");
            assert_eq!(refused, poison.contains(&place), "{place}: {outcome:?}");
            assert!(
                refused || *outcome == WriteOutcome::Stored,
                "{place}: {outcome:?}"
            );
        }
        let stored: Vec<Uuid> =
            sqlx::query_scalar("SELECT event_id FROM answers WHERE session_id = $1 ORDER BY ctid")
                .bind(events[0].session_id)
                .fetch_all(&db.pool)
                .await
                .expect("the table is there");
        let good = events
            .iter()
            .enumerate()
            .filter(|(place, _)| !poison.contains(place));
        let good: Vec<Uuid> = good.map(|(_, event)| event.event_id.uuid()).collect();
        assert_eq!(stored, good, "the good ones are stored in their order");
        statements.counted();
    }
}

#[tokio::test]
async fn records_that_are_no_events_cost_no_statement() {
    let db = TestDb::new().await;
    let handler = EventHandler::new(db.writer(1), "a-group");
    let statements = Statements::default();
    let _watching = statements.watch();
    let mut random = fastrand::Rng::with_seed(20_250_620);
    for count in [0, 1, 20, EVENTS] {
        let poison = places(&mut random, count);
        let records = (0..EVENTS).map(|place| {
            let payload = if poison.contains(&place) {
                "{broken".into()
            } else {
                envelope(&an_answer().json())
            };
            Record::new(place as i64, "some-session", payload)
        });
        let batch = Batch::new("a-topic", 0, records.collect());
        let outcomes = handler.handle(&batch).await;
        assert_eq!(statements.counted(), 1, "{count} of {EVENTS}");
        let done: BTreeSet<usize> = (0..EVENTS)
            .filter(|&place| outcomes[place] == Outcome::Done)
            .collect();
        assert!(done.is_disjoint(&poison) && done.len() == EVENTS - count);
    }
}
