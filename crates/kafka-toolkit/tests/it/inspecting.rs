//! Lag, ranges, times and reachability.

use std::time::Duration;

use kafka_toolkit::inspect::{InspectError, Range};
use kafka_toolkit::{Inspector, KafkaConfig, Outcome};

use crate::harness::{Seen, Stage, payload, until};

#[tokio::test]
async fn lag_is_what_the_group_has_not_committed() {
    let stage = Stage::with_partitions(1).await;
    let empty = stage
        .inspector
        .lag(&stage.group, &stage.topic)
        .await
        .unwrap();
    assert_eq!((empty[0].lag, empty[0].committed), (0, None));
    assert!(empty[0].lag_seconds == 0.0);

    stage.send_numbers("k", 10).await;
    let unread = stage
        .inspector
        .lag(&stage.group, &stage.topic)
        .await
        .unwrap();
    assert_eq!((unread[0].lag, unread[0].committed), (10, None));

    let running = stage.start(Seen::default().handler(|record| match payload(record) {
        "7" => Outcome::dependency_down("away", "not yet"),
        _ => Outcome::Done,
    }));
    until("the prefix is committed", async || {
        stage.committed_sum().await == 7
    })
    .await;
    running.stop().await;
    let behind = stage
        .inspector
        .lag(&stage.group, &stage.topic)
        .await
        .unwrap();
    assert_eq!(
        (behind[0].lag, behind[0].committed, behind[0].high),
        (3, Some(7), 10)
    );
    let seventh = stage
        .inspector
        .read_range(
            &stage.topic,
            &[Range {
                partition: 0,
                from: 7,
                to: 8,
            }],
            9,
            |_| true,
        )
        .await
        .unwrap();
    assert_eq!(behind[0].oldest_unread_ms, seventh[0].record.timestamp_ms);
    assert!(behind[0].lag_seconds > 0.0 && behind[0].lag_seconds < 60.0);
}

#[tokio::test]
async fn a_range_gives_exactly_its_records() {
    let stage = Stage::with_partitions(2).await;
    stage.send_numbers("k", 100).await;
    let watermarks = stage.inspector.watermarks(&stage.topic).await.unwrap();
    let partition = watermarks.iter().find(|w| w.high == 100).unwrap().partition;
    let read = async |from, to, limit| {
        let range = Range {
            partition,
            from,
            to,
        };
        let found = stage
            .inspector
            .read_range(&stage.topic, &[range], limit, |located| {
                located.record.offset % 2 == 0
            })
            .await
            .unwrap();
        found
            .iter()
            .map(|located| located.record.offset)
            .collect::<Vec<_>>()
    };
    assert_eq!(read(10, 16, usize::MAX).await, [10, 12, 14]);
    assert_eq!(read(10, 90, 2).await, [10, 12]);
    assert_eq!(read(-5, 3, usize::MAX).await, [0, 2]);
    assert_eq!(read(97, i64::MAX, usize::MAX).await, [98]);
    assert_eq!(read(100, i64::MAX, usize::MAX).await, Vec::<i64>::new());
    let all = stage
        .inspector
        .read_all(&stage.topic, usize::MAX, |_| true)
        .await
        .unwrap();
    assert_eq!(all.len(), 100);
}

#[tokio::test]
async fn a_time_is_found_as_an_offset() {
    let stage = Stage::with_partitions(1).await;
    stage.send_numbers("k", 3).await;
    let records = stage
        .inspector
        .read_all(&stage.topic, 3, |_| true)
        .await
        .unwrap();
    let time = records[0].record.timestamp_ms.unwrap();
    let at = stage.inspector.offsets_for_time(&stage.topic, time).await;
    assert_eq!(at.unwrap(), [(0, Some(0))]);
    let later = stage
        .inspector
        .offsets_for_time(&stage.topic, time + 3_600_000)
        .await;
    assert_eq!(later.unwrap(), [(0, None)]);
}

#[tokio::test]
async fn an_unknown_topic_and_an_unreachable_cluster_are_told_apart() {
    let stage = Stage::with_partitions(1).await;
    let cluster = stage.inspector.cluster().await.unwrap();
    assert!(!cluster.brokers.is_empty());
    assert!(cluster.topics.iter().any(|topic| topic.name == stage.topic));
    let unknown = stage.inspector.watermarks("no-such-topic").await;
    assert!(matches!(unknown, Err(InspectError::UnknownTopic(_))));

    let nowhere = KafkaConfig {
        brokers: vec!["127.0.0.1:1".to_owned()],
        ..KafkaConfig::default()
    };
    let inspector = Inspector::new(&nowhere, Duration::from_millis(300)).unwrap();
    let unreachable = inspector.cluster().await;
    assert!(matches!(unreachable, Err(InspectError::Cluster(_))));
}
