//! The topic registry.

use std::time::Duration;

use kafka_toolkit::topic::Mismatch;
use kafka_toolkit::{TopicRegistry, TopicSpec};

use crate::harness::{PATIENCE, Stage, kafka, until};

#[tokio::test]
async fn missing_topics_are_created_once_and_differences_are_reported() {
    let stage = Stage::with_partitions(2).await;
    let registry = TopicRegistry::connect(&kafka(), PATIENCE).unwrap();
    let week = Duration::from_secs(168 * 3600);
    let name = stage.topic.clone();

    // It exists with two partitions, so nothing is created and nothing is changed.
    let wanted = TopicSpec::new(&name, 3).retention(week);
    let created = registry
        .ensure(std::slice::from_ref(&wanted))
        .await
        .unwrap();
    assert_eq!(created, Vec::<String>::new());

    let shorter = wanted.clone().retention(Duration::from_secs(3600));
    let missing = TopicSpec::new(format!("{name}-never"), 1);
    assert_eq!(
        registry.check(&[shorter, missing]).await.unwrap(),
        [
            Mismatch::Partitions {
                topic: name.clone(),
                wanted: 3,
                actual: 2
            },
            Mismatch::Setting {
                topic: name.clone(),
                setting: "retention.ms",
                wanted: 3_600_000,
                actual: "604800000".to_owned()
            },
            Mismatch::Missing {
                topic: format!("{name}-never")
            },
        ]
    );
}

#[tokio::test]
async fn a_created_topic_is_as_specified() {
    let mut stage = Stage::with_partitions(1).await;
    let registry = TopicRegistry::connect(&kafka(), PATIENCE).unwrap();
    let spec = TopicSpec::new(format!("{}-made", stage.topic), 3)
        .retention(Duration::from_secs(168 * 3600))
        .max_message_bytes(2_000_000);
    let created = registry.ensure(std::slice::from_ref(&spec)).await.unwrap();
    assert_eq!(created, std::slice::from_ref(&spec.name));
    // The stage removes what its names name.
    stage.dlq.clone_from(&spec.name);
    until("the cluster lists the topic as specified", async || {
        registry
            .check(std::slice::from_ref(&spec))
            .await
            .unwrap()
            .is_empty()
    })
    .await;
}
