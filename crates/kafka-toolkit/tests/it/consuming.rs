//! Reading: commits, retries, error classes, the stop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use kafka_toolkit::{Batch, ConsumerConfig, Handler, HandlerExt, Outcome, RunError};
use tokio::sync::Notify;

use crate::harness::{Seen, Stage, kafka, message, payload, until};

#[tokio::test]
async fn records_are_handled_once_each_in_order_and_committed() {
    let stage = Stage::with_partitions(3).await;
    for key in ["a", "b", "c", "d", "e"] {
        stage.send_numbers(key, 1000).await;
    }
    let seen = Seen::default();
    let running = stage.start(seen.handler(|_| Outcome::Done).measured(&kafka()).logged());
    until("all are committed", async || {
        stage.committed_sum().await == 5000
    })
    .await;
    running.stop().await;

    let mut next: BTreeMap<i32, i64> = BTreeMap::new();
    for (partition, record) in seen.all().iter() {
        let next = next.entry(*partition).or_default();
        assert_eq!(record.offset, *next, "partition {partition}");
        *next += 1;
    }
    assert_eq!(seen.count(), 5000);
}

#[tokio::test]
async fn a_batch_is_bounded_by_size_and_by_age() {
    let stage = Stage::with_partitions(1).await;
    stage.send_numbers("k", 25).await;
    let config = ConsumerConfig {
        batch_records_max: 10,
        batch_age_ms: 300,
        ..stage.config()
    };
    let (sizes, mut received) = tokio::sync::mpsc::unbounded_channel();
    struct Sizes(tokio::sync::mpsc::UnboundedSender<usize>);
    impl Handler for Sizes {
        async fn handle(&self, batch: &Batch) -> Vec<Outcome> {
            self.0.send(batch.len()).unwrap();
            vec![Outcome::Done; batch.len()]
        }
    }
    let running = stage.start_with(&config, Sizes(sizes));
    let mut batches = Vec::new();
    while batches.iter().sum::<usize>() < 25 {
        batches.push(received.recv().await.unwrap());
    }
    assert_eq!(batches, [10, 10, 5]);
    running.stop().await;
}

#[tokio::test]
async fn success_after_a_failure_never_moves_the_commit_past_the_failure() {
    let stage = Stage::with_partitions(1).await;
    stage.send_numbers("k", 10).await;
    let seen = Seen::default();
    // Record 4 fails in a way that must not be given up; all the others succeed.
    let running = stage.start(seen.handler(|record| match payload(record) {
        "4" => Outcome::dependency_down("away", "not yet"),
        _ => Outcome::Done,
    }));
    until("record 4 has been tried several times", async || {
        seen.times().get(&(0, 4)).copied().unwrap_or(0) > 3
    })
    .await;
    until("the prefix is committed", async || {
        stage.committed_sum().await == 4
    })
    .await;
    assert!(running.health().is_waiting_on_dependency());
    assert_eq!(running.health().partitions[0].next_offset, Some(4));
    running.stop().await;
    assert_eq!(stage.committed().await, BTreeMap::from([(0, 4)]));
    let times = seen.times();
    assert_eq!(times[&(0, 3)], 1, "what is done is not handed over again");
    assert_eq!(times[&(0, 9)], 1);

    // Somebody else starts where the commit says: the failed record first, then those behind it.
    let again = Seen::default();
    let running = stage.start(again.handler(|_| Outcome::Done));
    until("all are committed", async || {
        stage.committed_sum().await == 10
    })
    .await;
    running.stop().await;
    let offsets: Vec<i64> = again.times().keys().map(|(_, offset)| *offset).collect();
    assert_eq!(offsets, (4..10).collect::<Vec<i64>>());
}

#[tokio::test]
async fn while_a_dependency_is_down_the_batch_is_kept_and_nothing_is_lost() {
    let stage = Stage::with_partitions(2).await;
    let keys = ["a", "b", "c", "d"];
    for key in keys {
        stage.send_numbers(key, 50).await;
    }
    let down = Arc::new(AtomicBool::new(true));
    let seen = Seen::default();
    let stored = Seen::default();
    let running = stage.start({
        let (down, stored) = (Arc::clone(&down), stored.clone());
        seen.handler(move |record| {
            if down.load(Ordering::Relaxed) {
                Outcome::dependency_down("database", "refused")
            } else {
                stored.all().push((0, record.clone()));
                Outcome::Done
            }
        })
    });
    // Longer than any bounded retry would last: 5 attempts of at most 50 ms.
    until("it has been tried often", async || {
        seen.times().values().any(|&times| times > 15)
    })
    .await;
    assert!(running.health().is_waiting_on_dependency());
    assert_eq!(stage.committed().await, BTreeMap::new());
    down.store(false, Ordering::Relaxed);
    until("all are committed", async || {
        stage.committed_sum().await == 200
    })
    .await;
    assert_eq!(stored.count(), 200);
    assert_eq!(stage.dead_letters().await, []);
    until("nothing waits", async || {
        !running.health().is_waiting_on_dependency()
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn a_passing_failure_is_retried_for_the_failed_records_only() {
    let stage = Stage::with_partitions(1).await;
    stage.send_numbers("k", 5).await;
    let seen = Seen::default();
    let failures = AtomicUsize::new(0);
    let running = stage.start(seen.handler(move |record| {
        if payload(record) == "2" && failures.fetch_add(1, Ordering::Relaxed) < 3 {
            Outcome::transient("deadlock", "try again")
        } else {
            Outcome::Done
        }
    }));
    until("all are committed", async || {
        stage.committed_sum().await == 5
    })
    .await;
    running.stop().await;
    let times: Vec<usize> = seen.times().values().copied().collect();
    assert_eq!(times, [1, 1, 4, 1, 1]);
    assert_eq!(stage.dead_letters().await, []);
}

#[tokio::test]
async fn a_refusal_by_business_rules_is_acknowledged_and_no_dead_letter() {
    let stage = Stage::with_partitions(1).await;
    stage.send_numbers("k", 5).await;
    let seen = Seen::default();
    let running = stage.start(seen.handler(|_| Outcome::business("refused", "not wanted")));
    until("all are committed", async || {
        stage.committed_sum().await == 5
    })
    .await;
    running.stop().await;
    assert_eq!(seen.count(), 5);
    assert_eq!(stage.dead_letters().await, []);
}

/// Says when it has begun, and ends when told to.
struct Slow {
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
    ended: Arc<AtomicUsize>,
}

impl Slow {
    fn new() -> (Self, Arc<Notify>, Arc<Notify>, Arc<AtomicUsize>) {
        let slow = Self {
            begun: Arc::default(),
            go_on: Arc::default(),
            ended: Arc::default(),
        };
        let handles = (
            Arc::clone(&slow.begun),
            Arc::clone(&slow.go_on),
            Arc::clone(&slow.ended),
        );
        (slow, handles.0, handles.1, handles.2)
    }
}

impl Handler for Slow {
    async fn handle(&self, batch: &Batch) -> Vec<Outcome> {
        self.begun.notify_one();
        self.go_on.notified().await;
        self.ended.fetch_add(1, Ordering::Relaxed);
        vec![Outcome::Done; batch.len()]
    }
}

#[tokio::test]
async fn a_stop_finishes_the_batch_under_way_and_commits_it() {
    let stage = Stage::with_partitions(1).await;
    stage.send_numbers("k", 5).await;
    let (slow, begun, go_on, ended) = Slow::new();
    let running = stage.start(slow);
    begun.notified().await;
    let stopping = tokio::spawn(running.stop());
    go_on.notify_one();
    stopping.await.unwrap();
    assert_eq!(ended.load(Ordering::Relaxed), 1);
    assert_eq!(stage.committed().await, BTreeMap::from([(0, 5)]));
}

#[tokio::test]
async fn a_stop_drops_a_batch_that_is_not_finished_by_the_drain_deadline() {
    let stage = Stage::with_partitions(1).await;
    stage.send_numbers("k", 5).await;
    let config = ConsumerConfig {
        drain_deadline_ms: 1500,
        ..stage.config()
    };
    let (slow, begun, _go_on, ended) = Slow::new();
    let running = stage.start_with(&config, slow);
    begun.notified().await;
    let started = Instant::now();
    running.stop().await;
    let took = started.elapsed();
    assert!(took >= config.drain_deadline(), "given up after {took:?}");
    assert_eq!(ended.load(Ordering::Relaxed), 0);
    assert_eq!(stage.committed().await, BTreeMap::new());

    let seen = Seen::default();
    let running = stage.start(seen.handler(|_| Outcome::Done));
    until("they are read again", async || seen.count() == 5).await;
    running.stop().await;
}

#[tokio::test]
async fn records_that_come_while_a_batch_is_handled_are_fetched_meanwhile() {
    let stage = Stage::with_partitions(1).await;
    stage.send_numbers("k", 1).await;
    struct Held {
        sizes: Arc<std::sync::Mutex<Vec<usize>>>,
        go_on: Arc<Notify>,
        begun: Arc<Notify>,
    }
    impl Handler for Held {
        async fn handle(&self, batch: &Batch) -> Vec<Outcome> {
            self.sizes.lock().unwrap().push(batch.len());
            self.begun.notify_one();
            self.go_on.notified().await;
            vec![Outcome::Done; batch.len()]
        }
    }
    let (sizes, go_on, begun) = (Arc::default(), Arc::default(), Arc::default());
    let running = stage.start(Held {
        sizes: Arc::clone(&sizes),
        go_on: Arc::clone(&go_on),
        begun: Arc::clone(&begun),
    });
    begun.notified().await;
    // Much more than comes together within the age of a batch, one after the other.
    for n in 0..40 {
        let sent = stage
            .producer
            .send(&stage.topic, message("k", &n.to_string()))
            .await;
        sent.unwrap();
    }
    until("they are gathered", async || {
        running.health().partitions[0].gathered == 40
    })
    .await;
    go_on.notify_one();
    begun.notified().await;
    go_on.notify_one();
    assert_eq!(*sizes.lock().unwrap(), [1, 40]);
    running.stop().await;
}

#[tokio::test]
async fn a_handler_that_answers_too_few_outcomes_ends_the_consumer_uncommitted() {
    struct Forgetful;
    impl Handler for Forgetful {
        async fn handle(&self, _batch: &Batch) -> Vec<Outcome> {
            Vec::new()
        }
    }
    let stage = Stage::with_partitions(1).await;
    stage.send_numbers("k", 3).await;
    let running = stage.start(Forgetful);
    let error = running.ended().await.unwrap_err();
    assert!(
        matches!(error, RunError::OutcomeCount { outcomes: 0, .. }),
        "{error}"
    );
    assert_eq!(stage.committed().await, BTreeMap::new());
}

#[tokio::test]
async fn a_record_that_makes_the_handler_panic_costs_only_itself() {
    let stage = Stage::with_partitions(1).await;
    stage.send_numbers("k", 5).await;
    let seen = Seen::default();
    let running = stage.start(seen.handler(|record| {
        assert_ne!(payload(record), "3", "this record is poison");
        Outcome::Done
    }));
    until("all are committed", async || {
        stage.committed_sum().await == 5
    })
    .await;
    running.stop().await;
    let dead = stage.dead_letters().await;
    assert_eq!(dead.len(), 1);
    assert_eq!(payload(&dead[0].record), "3");
    let name = dead[0].record.headers.get_str("dlq.error.name");
    assert_eq!(name, Some("handler_panicked"));
}
