//! `ctl lag`, `ctl dlq list` and `ctl topics ensure`.

use serde_json::Value;

use super::{Ctl, Ran};
use crate::harness::topic::{Running, Topics};
use crate::harness::{PATIENCE, TestDb};

async fn ask<'a>(topics: &Topics, arguments: impl IntoIterator<Item = &'a str>) -> Ran {
    Ctl::new(arguments.into_iter().chain(["--json"]))
        .with("KAFKA_BROKERS", topics.brokers())
        .with("KAFKA_TOPIC", &topics.events)
        .with("KAFKA_DLQ_TOPIC", &topics.dead_letters)
        .with("KAFKA_GROUP_ID", &topics.group)
        .run()
        .await
}

fn sum(answer: &Value, field: &str) -> i64 {
    let partitions = answer["partitions"].as_array().expect("a list");
    partitions.iter().filter_map(|p| p[field].as_i64()).sum()
}

#[tokio::test]
async fn lag_counts_what_the_group_has_not_finished_in_events_and_in_seconds() {
    let topics = Topics::new().await;
    for key in ["a", "b", "c", "d"] {
        topics.produce(key, "no event").await;
    }
    let behind = ask(&topics, ["lag"]).await.answers(0);
    assert_eq!(behind["lag"], 4, "{behind}");
    assert!(behind["lag_seconds"].as_f64().unwrap() > 0.0, "{behind}");
    assert_eq!(sum(&behind, "end"), 4, "{behind}");
    assert!(behind["partitions"][0]["committed"].is_null(), "{behind}");

    let db = TestDb::new().await;
    let consumer = Running::start(&topics, &db.url());
    topics.drained(PATIENCE).await;
    consumer.stop().await;
    let done = ask(&topics, ["lag"]).await.answers(0);
    assert_eq!(done["lag"], 0, "{done}");
    assert_eq!(done["lag_seconds"], 0.0, "{done}");
    assert_eq!(sum(&done, "committed"), 4, "{done}");
}

#[tokio::test]
async fn dead_letters_are_listed_with_their_origin_and_reason_newest_last() {
    let topics = Topics::new().await;
    let none = ask(&topics, ["dlq", "list"]).await.answers(0);
    assert_eq!(none["total"], 0, "{none}");

    for payload in ["first", "second", "third"] {
        topics.produce("one-key", payload).await;
    }
    let db = TestDb::new().await;
    let consumer = Running::start(&topics, &db.url());
    topics.drained(PATIENCE).await;
    consumer.stop().await;

    let listed = ask(&topics, ["dlq", "list", "--limit", "2"])
        .await
        .answers(0);
    assert_eq!(listed["total"], 3, "{listed}");
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
}

#[tokio::test]
async fn a_record_that_is_no_dead_letter_is_listed_as_such() {
    let mut topics = Topics::new().await;
    std::mem::swap(&mut topics.events, &mut topics.dead_letters);
    topics.produce("k", "v").await;
    std::mem::swap(&mut topics.events, &mut topics.dead_letters);
    let listed = ask(&topics, ["dlq", "list"]).await.answers(0);
    let letter = &listed["dead_letters"][0];
    let why = letter["unreadable"].as_str().unwrap();
    assert!(why.contains("dlq.original.topic"), "{listed}");
}

#[tokio::test]
async fn topics_that_differ_are_reported_and_left_as_they_are() {
    let topics = Topics::new().await;
    let ensure = ["topics", "ensure", "--kafka-topic-partitions"];
    let differs = ask(&topics, ensure.into_iter().chain(["3"])).await;
    let mismatches = differs.answers(1)["mismatches"].to_string();
    let expected = format!(
        "topic {} has 1 partitions instead of 3",
        topics.dead_letters
    );
    assert!(mismatches.contains(&expected), "{mismatches}");
    assert_eq!(differs.answers(1)["created"], serde_json::json!([]));
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_named_and_not_waited_for_without_end() {
    let ran = Ctl::new(["lag", "--kafka-answer-timeout-ms", "500"])
        .with("KAFKA_BROKERS", "127.0.0.1:1")
        .run()
        .await;
    ran.fails_saying("Kafka at 127.0.0.1:1");
}
