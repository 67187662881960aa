//! `ctl brake`. A deploy that makes every record poison: the brake keeps the topic out of the dead letters, and nothing is lost.

use std::collections::BTreeMap;

use kafka_toolkit::{DeadLetter, Message};
use serde_json::json;

use super::kafka::ask;
use crate::harness::event::{an_answer, envelope};
use crate::harness::program::{Launch, Program};
use crate::harness::wait::eventually;
use crate::harness::{PATIENCE, TestDb, Topics};

const EACH: i64 = 1_200;
const PARTITIONS: i64 = 3;
const ANSWERS: &str = "SELECT count(*) FROM answers";

/// A topic that is full, and a database that refuses every event of it as a bad deploy would.
async fn bad_deploy() -> (TestDb, Topics) {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    db.execute("ALTER TABLE answers ADD CONSTRAINT bad_deploy CHECK (false) NOT VALID")
        .await;
    let mut filled = BTreeMap::<i32, i64>::new();
    for key in (0..).map(|n| format!("session-{n}")) {
        let message = || {
            let event = envelope(&an_answer().json());
            Message::builder(key.clone()).payload(event).build()
        };
        let first = message().expect("it has a key");
        let sent = topics.producer().send(&topics.events, first).await;
        let count = filled
            .entry(sent.expect("the broker acknowledges").partition)
            .or_default();
        let missing = (EACH - *count - 1).max(0);
        *count += 1 + missing;
        let messages = (0..missing).map(|_| message().expect("it has a key"));
        for answer in topics
            .producer()
            .send_all(&topics.events, messages.collect())
            .await
        {
            answer.expect("the broker acknowledges");
        }
        if filled.len() as i64 == PARTITIONS {
            break;
        }
    }
    (db, topics)
}

async fn braked(consumer: &Program) -> usize {
    let ready = consumer.client().get("/readyz").await;
    // A consumer that is still on its way into the group is not ready; one with a brake on is.
    let has_partitions = ready.json()["partitions"] != serde_json::json!([]);
    assert!(!has_partitions || ready.status == 200, "{ready:?}");
    ready.json()["braked"].as_array().expect("a list").len()
}

/// Waits for all brakes, and checks that they came in time.
async fn assert_brakes_in_time(consumer: &Program, topics: &Topics) {
    eventually("every partition is paused", PATIENCE, async || {
        braked(consumer).await as i64 == PARTITIONS
    })
    .await;
    let mut dead = BTreeMap::<i32, i64>::new();
    for located in topics.dead_letters().await {
        let letter = DeadLetter::from_record(&located.record).expect("it is a dead letter");
        *dead.entry(letter.partition).or_default() += 1;
    }
    assert_eq!(dead.len() as i64, PARTITIONS, "{dead:?}");
    assert!(dead.values().all(|&count| count <= 1_000), "{dead:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_deploy_trips_the_brake_and_a_command_and_a_redrive_bring_everything_back() {
    let (db, topics) = bad_deploy().await;
    let in_all = topics.lag().await;
    let consumer = Launch::consumer(&db.url(), &topics)
        // Nothing happens by itself.
        .with("KAFKA_DLQ_PROBE_MS", "3600000")
        .start()
        .await;
    assert_brakes_in_time(&consumer, &topics).await;
    let ready = consumer.client().get("/readyz").await.json();
    let brake = &ready["partitions"][0]["brake"];
    assert_eq!(brake["error_name"], "not_storable", "{ready}");
    assert!(brake["since"].is_string() && brake["next_probe"].is_string());
    let metrics = consumer.client().get("/metrics").await.text;
    let braked_lines = metrics
        .lines()
        .filter(|line| line.starts_with("ingestor_kafka_consumer_braked{") && line.ends_with(" 1"));
    assert_eq!(braked_lines.count() as i64, PARTITIONS, "{metrics}");
    let log = consumer.log();
    let said = log
        .iter()
        .filter(|line| line.contains("the partition is paused"));
    assert_eq!(said.count() as i64, PARTITIONS, "{log:#?}");
    assert_eq!(db.number(ANSWERS).await, 0);

    let dead = topics.dead_letters().await.len() as i64;
    eventually(
        "the offsets follow the dead letters",
        PATIENCE,
        async || topics.lag().await == in_all - dead,
    )
    .await;
    let held_back = in_all - dead;
    let url = consumer.client().base().to_owned();
    let shown = ask(&topics, ["brake", "show", "--consumer-url", &url]).await;
    let shown = shown.answers(0);
    assert!(shown["partitions"][2]["brake"]["held_back"].as_i64() > Some(0));
    let redrive = ["dlq", "redrive"];
    ask(&topics, redrive.into_iter().chain(["--consumer-url", &url]))
        .await
        .fails_saying("the brake is on for");
    assert_eq!(topics.lag().await, held_back, "nothing was put back");
    let partition = ["--partition", "77"];
    let release = ["brake", "release", "--consumer-url", &url];
    let nothing = ask(&topics, release.into_iter().chain(partition)).await;
    assert_eq!(nothing.answers(1)["released"], json!([]));

    db.execute("ALTER TABLE answers DROP CONSTRAINT bad_deploy")
        .await;
    let released = ask(&topics, release).await.answers(0);
    assert_eq!(released["released"].as_array().map(Vec::len), Some(3));
    topics.drained(PATIENCE).await;
    let dead = topics.dead_letters().await.len() as i64;
    assert_eq!(db.number(ANSWERS).await, in_all - dead);
    let redriven = ask(&topics, redrive.into_iter().chain(["--consumer-url", &url])).await;
    let redriven = redriven.answers(0);
    assert_eq!(redriven["redriven"], dead, "{redriven}");
    topics.drained(PATIENCE).await;
    assert_eq!(db.number(ANSWERS).await, in_all, "everything came back");
    assert_eq!(braked(&consumer).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_is_paused_goes_on_by_itself_once_the_fault_is_mended() {
    let (db, topics) = bad_deploy().await;
    let in_all = topics.lag().await;
    let consumer = Launch::consumer(&db.url(), &topics)
        .with("KAFKA_DLQ_PROBE_MS", "500")
        .start()
        .await;
    assert_brakes_in_time(&consumer, &topics).await;
    db.execute("ALTER TABLE answers DROP CONSTRAINT bad_deploy")
        .await;
    topics.drained(PATIENCE).await;
    eventually("no brake is on", PATIENCE, async || {
        braked(&consumer).await == 0
    })
    .await;
    let dead = topics.dead_letters().await.len() as i64;
    assert_eq!(db.number(ANSWERS).await, in_all - dead);
    let log = consumer.log();
    assert!(
        log.iter()
            .any(|line| line.contains("the partition goes on"))
    );
}

#[tokio::test]
async fn the_brake_is_released_by_nobody_who_does_not_say_so_in_json() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    let consumer = Launch::consumer(&db.url(), &topics).start().await;
    let request = |body: &'static str| {
        let post = reqwest::Method::POST;
        consumer.client().request(post, "/brake/release").body(body)
    };
    // As a page in a browser on the same machine could send it.
    let form = request("{}").send().await.unwrap();
    assert_eq!(form.status(), 415);
    let json = request("{}").header("content-type", "application/json");
    let answer = json.send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), r#"{"released":[]}"#);
    let broken = request("{").header("content-type", "application/json");
    assert_eq!(broken.send().await.unwrap().status(), 400);
}
