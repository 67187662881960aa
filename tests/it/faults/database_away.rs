//! The database stopped: Kafka mode goes on acknowledging, direct mode refuses, both recover by themselves.

use std::time::Duration;

use serde_json::json;

use super::{assert_few_refusals_waited, assert_none_is_missing, stored};
use crate::harness::event::an_answer;
use crate::harness::load::{Load, acknowledged};
use crate::harness::private::{RECOVERY, Services};
use crate::harness::topic::Running;
use crate::harness::{App, Gate, PATIENCE, Setup, TestDb, Topics, eventually};

const CLIENTS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_mode_goes_on_acknowledging_and_the_consumer_catches_up_by_itself() {
    let services = Services::take().await;
    let db = services.database().await;
    let topics = Topics::new().await;
    let consumer = Running::start(&topics, &db.url());
    let app = Setup::on(&db.url()).through(&topics).start().await;
    let load = Load::start(&app, 4);
    load.more(50, PATIENCE, |sent| sent.is("kafka")).await;

    services.stop_postgres().await;
    let before = load.sent().len();
    load.more(300, PATIENCE, |sent| sent.is("kafka")).await;
    let sent = load.stop().await;
    assert!(
        sent[before..].iter().all(|sent| sent.is("kafka")),
        "the database's absence shows in an answer"
    );
    assert_eq!(app.get("/readyz").await.status, 200);
    assert_eq!(app.get("/livez").await.status, 200);
    let health = app.get("/health").await.expect(200);
    let expected = json!(["degraded", "up", "closed", "down"]);
    assert_eq!(
        json!([
            health["status"],
            health["kafka"],
            health["breaker"],
            health["database"]
        ]),
        expected
    );
    let login = json!({"email": "ada@example.com", "password": "correct horse"});
    let login = app.post_json("/api/auth/login", &login).await;
    login.refuses(503, "database_away", None);
    assert!(login.header("retry-after").is_some());
    let report = app
        .report(
            "questions-per-minute",
            &[("session_id", &uuid::Uuid::new_v4().to_string())],
        )
        .await;
    report.refuses(503, "database_away", None);

    services.start_postgres().await;
    topics.drained(RECOVERY).await;
    assert_none_is_missing(&acknowledged(&sent), &stored(&db).await);
    assert_eq!(
        db.number("SELECT count(*) FROM answers").await,
        sent.len() as i64
    );
    assert!(
        topics.dead_letters().await.is_empty(),
        "an outage is no record's fault"
    );
    eventually("the server sees the database again", PATIENCE, || async {
        app.get("/health").await.json()["status"] == "healthy"
    })
    .await;
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn direct_mode_answers_503_quickly_and_takes_events_again_without_a_restart() {
    let services = Services::take().await;
    let db = services.database().await;
    let app = App::direct(&db).await;
    let load = Load::start(&app, CLIENTS);
    load.more(50, PATIENCE, |sent| sent.is("direct")).await;

    services.stop_postgres().await;
    load.more(200, PATIENCE, |sent| sent.status() == Some(503))
        .await;
    let batch = app
        .post_batch([an_answer().json(), an_answer().json()])
        .await;
    let body = batch.expect(503);
    assert_eq!(
        (&body["processed_count"], &body["total_events"]),
        (&json!(0), &json!(2))
    );
    let statuses: Vec<_> = body["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| &result["status"])
        .collect();
    assert_eq!(statuses, ["unavailable", "unavailable"]);
    assert!(batch.header("retry-after").is_some());
    // A batch that stores nothing finds out nothing either, and must not take the place of one that does.
    for _ in 0..50 {
        app.post_batch([]).await.expect(201);
    }
    assert_eq!(app.get("/readyz").await.status, 503);
    assert_eq!(app.get("/livez").await.status, 200);
    assert_eq!(app.get("/health").await.expect(200)["database"], "down");

    services.start_postgres().await;
    load.more(50, PATIENCE, |sent| sent.is("direct")).await;
    let sent = load.stop().await;
    let refusals: Vec<_> = sent
        .iter()
        .filter(|sent| sent.status() != Some(201))
        .collect();
    for refused in &refusals {
        assert_eq!(refused.status(), Some(503), "{refused:?}");
        let wait: u64 = refused
            .retry_after
            .as_ref()
            .expect("a 503 says when to try again")
            .parse()
            .unwrap();
        assert!(wait >= 1);
    }
    assert_few_refusals_waited(&refusals, Duration::from_secs(1));
    assert_none_is_missing(&acknowledged(&sent), &stored(&db).await);
    eventually("the server is ready again", PATIENCE, || async {
        app.get("/readyz").await.status == 200
    })
    .await;
}

/// As on a server that is so busy with refusing that every turn of a login takes its time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_takes_longer_than_anybody_waits_is_finished_for_the_next_one() {
    let db = TestDb::new().await;
    let gate = Gate::closed();
    // Four turns at least.
    gate.open_slowly_to(&db.url(), Duration::from_millis(300));
    let app = Setup::on(&gate.before(&db.url()))
        .with("database-connect-timeout-ms", 1_000)
        .start()
        .await;
    let first = app.post_event(an_answer()).await;
    assert_eq!(first.status, 503, "{first:?}");
    eventually("an event is stored", PATIENCE, || async {
        app.post_event(an_answer()).await.status == 201
    })
    .await;
}
