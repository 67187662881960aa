//! `ctl lag` and `ctl topics ensure`.

use serde_json::Value;

use super::{Ctl, Ran};
use crate::harness::topic::{Running, Topics};
use crate::harness::{PATIENCE, TestDb};

pub(super) async fn ask<'a>(topics: &Topics, arguments: impl IntoIterator<Item = &'a str>) -> Ran {
    asking(topics, arguments).run().await
}

/// A call with `--json` about these topics.
pub(super) fn asking<'a>(topics: &Topics, arguments: impl IntoIterator<Item = &'a str>) -> Ctl {
    Ctl::new(arguments.into_iter().chain(["--json"]))
        .with("KAFKA_BROKERS", topics.brokers())
        .with("KAFKA_TOPIC", &topics.events)
        .with("KAFKA_DLQ_TOPIC", &topics.dead_letters)
        .with("KAFKA_GROUP_ID", &topics.group)
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
