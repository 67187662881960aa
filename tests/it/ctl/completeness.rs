//! `ctl completeness`: every record is in one class, whatever happens on the way, and a skipped one shows as one.

use serde_json::{Value, json};

use super::Ran;
use super::kafka::asking;
use crate::harness::client::Client;
use crate::harness::event::an_answer;
use crate::harness::private::RECOVERY;
use crate::harness::program::Launch;
use crate::harness::samples::Samples;
use crate::harness::{App, PATIENCE, TestDb, Topics, eventually};

async fn ask(db: &TestDb, topics: &Topics) -> Ran {
    asking(topics, ["completeness"]).on(db).run().await
}

fn consumer(db: &TestDb, topics: &Topics) -> Launch {
    Launch::consumer(&db.url(), topics)
        .with("KAFKA_BATCH_RECORDS_MAX", "20")
        .with("KAFKA_BATCH_AGE_MS", "1")
        .with("COMPLETENESS_INTERVAL_MS", "200")
}

/// Lets a consumer read to the end.
async fn drain(db: &TestDb, topics: &Topics) {
    let mut consumer = consumer(db, topics).start().await;
    topics.drained(RECOVERY).await;
    consumer.signal("TERM");
    assert!(consumer.ended(PATIENCE).await.success());
}

async fn post_by_kafka(client: &Client, events: &[Value]) {
    let body = client.post_batch(events.iter().cloned()).await.expect(201);
    assert_eq!(
        (&body["mode"], &body["processed_count"]),
        (&json!("kafka"), &json!(events.len()))
    );
}

/// Whether each minute adds up, and the minutes to the whole.
#[track_caller]
fn assert_it_adds_up(answer: &Value) {
    let sum_of = |count: &Value| -> i64 {
        ["stored", "dead_lettered", "in_flight", "missing"]
            .iter()
            .map(|class| count[class].as_i64().unwrap())
            .sum()
    };
    let minutes = answer["minutes"].as_array().unwrap();
    for count in minutes.iter().chain([&answer["total"]]) {
        assert_eq!(count["accepted"], sum_of(count), "{answer:#}");
    }
    for class in [
        "accepted",
        "stored",
        "dead_lettered",
        "in_flight",
        "missing",
    ] {
        let sum: i64 = minutes.iter().map(|m| m[class].as_i64().unwrap()).sum();
        assert_eq!(answer["total"][class], sum, "{class}: {answer:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_is_accounted_for_through_duplicates_poison_a_kill_a_replay_and_a_skip() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    let app = App::by_kafka(&db, &topics).await;
    let events: Vec<Value> = (0..2_000).map(|_| an_answer().json()).collect();
    post_by_kafka(&app, &events).await;
    for n in 0..5 {
        topics.produce(&format!("key-{n}"), "no event").await;
    }
    // Copies are records of their own.
    post_by_kafka(&app, &events).await;

    let mut killed = consumer(&db, &topics).start().await;
    eventually("a part is stored", RECOVERY, || async {
        db.number("SELECT count(*) FROM answers").await > 500
    })
    .await;
    killed.signal("KILL");
    killed.ended(PATIENCE).await;
    let midway = ask(&db, &topics).await.answers(0);
    assert_it_adds_up(&midway);
    assert_eq!(midway["total"]["accepted"], 4_005, "{midway:#}");
    assert!(
        midway["total"]["in_flight"].as_i64() > Some(0),
        "{midway:#}"
    );

    let whole = json!({"accepted": 4_005, "stored": 4_000, "dead_lettered": 5, "in_flight": 0, "missing": 0});
    drain(&db, &topics).await;
    let drained = ask(&db, &topics).await.answers(0);
    assert_it_adds_up(&drained);
    assert_eq!(drained["total"], whole, "{drained:#}");
    assert_eq!(db.number("SELECT count(*) FROM answers").await, 2_000);

    topics
        .reset_offsets(&topics.events, &["--to-earliest"])
        .await;
    drain(&db, &topics).await;
    let replayed = ask(&db, &topics).await.answers(0);
    // The dead letters were written a second time; they are the same records.
    assert_eq!(replayed["total"], whole, "{replayed:#}");

    let skipped = an_answer();
    post_by_kafka(&app, &[skipped.json()]).await;
    let lags = topics
        .inspector()
        .lag(&topics.group, &topics.events)
        .await
        .unwrap();
    let behind = lags.iter().find(|lag| lag.lag == 1).unwrap();
    let part = format!("{}:{}", topics.events, behind.partition);
    topics.reset_offsets(&part, &["--shift-by", "1"]).await;
    let skipping = ask(&db, &topics).await.answers(1);
    assert_it_adds_up(&skipping);
    assert_eq!(
        skipping["total"],
        json!({"accepted": 4_006, "stored": 4_000, "dead_lettered": 5, "in_flight": 0, "missing": 1}),
        "{skipping:#}"
    );
    let missing = &skipping["missing"];
    assert_eq!(missing.as_array().unwrap().len(), 1, "{skipping:#}");
    assert_eq!(
        (
            &missing[0]["event_id"],
            &missing[0]["partition"],
            &missing[0]["offset"]
        ),
        (
            &json!(skipped.id()),
            &json!(behind.partition),
            &json!(behind.high - 1)
        )
    );
    let mut watching = consumer(&db, &topics).start().await;
    let is_missing = r#"ingestor_completeness_records{state="missing"}"#;
    eventually("the metrics show it", PATIENCE, || async {
        let samples = Samples::of(watching.client()).await;
        samples.find(is_missing) == Some(1.0)
    })
    .await;
    let named = |line: &String| line.contains(&skipped.id()) && line.contains("is missing");
    eventually("the log names it", PATIENCE, || async {
        watching.log().iter().any(named)
    })
    .await;
    watching.signal("TERM");
    assert!(watching.ended(PATIENCE).await.success());

    topics.reset_offsets(&part, &["--shift-by", "-1"]).await;
    drain(&db, &topics).await;
    let mended = ask(&db, &topics).await.answers(0);
    assert_it_adds_up(&mended);
    assert_eq!(mended["total"]["stored"], 4_001, "{mended:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_older_than_the_group_misses_what_it_lacks_until_it_is_read_again() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    let app = App::by_kafka(&db, &topics).await;
    let events: Vec<Value> = (0..100).map(|_| an_answer().json()).collect();
    post_by_kafka(&app, &events).await;
    drain(&db, &topics).await;

    let restored = TestDb::new().await;
    let found = ask(&restored, &topics).await.answers(1);
    assert_eq!(found["total"]["missing"], 100, "{found:#}");
    assert_eq!(found["missing"].as_array().unwrap().len(), 100, "{found:#}");

    // Beside the group, into a database that it has never written to.
    let replayed = TestDb::new().await;
    let ran = asking(&topics, ["replay", "--all"]).on(&replayed).run();
    ran.await.exits(0);
    let mended = ask(&replayed, &topics).await.answers(0);
    assert_eq!(mended["total"]["stored"], 100, "{mended:#}");

    topics
        .reset_offsets(&topics.events, &["--to-earliest"])
        .await;
    drain(&restored, &topics).await;
    let mended = ask(&restored, &topics).await.answers(0);
    assert_eq!(mended["total"]["stored"], 100, "{mended:#}");
}
