//! SIGTERM: what was acknowledged is kept, what was stored is committed, and the process ends well in time.

use std::time::Duration;

use super::{assert_none_is_missing, stored};
use crate::harness::event::an_answer;
use crate::harness::load::{Load, acknowledged};
use crate::harness::private::RECOVERY;
use crate::harness::program::Launch;
use crate::harness::topic::Running;
use crate::harness::{PATIENCE, Setup, TestDb, Topics, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_stopped_under_load_in_direct_mode_keeps_every_acknowledged_event() {
    let db = TestDb::new().await;
    let mut server = Launch::server(&db.url()).start().await;
    let load = Load::start(server.client(), 16);
    load.more(200, PATIENCE, |sent| sent.is("direct")).await;
    server.signal("TERM");
    assert!(
        server.ended(Duration::from_secs(20)).await.success(),
        "{:#?}",
        server.log()
    );
    let sent = load.stop().await;
    assert!(
        sent.iter()
            .all(|sent| matches!(sent.status(), Some(201 | 503) | None))
    );
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
        server.ended(Duration::from_secs(20)).await.success(),
        "{:#?}",
        server.log()
    );
    let sent = load.stop().await;
    let consumer = Running::start(&topics, &db.url());
    topics.drained(PATIENCE).await;
    assert_none_is_missing(&acknowledged(&sent), &stored(&db).await);
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_is_stopped_commits_what_it_has_stored() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    let app = Setup::on(&db.url())
        .through(&topics)
        .with("kafka-produce-deadline-ms", 10_000)
        .start()
        .await;
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
        consumer.ended(Duration::from_secs(20)).await.success(),
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
