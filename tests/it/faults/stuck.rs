//! A stop while a store does not answer: the programs end all the same, in their time and with an answer for everybody.

use std::time::Duration;

use crate::harness::event::an_answer;
use crate::harness::private::Services;
use crate::harness::program::{Launch, Program};
use crate::harness::topic::Running;
use crate::harness::{PATIENCE, Reply, TestDb, Topics, eventually};

/// Nothing but the limit on the stop itself ends anything in this time.
const MINUTES: &str = "600000";

async fn server(db: &TestDb, shutdown_timeout_ms: &str) -> Program {
    Launch::server(&db.url())
        .with("DATABASE_WRITE_TIMEOUT_MS", MINUTES)
        .with("SHUTDOWN_TIMEOUT_MS", shutdown_timeout_ms)
        .start()
        .await
}

/// Posts an event to a database whose table is locked, and returns when the server waits for it.
async fn post_in_vain(
    db: &TestDb,
    server: &Program,
) -> (
    sqlx::Transaction<'static, sqlx::Postgres>,
    tokio::task::JoinHandle<Reply>,
) {
    let mut lock = db.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE answers IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let client = server.client().clone();
    let posted = tokio::spawn(async move { client.post_event(an_answer()).await });
    let waiting = format!(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = '{}' AND wait_event_type = 'Lock' AND application_name = 'analytics-ingestor write'",
        db.name()
    );
    eventually("the write waits", PATIENCE, async || {
        db.number(&waiting).await == 1
    })
    .await;
    (lock, posted)
}

#[tokio::test]
async fn a_server_whose_database_is_stuck_refuses_what_it_holds_and_ends() {
    let db = TestDb::new().await;
    // A quarter of it is there for refusing, on a machine that may be busy.
    let mut server = server(&db, "4000").await;
    let (_lock, posted) = post_in_vain(&db, &server).await;
    server.signal("TERM");
    let reply = posted
        .await
        .unwrap_or_else(|_| panic!("nobody answers: {:#?}", server.log()));
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(reply.header("retry-after").is_some(), "{reply:?}");
    assert!(server.ended(PATIENCE).await.success());
}

#[tokio::test]
async fn a_second_signal_ends_a_server_that_is_stuck() {
    let db = TestDb::new().await;
    let mut server = server(&db, MINUTES).await;
    let (_lock, posted) = post_in_vain(&db, &server).await;
    server.signal("TERM");
    eventually("the first signal is heard", PATIENCE, || {
        let heard = server.log().iter().any(|line| line.contains("stopping"));
        async move { heard }
    })
    .await;
    server.signal("TERM");
    assert_eq!(server.ended(PATIENCE).await.code(), Some(130));
    assert!(posted.await.is_err(), "nobody was there to answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_and_consumer_end_while_the_broker_is_frozen() {
    let services = Services::take().await;
    let topics = Topics::at(&services.brokers().await).await;
    let db = TestDb::new().await;
    let mut server = Launch::server(&db.url())
        .on(&topics)
        .with("KAFKA_ENABLED", "true")
        .with("SHUTDOWN_TIMEOUT_MS", "4000")
        .start()
        .await;
    let mut consumer = Launch::consumer(&db.url(), &topics)
        .with("SHUTDOWN_TIMEOUT_MS", "4000")
        .start()
        .await;
    eventually("an event goes by way of Kafka", PATIENCE, || async {
        server.client().post_event(an_answer()).await.json()["mode"] == "kafka"
    })
    .await;
    topics.drained(PATIENCE).await;
    let before = db.number("SELECT count(*) FROM answers").await;

    services.freeze_kafka();
    let client = server.client().clone();
    let posted = tokio::spawn(async move { client.post_event(an_answer()).await });
    // It is on its way to the broker; whether it gets there or not, it is answered.
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.signal("TERM");
    consumer.signal("TERM");
    let body = posted.await.unwrap().expect(201);
    assert_eq!(body["mode"], "direct");
    assert!(
        server.ended(PATIENCE).await.success(),
        "{:#?}",
        server.log()
    );
    assert!(
        consumer.ended(PATIENCE).await.success(),
        "{:#?}",
        consumer.log()
    );
    assert_eq!(db.number("SELECT count(*) FROM answers").await, before + 1);

    services.thaw_kafka();
    // A record that the broker took after all is a copy, and changes nothing.
    let consumer = Running::start(&topics, &db.url());
    topics.drained(PATIENCE).await;
    assert_eq!(db.number("SELECT count(*) FROM answers").await, before + 1);
    consumer.stop().await;
}
