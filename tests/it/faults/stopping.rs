//! SIGTERM: what was acknowledged is kept, what was stored is committed, and the process ends well in time.

use super::{assert_none_is_missing, stored};
use crate::harness::event::an_answer;
use crate::harness::load::{Load, Sent, acknowledged};
use crate::harness::private::RECOVERY;
use crate::harness::program::Launch;
use crate::harness::topic::Running;
use crate::harness::{App, PATIENCE, TestDb, Topics, eventually};

/// A client gets an answer or no connection; a request that was sent is never cut off.
#[track_caller]
fn assert_answered_or_turned_away(sent: &[Sent]) {
    let otherwise: Vec<_> = sent
        .iter()
        .filter(|sent| sent.cut.is_some() || !matches!(sent.status(), Some(201 | 503) | None))
        .take(3)
        .collect();
    assert!(otherwise.is_empty(), "{otherwise:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_stopped_under_load_in_direct_mode_keeps_every_acknowledged_event() {
    let db = TestDb::new().await;
    let mut server = Launch::server(&db.url()).start().await;
    let load = Load::start(server.client(), 16);
    load.more(200, PATIENCE, |sent| sent.is("direct")).await;
    server.signal("TERM");
    assert!(
        server.ended(PATIENCE).await.success(),
        "{:#?}",
        server.log()
    );
    let sent = load.stop().await;
    assert_answered_or_turned_away(&sent);
    assert_none_is_missing(&acknowledged(&sent), &stored(&db).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_stopped_under_load_in_kafka_mode_keeps_every_acknowledged_event() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    let mut server = Launch::server(&db.url())
        .on(&topics)
        .with("KAFKA_ENABLED", "true")
        .start()
        .await;
    let load = Load::start(server.client(), 16);
    load.more(200, PATIENCE, |sent| sent.is("kafka")).await;
    server.signal("TERM");
    assert!(
        server.ended(PATIENCE).await.success(),
        "{:#?}",
        server.log()
    );
    let sent = load.stop().await;
    assert_answered_or_turned_away(&sent);
    let consumer = Running::start(&topics, &db.url());
    topics.drained(PATIENCE).await;
    assert_none_is_missing(&acknowledged(&sent), &stored(&db).await);
    consumer.stop().await;
}

#[tokio::test]
async fn a_server_that_drains_takes_requests_and_tells_everybody_to_leave() {
    let db = TestDb::new().await;
    let mut server = Launch::server(&db.url())
        .with("SHUTDOWN_DRAIN_MS", "5000")
        .start()
        .await;
    let before = server.client().post_event(an_answer()).await;
    assert_eq!((before.status, before.header("connection")), (201, None));
    server.signal("TERM");
    eventually("the server is not ready", PATIENCE, || async {
        let ready = server.client().get("/readyz").await;
        ready.status == 503 && ready.json()["status"] == "stopping"
    })
    .await;
    let during = server.client().post_event(an_answer()).await;
    assert_eq!(
        (during.status, during.header("connection")),
        (201, Some("close"))
    );
    assert_eq!(server.client().get("/livez").await.status, 200);
    assert!(server.ended(PATIENCE).await.success());
    assert_eq!(db.number("SELECT count(*) FROM answers").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_is_stopped_commits_what_it_has_stored() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    let app = App::by_kafka(&db, &topics).await;
    for _ in 0..4 {
        let body = app
            .post_batch((0..2_000).map(|_| an_answer().json()))
            .await
            .expect(201);
        assert_eq!(body["mode"], "kafka");
    }
    let mut consumer = Launch::consumer(&db.url(), &topics)
        .with("KAFKA_BATCH_RECORDS_MAX", "50")
        // Only the stop itself commits in time.
        .with("KAFKA_COMMIT_INTERVAL_MS", "60000")
        .start()
        .await;
    eventually("a part is stored", RECOVERY, || async {
        db.number("SELECT count(*) FROM answers").await > 500
    })
    .await;
    consumer.signal("TERM");
    assert!(
        consumer.ended(PATIENCE).await.success(),
        "{:#?}",
        consumer.log()
    );

    let lags = topics
        .inspector()
        .lag(&topics.group, &topics.events)
        .await
        .unwrap();
    for lag in lags {
        let progress = format!(
            "SELECT coalesce(max(next_offset), 0) FROM consumer_progress WHERE partition = {}",
            lag.partition
        );
        assert_eq!(
            lag.committed.unwrap_or(0),
            db.number(&progress).await,
            "partition {}",
            lag.partition
        );
    }
    let committed = 8_000 - topics.lag().await;
    assert!(committed > 500, "{committed}");
    assert_eq!(db.number("SELECT count(*) FROM answers").await, committed);
}
