//! Groups of several members.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use kafka_toolkit::{Batch, ConsumerConfig, Handler, Outcome};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::harness::{Running, Seen, Stage, message, until};

fn assigned(running: &Running) -> usize {
    running.health().partitions.len()
}

/// No deadline of the group plays a part: what a slow machine makes a member miss is not what is tested.
fn patient(stage: &Stage) -> ConsumerConfig {
    ConsumerConfig {
        session_timeout_ms: 30_000,
        drain_deadline_ms: 20_000,
        ..stage.config()
    }
}

/// Takes its time, so that rebalances come while batches are under way.
struct Unhurried(Seen);

impl Handler for Unhurried {
    async fn handle(&self, batch: &Batch) -> Vec<Outcome> {
        let noted = batch.records().iter().cloned();
        self.0
            .all()
            .extend(noted.map(|record| (batch.partition(), record)));
        // What is noted has had its effect; a call that is dropped from here on would be repeated.
        tokio::time::sleep(Duration::from_millis(20)).await;
        vec![Outcome::Done; batch.len()]
    }
}

/// Somebody who sends without end; what was acknowledged, as (partition, offset).
struct Sending {
    done: Arc<AtomicBool>,
    task: JoinHandle<BTreeSet<(i32, i64)>>,
}

impl Sending {
    fn start(stage: &Arc<Stage>) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn({
            let (stage, done) = (Arc::clone(stage), Arc::clone(&done));
            async move {
                let mut sent = BTreeSet::new();
                let mut n = 0;
                while !done.load(Ordering::Relaxed) {
                    let messages = (0..50)
                        .map(|k| message(&format!("key-{k}"), &(n + k).to_string()))
                        .collect();
                    for answer in stage.producer.send_all(&stage.topic, messages).await {
                        let delivery = answer.unwrap();
                        sent.insert((delivery.partition, delivery.offset));
                    }
                    n += 50;
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                sent
            }
        });
        Self { done, task }
    }

    async fn stop(self) -> BTreeSet<(i32, i64)> {
        self.done.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

#[track_caller]
fn assert_each_was_handled_once(seen: &Seen, sent: &BTreeSet<(i32, i64)>) {
    let times = seen.times();
    let handled: BTreeSet<(i32, i64)> = times.keys().copied().collect();
    assert_eq!(&handled, sent, "none is skipped");
    let repeated: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert!(
        repeated.is_empty(),
        "a drained hand-over repeats nothing: {repeated:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go_and_every_record_is_handled() {
    let stage = Arc::new(Stage::with_partitions(6).await);
    let sending = Sending::start(&stage);
    let seen = Seen::default();
    let first = stage.start_with(&patient(&stage), Unhurried(seen.clone()));
    until("the first has all", async || assigned(&first) == 6).await;
    until("it works", async || seen.count() > 500).await;

    let second = stage.start_with(&patient(&stage), Unhurried(seen.clone()));
    until("they share", async || {
        assigned(&first) == 3 && assigned(&second) == 3
    })
    .await;
    let so_far = seen.count();
    until("they work", async || seen.count() > so_far + 500).await;

    first.stop().await;
    until("the second has all", async || assigned(&second) == 6).await;
    let so_far = seen.count();
    until("it works", async || seen.count() > so_far + 500).await;
    let sent = sending.stop().await;
    until("all are committed", async || {
        stage.committed_sum().await == sent.len() as i64
    })
    .await;
    second.stop().await;

    assert_each_was_handled_once(&seen, &sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_stop_in_the_middle_of_a_rebalance_still_commit_what_they_have_done() {
    let stage = Arc::new(Stage::with_partitions(6).await);
    let sending = Sending::start(&stage);
    let seen = Seen::default();
    // Nobody but a member that gives up partitions commits in time.
    let config = ConsumerConfig {
        commit_interval_ms: 60_000,
        ..patient(&stage)
    };
    let start = || stage.start_with(&config, Unhurried(seen.clone()));
    let mut members = VecDeque::from([start(), start()]);
    for round in 0..12 {
        let so_far = seen.count();
        until("they work", async || seen.count() > so_far + 200).await;
        members.push_back(start());
        // Another moment of the rebalance each time: the group asks its members every 300 ms.
        tokio::time::sleep(Duration::from_millis(round * 60)).await;
        members.pop_front().unwrap().stop().await;
    }
    let sent = sending.stop().await;
    until("all are handled", async || seen.times().len() == sent.len()).await;
    for member in members {
        member.stop().await;
    }
    assert_eq!(stage.committed_sum().await, sent.len() as i64);
    assert_each_was_handled_once(&seen, &sent);
}

/// Notes for its member and for all, and holds its batches while the gate is shut.
struct Gated {
    own: Seen,
    all: Seen,
    gate: watch::Receiver<bool>,
    held: Arc<AtomicUsize>,
}

impl Handler for Gated {
    async fn handle(&self, batch: &Batch) -> Vec<Outcome> {
        for seen in [&self.own, &self.all] {
            let noted = batch.records().iter().cloned();
            seen.all()
                .extend(noted.map(|record| (batch.partition(), record)));
        }
        self.held.fetch_add(1, Ordering::SeqCst);
        let mut gate = self.gate.clone();
        gate.wait_for(|open| *open).await.unwrap();
        self.held.fetch_sub(1, Ordering::SeqCst);
        vec![Outcome::Done; batch.len()]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_member_is_draining_the_partitions_of_the_others_go_on() {
    let stage = Arc::new(Stage::with_partitions(6).await);
    let sending = Sending::start(&stage);
    let (open, always) = (watch::Sender::new(true), watch::Sender::new(true));
    let (seen, held) = (Seen::default(), Arc::<AtomicUsize>::default());
    let join = |own: &Seen, gate: &watch::Sender<bool>| {
        let gated = Gated {
            own: own.clone(),
            all: seen.clone(),
            gate: gate.subscribe(),
            held: Arc::clone(&held),
        };
        stage.start_with(&patient(&stage), gated)
    };
    let [of_first, of_second, of_third] = [(); 3].map(|()| Seen::default());
    let first = join(&of_first, &always);
    let second = join(&of_second, &open);
    until("they share", async || {
        assigned(&first) == 3 && assigned(&second) == 3
    })
    .await;

    open.send_replace(false);
    until("the second is held everywhere", async || {
        held.load(Ordering::SeqCst) >= 3
    })
    .await;
    let third = join(&of_third, &always);
    until("the first has given one up", async || assigned(&first) == 2).await;
    let kept: Vec<i32> = first
        .health()
        .partitions
        .iter()
        .map(|health| health.partition.partition)
        .collect();
    let count = |partition: i32| {
        of_first
            .all()
            .iter()
            .filter(|(p, _)| *p == partition)
            .count()
    };
    let so_far: Vec<usize> = kept.iter().map(|partition| count(*partition)).collect();
    // Whoever came into the group first has had all partitions for a moment.
    let of_others = [&of_second, &of_third];
    let before = of_others.map(|seen| seen.all().len());
    until("those that it keeps go on", async || {
        let mut pairs = kept.iter().zip(&so_far);
        pairs.all(|(partition, so_far)| count(*partition) > so_far + 50)
    })
    .await;
    assert_eq!(of_third.count(), 0, "the rebalance is still under way");

    open.send_replace(true);
    until("the three share", async || {
        [&first, &second, &third].map(assigned) == [2, 2, 2]
    })
    .await;
    until("the third works", async || of_third.count() > 100).await;
    for (seen, before) in of_others.into_iter().zip(before) {
        let since = &seen.all()[before..];
        let taken = since.iter().any(|(partition, _)| kept.contains(partition));
        assert!(!taken, "nobody else gets them");
    }
    let sent = sending.stop().await;
    until("all are handled", async || seen.times().len() == sent.len()).await;
    for member in [first, second, third] {
        member.stop().await;
    }
    assert_each_was_handled_once(&seen, &sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dependency_that_is_down_does_not_cost_the_membership_nor_block_a_rebalance() {
    let stage = Stage::with_partitions(2).await;
    for key in ["a", "b", "c", "d"] {
        stage.send_numbers(key, 10).await;
    }
    let seen = Seen::default();
    let down = Arc::new(AtomicBool::new(true));
    let judge = {
        let down = Arc::clone(&down);
        move |_: &kafka_toolkit::Record| {
            if down.load(Ordering::Relaxed) {
                Outcome::dependency_down("database", "away")
            } else {
                Outcome::Done
            }
        }
    };
    let first = stage.start(seen.handler(judge.clone()));
    until("the first waits", async || {
        assigned(&first) == 2 && first.health().is_waiting_on_dependency()
    })
    .await;
    let second = stage.start(seen.handler(judge));
    until("they share", async || {
        assigned(&first) == 1 && assigned(&second) == 1
    })
    .await;
    assert_eq!(stage.committed().await.len(), 0);
    down.store(false, Ordering::Relaxed);
    until("all are committed", async || {
        stage.committed_sum().await == 40
    })
    .await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_consumer_leaves_the_group() {
    let stage = Stage::with_partitions(1).await;
    let consumer = {
        let dead_letters = kafka_toolkit::DeadLetterWriter::new(stage.producer.clone(), &stage.dlq);
        kafka_toolkit::Consumer::new(
            &crate::harness::kafka(),
            &stage.config(),
            &[&stage.topic],
            dead_letters,
            Seen::default().handler(|_| Outcome::Done),
        )
        .unwrap()
    };
    let health = consumer.health();
    let task = tokio::spawn(consumer.run(tokio_util::sync::CancellationToken::new()));
    until("it has the partition", async || {
        health.snapshot().partitions.len() == 1
    })
    .await;
    task.abort();
    let next = stage.start(Seen::default().handler(|_| Outcome::Done));
    until("somebody else has the partition", async || {
        assigned(&next) == 1
    })
    .await;
    next.stop().await;
}
