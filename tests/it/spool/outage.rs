//! The server with a spool while no store takes events, and when one is back.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{a_directory, files};
use crate::harness::event::{a_publication, a_start, an_answer};
use crate::harness::topic::Running;
use crate::harness::{App, Gate, PATIENCE, Reply, Setup, TestDb, Topics, eventually};

/// A server with a spool, in front of stores that are away or not.
fn a_server(directory: &Path, database_url: &str) -> Setup {
    Setup::on(database_url).with("spool-dir", directory.display())
}

async fn is_drained(app: &App) {
    eventually("the spool is empty", PATIENCE, || async {
        app.get("/health").await.json()["spool"] == "empty"
    })
    .await;
}

async fn posts_a_batch(app: &App) -> (Value, [Value; 3]) {
    let events = [a_start(), a_publication().with_key("B"), an_answer()].map(|draft| draft.json());
    let mut sent = events.to_vec();
    sent.insert(1, an_answer().without("answer").json());
    let body = app.post_batch(sent).await.expect(201);
    (body, events)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_acknowledged_from_the_spool_and_stored_when_the_database_is_back() {
    let (db, directory, gate) = (TestDb::new().await, a_directory(), Gate::closed());
    let app = a_server(directory.path(), &gate.before(&db.url()))
        .start()
        .await;
    let health = app.get("/health").await.expect(200);
    let of_spool =
        |health: &Value| json!([health["status"], health["spool"], health["spool_events"]]);
    assert_eq!(of_spool(&health), json!(["degraded", "empty", 0]));

    let single = an_answer();
    let body = app.post_event_as(7, &single).await.expect(201);
    assert_eq!(body["mode"], "spool");
    assert_eq!(body["event_id"], single.id());
    let (body, events) = posts_a_batch(&app).await;
    assert_eq!(
        json!([body["mode"], body["processed_count"], body["total_events"]]),
        json!(["spool", 3, 4])
    );
    let results: Vec<_> = body["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| json!([result["status"], result["mode"]]))
        .collect();
    assert_eq!(
        results,
        [
            json!(["accepted", "spool"]),
            json!(["invalid", null]),
            json!(["accepted", "spool"]),
            json!(["accepted", "spool"])
        ]
    );
    let health = app.get("/health").await.expect(200);
    assert_eq!(of_spool(&health), json!(["degraded", "holding", 4]));
    assert!(health["spool_bytes"].as_u64().unwrap() > 0);
    assert_eq!(app.get("/readyz").await.status, 200);

    // The server is stopped and started with the database still away.
    app.stop().await;
    let accepted_before = time::OffsetDateTime::now_utc();
    let app = a_server(directory.path(), &gate.before(&db.url()))
        .start()
        .await;
    assert_eq!(app.get("/health").await.json()["spool_events"], 4);
    gate.open_to(&db.url());
    is_drained(&app).await;
    eventually("the server is healthy", PATIENCE, || async {
        of_spool(&app.get("/health").await.json()) == json!(["healthy", "empty", 0])
    })
    .await;
    assert!(files(directory.path(), ".spool").is_empty());

    let of_tenant = |tenant| format!("SELECT count(*) FROM answers WHERE tenant_id = {tenant}");
    assert_eq!(db.number(&of_tenant(7)).await, 1);
    assert_eq!(db.number(&of_tenant(1)).await, 1);
    assert_eq!(db.number("SELECT count(*) FROM publications").await, 1);
    assert_eq!(db.number("SELECT count(*) FROM session_events").await, 1);
    let received: Vec<time::OffsetDateTime> = sqlx::query_scalar("SELECT received_at FROM answers")
        .fetch_all(&db.pool)
        .await
        .unwrap();
    assert!(
        received.iter().all(|at| *at < accepted_before),
        "{received:?}"
    );
    // A copy that comes later is known.
    for event in events {
        let body = app.post_event(event).await.expect(201);
        assert_eq!(
            json!([body["mode"], body["duplicate"]]),
            json!(["direct", true])
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_kafka_back_first_the_topic_gets_the_records_that_it_would_have_got() {
    let (db, topics, directory) = (TestDb::new().await, Topics::new().await, a_directory());
    let (database, broker) = (Gate::closed(), Gate::closed());
    let database_url = database.before(&db.url());
    let app = a_server(directory.path(), &database_url)
        .with("kafka-enabled", true)
        .with("kafka-brokers", broker.address())
        .with("kafka-produce-deadline-ms", 300)
        .start()
        .await;
    let (body, events) = posts_a_batch(&app).await;
    assert_eq!(body["mode"], "spool");
    app.stop().await;

    let app = a_server(directory.path(), &database_url)
        .through(&topics)
        .start()
        .await;
    is_drained(&app).await;
    let records = topics.records().await;
    let mut drained = BTreeSet::new();
    for located in &records {
        let record = &located.record;
        let value: Value = serde_json::from_slice(record.payload.as_deref().unwrap()).unwrap();
        assert_eq!(
            record.key.as_deref(),
            value["session_id"].as_str().map(str::as_bytes)
        );
        assert_eq!(
            json!([value["user_id"], value["tenant_id"]]),
            json!([4711, 1])
        );
        drained.insert(value["payload"]["event_id"].as_str().unwrap().to_owned());
    }
    let posted: BTreeSet<_> = events
        .iter()
        .map(|event| event["event_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(drained, posted);
    let consumer = Running::start(&topics, &db.url());
    topics.drained(PATIENCE).await;
    assert_eq!(db.number("SELECT count(*) FROM answers").await, 1);
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_spool_answers_503_and_has_room_again_when_it_is_drained() {
    let (db, directory, gate) = (TestDb::new().await, a_directory(), Gate::closed());
    let app = a_server(directory.path(), &gate.before(&db.url()))
        .with("spool-bytes-max", 256 * 1024)
        .start()
        .await;
    let mut accepted = 0;
    let refused = loop {
        let reply = app.post_batch((0..50).map(|_| an_answer().json())).await;
        if reply.status == 503 {
            break reply;
        }
        assert_eq!(reply.expect(201)["mode"], "spool");
        accepted += 50;
        assert!(accepted < 10_000, "it is never full");
    };
    assert!(accepted >= 100, "{accepted}");
    assert!(refused.header("retry-after").is_some());
    let refused = app
        .post_event(an_answer().saying(&"x".repeat(100_000)))
        .await;
    refused.refuses(503, "unavailable", None);
    assert_eq!(refused.header("retry-after"), Some("1"));
    let on_disk = files(directory.path(), ".spool");
    let on_disk: u64 = on_disk
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .sum();
    assert!(on_disk <= 256 * 1024, "{on_disk}");
    assert_eq!(app.get("/readyz").await.status, 503);

    gate.open_to(&db.url());
    is_drained(&app).await;
    assert_eq!(db.number("SELECT count(*) FROM answers").await, accepted);
    gate.close();
    eventually("it spools again", PATIENCE, || async {
        app.post_event(an_answer()).await.expect(201)["mode"] == "spool"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_no_store_takes_is_kept_aside_and_holds_up_nothing() {
    let (db, directory, gate) = (TestDb::new().await, a_directory(), Gate::closed());
    db.execute("CREATE INDEX too_short ON answers (answer)")
        .await;
    let app = a_server(directory.path(), &gate.before(&db.url()))
        .start()
        .await;
    let text: String = (0..200_000).map(|_| fastrand::alphanumeric()).collect();
    let bad = an_answer().saying(&text);
    for event in [&an_answer(), &bad, &an_answer()] {
        assert_eq!(app.post_event(event).await.expect(201)["mode"], "spool");
    }
    // A record that is no event, as only another program could have left it.
    app.stop().await;
    {
        let (spool, _reader) =
            analytics_ingestor::spool::Spool::open(directory.path(), super::ROOMY).unwrap();
        spool.append(vec![b"\xffno event".to_vec()]).await.unwrap();
        spool.close().await;
    }
    gate.open_to(&db.url());
    let app = a_server(directory.path(), &gate.before(&db.url()))
        .start()
        .await;
    is_drained(&app).await;
    assert_eq!(db.number("SELECT count(*) FROM answers").await, 2);

    let kept = std::fs::read_to_string(directory.path().join("rejected.ndjson")).unwrap();
    let lines: Vec<Value> = kept
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let codes: BTreeSet<_> = lines
        .iter()
        .map(|line| line["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        BTreeSet::from(["malformed_envelope", "not_storable"])
    );
    let line = lines
        .iter()
        .find(|line| line["code"] == "not_storable")
        .unwrap();
    assert!(line["reason"].as_str().unwrap().contains("54000"));
    // What is kept can be posted again once the cause is mended.
    db.execute("DROP INDEX too_short").await;
    assert_eq!(line["record"]["payload"]["event_id"], bad.id());
    app.post_event(line["record"]["payload"].clone())
        .await
        .expect(201);
    assert_eq!(db.number("SELECT count(*) FROM answers").await, 3);
}

/// New events need not wait for old ones: what arrives while the spool is drained goes the usual way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_and_new_events_of_one_session_end_as_one() {
    let (db, directory, gate) = (TestDb::new().await, a_directory(), Gate::closed());
    let app = a_server(directory.path(), &gate.before(&db.url()))
        .start()
        .await;
    let session = Uuid::new_v4();
    let batch = || {
        (0..200)
            .map(|_| an_answer().in_session(session).json())
            .collect::<Vec<_>>()
    };
    for _ in 0..5 {
        app.post_batch(batch()).await.expect(201);
    }
    gate.open_to(&db.url());
    let mut modes = BTreeSet::new();
    for _ in 0..5 {
        let body = Reply::of(app.batch(1).json(&batch())).await.expect(201);
        modes.insert(body["mode"].as_str().unwrap().to_owned());
    }
    is_drained(&app).await;
    assert_eq!(db.number("SELECT count(*) FROM answers").await, 2_000);
    assert_eq!(db.number("SELECT count(*) FROM sessions").await, 1);
}
