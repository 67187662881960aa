//! `ctl dlq list` and `ctl dlq show`.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::kafka::ask;
use crate::harness::event::an_answer;
use crate::harness::topic::{Running, Topics};
use crate::harness::{PATIENCE, TestDb};

/// Lets a consumer make dead letters of what is in the topic.
async fn consume(topics: &Topics, db: &TestDb) {
    let consumer = Running::start(topics, &db.url());
    topics.drained(PATIENCE).await;
    consumer.stop().await;
}

async fn list(topics: &Topics, filters: &[&str]) -> Value {
    let arguments = ["dlq", "list"].into_iter().chain(filters.iter().copied());
    ask(topics, arguments).await.answers(0)
}

#[tokio::test]
async fn dead_letters_are_listed_with_their_origin_and_reason_newest_last() {
    let topics = Topics::new().await;
    let none = list(&topics, &[]).await;
    assert_eq!((&none["total"], &none["matching"]), (&json!(0), &json!(0)));

    for payload in ["first", "second", "third"] {
        topics.produce("one-key", payload).await;
    }
    consume(&topics, &TestDb::new().await).await;

    let listed = list(&topics, &["--limit", "2"]).await;
    assert_eq!(listed["total"], 3, "{listed}");
    assert_eq!(listed["matching"], 3, "{listed}");
    let letters = listed["dead_letters"].as_array().unwrap();
    let bytes: Vec<_> = letters
        .iter()
        .map(|letter| letter["payload_bytes"].as_i64())
        .collect();
    assert_eq!(bytes, [Some(6), Some(5)], "{listed}");
    let newest = &letters[1];
    assert_eq!(newest["original_topic"], topics.events.as_str(), "{listed}");
    assert_eq!(newest["original_offset"], 2, "{listed}");
    assert_eq!(newest["error_class"], "permanent", "{listed}");
    assert_eq!(newest["error_name"], "malformed_envelope", "{listed}");
    assert_eq!(newest["attempts"], 1, "{listed}");
    assert_eq!(newest["redrives"], 0, "{listed}");
}

#[tokio::test]
async fn filters_narrow_the_list_and_the_counts() {
    let topics = Topics::new().await;
    let db = TestDb::new().await;
    topics.produce("a", "{broken").await;
    topics.produce("a", "{broken too").await;
    topics.produce("b", r#"{"payload":5}"#).await;
    consume(&topics, &db).await;
    let all = list(&topics, &[]).await;
    let letters = all["dead_letters"].as_array().unwrap();
    let last = letters.last().unwrap()["time"].as_str().unwrap();
    let behind = OffsetDateTime::parse(last, &Rfc3339).unwrap() + time::Duration::MILLISECOND;
    let between = behind.format(&Rfc3339).unwrap();
    topics.produce("a", "{broken later").await;
    consume(&topics, &db).await;

    let counted = async |filters: &[&str]| list(&topics, filters).await["matching"].clone();
    assert_eq!(counted(&[]).await, 4);
    assert_eq!(counted(&["--name", "malformed_envelope"]).await, 3);
    assert_eq!(counted(&["--name", "not_an_object"]).await, 1);
    let both = ["--name", "not_an_object", "--name", "malformed_envelope"];
    assert_eq!(counted(&both).await, 4);
    assert_eq!(counted(&["--class", "permanent"]).await, 4);
    assert_eq!(counted(&["--class", "transient"]).await, 0);
    assert_eq!(counted(&["--from", &between]).await, 1);
    assert_eq!(counted(&["--to", &between]).await, 3);
    assert_eq!(counted(&["--to", "2020-01-01T00:00:00Z"]).await, 0);
    assert_eq!(counted(&["--from", "2999-01-01T00:00:00Z"]).await, 0);
    assert_eq!(counted(&["--partition", "0"]).await, 4);
    assert_eq!(counted(&["--partition", "1"]).await, 0);
    let came_from = &letters[0]["original_partition"];
    let origin = came_from.to_string();
    let there = counted(&["--original-partition", &origin]).await;
    let all = list(&topics, &[]).await;
    let from_there = |letter: &&Value| letter["original_partition"] == *came_from;
    let letters = all["dead_letters"].as_array().unwrap();
    assert_eq!(there, letters.iter().filter(from_there).count());

    let most = &all["summary"][0];
    assert_eq!(most["error_name"], "malformed_envelope", "{all}");
    assert_eq!(most["count"], 3, "{all}");
    let counts = all["summary"].as_array().unwrap().iter();
    let counts: i64 = counts.filter_map(|kind| kind["count"].as_i64()).sum();
    assert_eq!(counts, 4, "{all}");
}

#[tokio::test]
async fn one_dead_letter_is_shown_wholly_and_cannot_steer_the_terminal() {
    let topics = Topics::new().await;
    let payload = json!({"payload": an_answer().with("event_type", json!("\u{1b}[2J")).json()});
    topics
        .produce("the-key", format!("\u{1b}[2J{payload}"))
        .await;
    topics.produce("the-key", &b"\xff\x00{"[..]).await;
    consume(&topics, &TestDb::new().await).await;

    let text = ask(&topics, ["dlq", "show", "0/0"]).await.answers(0);
    let expected = format!("\u{1b}[2J{payload}");
    assert_eq!(text["payload"]["text"], expected, "{text}");
    assert_eq!(text["key_bytes"]["text"], "the-key", "{text}");
    assert_eq!(text["error_name"], "malformed_envelope", "{text}");
    let headers = text["headers"].as_array().unwrap();
    let header = |name: &str| headers.iter().find(|header| header["name"] == name);
    let origin = header("dlq.original.topic").unwrap();
    assert_eq!(origin["value"]["text"], topics.events.as_str(), "{text}");
    let bytes = ask(&topics, ["dlq", "show", "0", "1"]).await.answers(0);
    assert_eq!(bytes["payload"]["hex"], "ff007b", "{bytes}");

    let shown = super::Ctl::new(["dlq", "show", "0/0"])
        .with("KAFKA_BROKERS", topics.brokers())
        .with("KAFKA_DLQ_TOPIC", &topics.dead_letters)
        .run()
        .await;
    let shown = shown.exits(0);
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert!(shown.contains(r"\u{1b}[2J{"), "{shown}");
    ask(&topics, ["dlq", "show", "0/2"])
        .await
        .fails_saying("no record at 0/2");
}

#[tokio::test]
async fn a_record_that_is_no_dead_letter_is_listed_as_such() {
    let mut topics = Topics::new().await;
    std::mem::swap(&mut topics.events, &mut topics.dead_letters);
    topics.produce("k", "v").await;
    std::mem::swap(&mut topics.events, &mut topics.dead_letters);
    let listed = list(&topics, &[]).await;
    let letter = &listed["dead_letters"][0];
    let why = letter["unreadable"].as_str().unwrap();
    assert!(why.contains("dlq.original.topic"), "{listed}");
    assert_eq!(
        listed["summary"][0]["error_class"], "unreadable",
        "{listed}"
    );
    let none = list(&topics, &["--class", "permanent"]).await;
    assert_eq!(none["matching"], 0, "{none}");
}
