//! A consumer that is stopped in its tracks, thought dead by the group, and wakes up: it must change nothing wrongly and
//! leave its partitions to whoever has them now.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_toolkit::inspect::PartitionLag;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{assert_none_is_missing, rows, stored};
use crate::harness::event::{a_publication, an_answer};
use crate::harness::private::RECOVERY;
use crate::harness::program::{Launch, Program};
use crate::harness::stream::Stream;
use crate::harness::{App, PATIENCE, TestDb, Topics, eventually};

/// How many partitions a consumer has, by its own metrics.
async fn assigned(consumer: &Program) -> usize {
    let text = consumer.client().get("/metrics").await.text;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("ingestor_kafka_consumer_assigned_partitions "));
    line.map_or(0, |count| count.parse().unwrap())
}

async fn progress(pool: &PgPool) -> BTreeMap<i32, i64> {
    let rows: Vec<(i32, i64)> =
        sqlx::query_as("SELECT partition, next_offset FROM consumer_progress")
            .fetch_all(pool)
            .await
            .unwrap();
    rows.into_iter().collect()
}

/// Sees to it that neither the committed offsets nor the stored progress ever go back, and that nothing is committed that
/// is not stored.
struct Guard {
    stop: CancellationToken,
    watching: JoinHandle<usize>,
}

impl Guard {
    fn start(db: &TestDb, topics: &Topics) -> Self {
        let (pool, inspector) = (db.pool.clone(), topics.inspector());
        let (group, topic) = (topics.group.clone(), topics.events.clone());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let watching = tokio::spawn(async move {
            let mut committed = BTreeMap::<i32, i64>::new();
            let mut stored = BTreeMap::<i32, i64>::new();
            let mut looks = 0;
            while !stopped.is_cancelled() {
                let lags: Vec<PartitionLag> = inspector.lag(&group, &topic).await.unwrap();
                let progress = progress(&pool).await;
                for lag in lags {
                    let now = lag.committed.unwrap_or(0);
                    let before = committed.insert(lag.partition, now).unwrap_or(0);
                    assert!(before <= now, "committed {now} after {before}");
                    let is_stored = progress.get(&lag.partition).copied().unwrap_or(0);
                    assert!(now <= is_stored, "committed {now}, stored {is_stored}");
                }
                for (partition, now) in progress {
                    let before = stored.insert(partition, now).unwrap_or(0);
                    assert!(before <= now, "stored {now} after {before}");
                }
                looks += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            looks
        });
        Self { stop, watching }
    }

    async fn stop(self) {
        self.stop.cancel();
        assert!(self.watching.await.unwrap() > 10);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_sleeps_past_its_session_wakes_up_without_harm() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    let start = || Launch::consumer(&db.url(), &topics).start();
    let (mut sleeper, mut other) = (start().await, start().await);
    let stream = Stream::start(&topics, 12);
    let shared = async || assigned(&sleeper).await > 0 && assigned(&other).await > 0;
    eventually("they share the partitions", RECOVERY, shared).await;
    eventually("they work", RECOVERY, async || rows(&db).await > 500).await;

    let guard = Guard::start(&db, &topics);
    sleeper.signal("STOP");
    let taken_over = async || assigned(&other).await == 3;
    eventually("the other takes over", RECOVERY, taken_over).await;
    let before = progress(&db.pool).await;
    eventually("every partition goes on", RECOVERY, async || {
        let now = progress(&db.pool).await;
        now.iter()
            .all(|(partition, next)| *next > before.get(partition).copied().unwrap_or(0) + 50)
    })
    .await;

    sleeper.signal("CONT");
    eventually("the sleeper sees that it lost", RECOVERY, async || {
        sleeper.log().iter().any(|line| line.contains("lost=true"))
    })
    .await;
    let shared = async || assigned(&sleeper).await > 0 && assigned(&other).await < 3;
    eventually("they share the partitions again", RECOVERY, shared).await;
    let so_far = rows(&db).await;
    eventually("they go on", RECOVERY, async || {
        rows(&db).await > so_far + 500
    })
    .await;
    let sent = stream.stop().await;
    topics.drained(RECOVERY).await;
    guard.stop().await;
    for consumer in [&mut sleeper, &mut other] {
        consumer.signal("TERM");
        assert!(consumer.ended(PATIENCE).await.success());
    }
    assert_none_is_missing(&sent, &stored(&db).await);
    assert_eq!(rows(&db).await, sent.len());
    assert!(topics.dead_letters().await.is_empty());
}

/// Backends that are in a state, among those that write events.
async fn writers_in(db: &TestDb, condition: &str) -> i64 {
    db.number(&format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
         AND application_name = 'analytics-ingestor write' AND {condition}"
    ))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_sleeps_inside_a_transaction_does_not_hold_up_the_others() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    let app = App::by_kafka(&db, &topics).await;
    let start = || {
        Launch::consumer(&db.url(), &topics)
            .with("DATABASE_WRITE_TIMEOUT_MS", "5000")
            .start()
    };
    let (session, question) = (Uuid::new_v4(), Uuid::new_v4());
    let publication = || a_publication().in_session(session).of(question);
    let post = async |event: crate::harness::event::Draft| {
        let reply = app.post_event(event).await;
        assert_eq!(reply.json()["mode"], "kafka", "{reply:?}");
    };
    let mut sleeper = start().await;
    post(publication().with_key("A")).await;
    post(an_answer().in_session(session).of(question)).await;
    topics.drained(RECOVERY).await;

    // A change of the key takes several statements under the tenant's exclusive lock; the second waits for ours.
    let mut ours = db.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE publications IN SHARE MODE")
        .execute(&mut *ours)
        .await
        .unwrap();
    post(publication().with_key("B").at_second(60)).await;
    let waits = "wait_event_type = 'Lock'";
    eventually("it waits in its transaction", PATIENCE, async || {
        writers_in(&db, waits).await == 1
    })
    .await;
    sleeper.signal("STOP");
    ours.rollback().await.unwrap();
    let idle = "state = 'idle in transaction'";
    eventually("it sleeps in its transaction", PATIENCE, async || {
        writers_in(&db, idle).await == 1
    })
    .await;

    let mut other = start().await;
    post(an_answer().in_session(session).of(question)).await;
    topics.drained(RECOVERY).await;
    assert_eq!(rows(&db).await, 2);
    let keys = "SELECT count(*) FROM publications";
    assert_eq!(db.number(keys).await, 2);

    sleeper.signal("CONT");
    eventually("the sleeper sees that it lost", RECOVERY, async || {
        sleeper.log().iter().any(|line| line.contains("lost=true"))
    })
    .await;
    post(an_answer().in_session(session).of(question)).await;
    topics.drained(RECOVERY).await;
    assert_eq!((rows(&db).await, db.number(keys).await), (3, 2));
    for consumer in [&mut sleeper, &mut other] {
        consumer.signal("TERM");
        assert!(consumer.ended(PATIENCE).await.success());
    }
    assert!(topics.dead_letters().await.is_empty());
}
