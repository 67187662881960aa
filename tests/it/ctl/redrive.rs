//! `ctl dlq redrive`: everything comes back once, whatever interrupts it, and what cannot be mended does not go round.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_toolkit::Message;
use kafka_toolkit::dead_letter::REDRIVES;
use serde_json::Value;

use super::kafka::{ask, asking};
use crate::harness::event::{an_answer, envelope};
use crate::harness::topic::{Running, Topics};
use crate::harness::wait::eventually;
use crate::harness::{PATIENCE, TestDb};

const REFUSE: &str =
    "ALTER TABLE answers ADD CONSTRAINT no_poison CHECK (answer NOT LIKE 'poison%')";
/// As a deploy does that mends the fault.
const MEND: &str = "ALTER TABLE answers DROP CONSTRAINT no_poison";
const ANSWERS: &str = "SELECT count(*) FROM answers";

async fn redrive(topics: &Topics, arguments: &[&str]) -> Value {
    let arguments = ["dlq", "redrive"].iter().chain(arguments).copied();
    ask(topics, arguments).await.answers(0)
}

async fn consume(topics: &Topics, db: &TestDb) {
    let consumer = Running::start(topics, &db.url());
    topics.drained(PATIENCE).await;
    consumer.stop().await;
}

async fn send(topics: &Topics, topic: &str, messages: Vec<Message>) {
    for answer in topics.producer().send_all(topic, messages).await {
        answer.expect("the broker acknowledges");
    }
}

fn answer(text: &str) -> Bytes {
    envelope(&an_answer().saying(text).json())
}

/// An event with headers of its own.
fn message(key: &str, payload: Bytes) -> Message {
    Message::builder(key.to_owned())
        .payload(payload)
        .header("trace", "kept")
        .build()
        .expect("the message has a key")
}

/// A dead letter as the consumer writes one.
fn dead_letter(topics: &Topics, name: &'static str, payload: Bytes) -> Message {
    Message::builder("some-session")
        .payload(payload)
        .header("dlq.original.topic", topics.events.clone())
        .header("dlq.original.partition", "0")
        .header("dlq.original.offset", "0")
        .header("dlq.error.class", "permanent")
        .header("dlq.error.name", name)
        .header("dlq.error.message", "a test")
        .header("dlq.attempts", "1")
        .header("dlq.failed_at", "2025-06-20T12:00:00Z")
        .build()
        .expect("the message has a key")
}

async fn with_dead_letters(name: &'static str, text: &str, count: usize) -> Topics {
    let topics = Topics::new().await;
    let letters = (0..count).map(|_| dead_letter(&topics, name, answer(text)));
    send(&topics, &topics.dead_letters, letters.collect()).await;
    topics
}

/// How often each payload stands in the topic of events.
async fn copies(topics: &Topics) -> BTreeMap<Bytes, usize> {
    let mut copies = BTreeMap::new();
    for located in topics.records().await {
        let payload = located.record.payload.expect("every record has a payload");
        *copies.entry(payload).or_default() += 1;
    }
    copies
}

#[tokio::test]
async fn all_dead_letters_come_back_once_what_they_failed_for_is_mended() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    db.execute(REFUSE).await;
    let messages = (0..400).map(|n| {
        let text = if n % 8 == 3 { "poison" } else { "B" };
        message(&format!("session-{}", n % 5), answer(text))
    });
    send(&topics, &topics.events, messages.collect()).await;
    consume(&topics, &db).await;
    assert_eq!(db.number(ANSWERS).await, 350);

    let planned = redrive(&topics, &["--dry-run"]).await;
    assert_eq!(planned["would_redrive"], 50, "{planned}");
    let kinds = planned["histogram"].as_array().unwrap();
    let counts: i64 = kinds.iter().filter_map(|kind| kind["count"].as_i64()).sum();
    assert_eq!(counts, 50, "{planned}");
    assert_eq!(kinds[0]["error_name"], "not_storable", "{planned}");
    assert_eq!(
        topics.records().await.len(),
        400,
        "a dry run writes nothing"
    );

    db.execute(MEND).await;
    let done = redrive(&topics, &[]).await;
    assert_eq!(done["redriven"], 50, "{done}");
    consume(&topics, &db).await;
    assert_eq!(db.number(ANSWERS).await, 400);
    let of_poison = "SELECT count(*) FROM answers WHERE answer = 'poison'";
    assert_eq!(db.number(of_poison).await, 50);

    let records = topics.records().await;
    let redriven = |record: &kafka_toolkit::Record| record.headers.get(REDRIVES).is_some();
    for back in records.iter().filter(|located| redriven(&located.record)) {
        let same = |other: &&kafka_toolkit::inspect::Located| {
            !redriven(&other.record) && other.record.payload == back.record.payload
        };
        let original = records.iter().find(same).expect("it was there before");
        assert_eq!(back.partition, original.partition);
        assert_eq!(back.record.key, original.record.key);
        let headers: Vec<_> = back.record.headers.iter().collect();
        let (counter, others) = headers.split_last().unwrap();
        assert_eq!(others, original.record.headers.iter().collect::<Vec<_>>());
        assert_eq!(counter.value.as_deref(), Some(&b"1"[..]));
    }

    let again = redrive(&topics, &[]).await;
    assert_eq!(
        (&again["redriven"], &again["already"]),
        (&0.into(), &50.into())
    );
    assert_eq!(topics.records().await.len(), 450);
}

#[tokio::test]
async fn what_a_filter_leaves_out_waits_for_a_later_call() {
    let topics = Topics::new().await;
    let letters = (0..40).map(|n| {
        let name = ["odd", "even", "rare"][if n % 13 == 0 { 2 } else { n % 2 }];
        dead_letter(&topics, name, answer("B"))
    });
    send(&topics, &topics.dead_letters, letters.collect()).await;
    let even = redrive(&topics, &["--name", "even"]).await;
    assert_eq!(even["redriven"], 18, "{even}");
    assert_eq!(even["left_out"], 22, "{even}");
    let pending = ask(&topics, ["dlq", "list", "--state", "pending"]).await;
    assert_eq!(pending.answers(0)["matching"], 22);

    let some = redrive(&topics, &["--limit", "10", "--name", "odd"]).await;
    assert_eq!(
        (&some["redriven"], &some["already"]),
        (&10.into(), &18.into())
    );
    let even_again = redrive(&topics, &["--name", "even"]).await;
    assert_eq!(even_again["redriven"], 0, "{even_again}");
    let rest = redrive(&topics, &[]).await;
    assert_eq!(
        (&rest["redriven"], &rest["already"]),
        (&12.into(), &28.into())
    );
    let copies = copies(&topics).await;
    assert_eq!(copies.len(), 40);
    assert!(copies.values().all(|&count| count == 1), "{copies:?}");
}

#[tokio::test]
async fn a_record_that_fails_after_every_redrive_is_quarantined_after_the_third() {
    let db = TestDb::new().await;
    db.execute(REFUSE).await;
    let topics = with_dead_letters("not_storable", "poison", 3).await;
    for round in 1..=3 {
        let done = redrive(&topics, &[]).await;
        assert_eq!(done["redriven"], 3, "round {round}: {done}");
        consume(&topics, &db).await;
        let latest = ask(&topics, ["dlq", "list", "--limit", "3"]).await;
        let latest = latest.answers(0);
        for letter in latest["dead_letters"].as_array().unwrap() {
            assert_eq!(letter["redrives"], round, "{latest}");
        }
    }
    let none = redrive(&topics, &[]).await;
    assert_eq!(
        (&none["redriven"], &none["quarantined"]),
        (&0.into(), &3.into())
    );
    let listed = ask(&topics, ["dlq", "list", "--state", "quarantined"]).await;
    assert_eq!(listed.answers(0)["matching"], 3);
    let planned = redrive(&topics, &["--dry-run"]).await;
    assert_eq!(planned["would_redrive"], 0, "{planned}");

    db.execute(MEND).await;
    let done = redrive(&topics, &["--include-quarantined"]).await;
    assert_eq!(done["redriven"], 3, "{done}");
    consume(&topics, &db).await;
    assert_eq!(db.number(ANSWERS).await, 3);
    let again = redrive(&topics, &["--include-quarantined"]).await;
    assert_eq!(again["redriven"], 0, "{again}");
}

#[tokio::test]
async fn a_killed_redrive_is_gone_on_with_and_doubles_at_most_a_batch() {
    const LETTERS: usize = 700;
    let db = TestDb::new().await;
    let topics = with_dead_letters("not_storable", "B", LETTERS).await;
    let mut killed = asking(&topics, ["dlq", "redrive", "--rate", "200"]).start();
    eventually("a part is back", PATIENCE, async || {
        topics.records().await.len() >= 150
    })
    .await;
    killed.kill();
    assert_eq!(killed.end().await.code, None);
    let before = topics.records().await.len();
    assert!(before < LETTERS, "it was killed too late: {before}");

    let rest = redrive(&topics, &[]).await;
    let (redriven, already) = (&rest["redriven"], &rest["already"]);
    let sum = redriven.as_u64().unwrap() + already.as_u64().unwrap();
    assert_eq!(sum, LETTERS as u64, "{rest}");
    assert!(already.as_u64().unwrap() > 0, "{rest}");
    let copies = copies(&topics).await;
    assert_eq!(copies.len(), LETTERS, "not one is missing");
    let doubles = copies.values().filter(|&&count| count > 1).count();
    assert!(doubles <= 128, "{doubles}");
    assert!(copies.values().all(|&count| count <= 2));
    consume(&topics, &db).await;
    assert_eq!(db.number(ANSWERS).await, LETTERS as i64);
}

#[tokio::test]
async fn an_interrupted_redrive_ends_at_a_confirmed_point() {
    const LETTERS: usize = 600;
    let topics = with_dead_letters("not_storable", "B", LETTERS).await;
    let started = asking(&topics, ["dlq", "redrive", "--rate", "100"]).start();
    eventually("a part is back", PATIENCE, async || {
        topics.records().await.len() >= 50
    })
    .await;
    started.interrupt();
    let ran = started.end().await;
    let stopped = ran.answers(1);
    let obstacle = stopped["obstacle"].as_str().unwrap();
    assert!(obstacle.contains("told to stop"), "{stopped}");
    let first = stopped["redriven"].as_u64().unwrap();
    assert_eq!(topics.records().await.len() as u64, first, "{stopped}");
    let rest = redrive(&topics, &[]).await;
    assert_eq!(rest["redriven"].as_u64().unwrap() + first, LETTERS as u64);
    let copies = copies(&topics).await;
    assert_eq!(copies.len(), LETTERS);
    assert!(copies.values().all(|&count| count == 1));
}

#[tokio::test]
async fn a_redrive_ends_by_itself_when_the_records_come_back_as_dead_letters() {
    let db = TestDb::new().await;
    db.execute(REFUSE).await;
    let topics = with_dead_letters("not_storable", "poison", 500).await;
    let consumer = Running::start(&topics, &db.url());
    let ran = ask(&topics, ["dlq", "redrive", "--rate", "50"]).await;
    let ended = ran.answers(1);
    consumer.stop().await;
    let obstacle = ended["obstacle"].as_str().unwrap();
    assert!(obstacle.contains("dead letters again"), "{ended}");
    assert!(ended["returned"].as_u64().unwrap() >= 20, "{ended}");
    assert!(ended["redriven"].as_u64().unwrap() < 500, "{ended}");
}

#[tokio::test]
async fn a_letter_of_a_topic_that_does_not_exist_stays_and_is_told() {
    let mut topics = Topics::new().await;
    let events = std::mem::replace(&mut topics.events, "it-no-such-topic".to_owned());
    let letter = dead_letter(&topics, "not_storable", answer("B"));
    topics.events = events;
    send(&topics, &topics.dead_letters, vec![letter]).await;
    let own = Message::builder("k").payload("v").build().unwrap();
    send(&topics, &topics.dead_letters, vec![own]).await;
    let ran = ask(&topics, ["dlq", "redrive"]).await;
    let ended = ran.answers(1);
    assert_eq!(ended["redriven"], 0, "{ended}");
    assert!(ended["obstacle"].is_string(), "{ended}");
    let pending = ask(&topics, ["dlq", "list", "--state", "pending"]).await;
    assert_eq!(pending.answers(0)["matching"], 1);
}
