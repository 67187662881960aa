//! The consumers restarted one after the other under load, as for an upgrade.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{assert_none_is_missing, rows, stored};
use crate::harness::private::RECOVERY;
use crate::harness::program::{Launch, Program};
use crate::harness::stream::Stream;
use crate::harness::{PATIENCE, TestDb, Topics, eventually};

/// Watches how far each partition is stored, and for how long it does not move.
struct Watch {
    stop: CancellationToken,
    watching: JoinHandle<BTreeMap<i32, Duration>>,
}

impl Watch {
    fn start(pool: PgPool) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let watching = tokio::spawn(async move {
            let mut moved = BTreeMap::<i32, (i64, Instant)>::new();
            let mut longest = BTreeMap::<i32, Duration>::new();
            while !stopped.is_cancelled() {
                let progress: Vec<(i32, i64)> =
                    sqlx::query_as("SELECT partition, next_offset FROM consumer_progress")
                        .fetch_all(&pool)
                        .await
                        .unwrap();
                let now = Instant::now();
                for (partition, next_offset) in progress {
                    let (before, at) = moved.entry(partition).or_insert((next_offset, now));
                    assert!(*before <= next_offset, "progress went back");
                    let pause = longest.entry(partition).or_default();
                    *pause = (*pause).max(now - *at);
                    if *before < next_offset {
                        (*before, *at) = (next_offset, now);
                    }
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            longest
        });
        Self { stop, watching }
    }

    async fn stop(self) -> BTreeMap<i32, Duration> {
        self.stop.cancel();
        self.watching.await.unwrap()
    }
}

/// Of its log, the changes of its assignment.
fn assignments(consumer: &Program) -> Vec<String> {
    let mut lines = consumer.log();
    lines
        .retain(|line| line.contains("partitions assigned") || line.contains("partitions revoked"));
    lines
}

async fn has_partitions(consumer: &Program) {
    eventually("it has partitions", RECOVERY, async || {
        !assignments(consumer).is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_restarted_one_after_the_other_lose_and_double_nothing() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    let start = || Launch::consumer(&db.url(), &topics).start();
    let (mut first, mut second) = (start().await, start().await);
    let stream = Stream::start(&topics, 12);
    for consumer in [&first, &second] {
        has_partitions(consumer).await;
    }
    eventually("they work", RECOVERY, async || rows(&db).await > 500).await;

    let watch = Watch::start(db.pool.clone());
    for consumer in [&mut first, &mut second] {
        consumer.signal("TERM");
        assert!(consumer.ended(PATIENCE).await.success());
        let log = consumer.log();
        assert!(log.iter().any(|line| line.contains("stopped;")), "{log:#?}");
        assert!(
            !log.iter().any(|line| line.contains("lost=true")),
            "{log:#?}"
        );
        let so_far = rows(&db).await;
        eventually("the other goes on", RECOVERY, async || {
            rows(&db).await > so_far + 200
        })
        .await;
        *consumer = start().await;
        has_partitions(consumer).await;
        let so_far = rows(&db).await;
        eventually("both go on", RECOVERY, async || {
            rows(&db).await > so_far + 500
        })
        .await;
    }
    let pauses = watch.stop().await;
    let sent = stream.stop().await;
    topics.drained(RECOVERY).await;
    assert_none_is_missing(&sent, &stored(&db).await);
    assert_eq!(rows(&db).await, sent.len());
    println!("longest pauses of each partition in a rolling restart: {pauses:?}");
}
