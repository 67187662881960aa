//! Sending: answers, partitions, bounds, deadlines, recovery.

use std::time::{Duration, Instant};

use kafka_toolkit::{KafkaConfig, Message, Producer, ProducerConfig, SendError};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::harness::{PATIENCE, Stage, kafka, message, until};

#[tokio::test]
async fn every_message_is_answered_with_its_partition_and_offset() {
    let stage = Stage::with_partitions(3).await;
    let first = stage
        .producer
        .send(&stage.topic, message("k", "a"))
        .await
        .unwrap();
    let second = stage
        .producer
        .send(&stage.topic, message("k", "b"))
        .await
        .unwrap();
    assert_eq!(second.partition, first.partition);
    assert_eq!((first.offset, second.offset), (0, 1));

    let many = (0..2000).map(|n| message("k", &n.to_string())).collect();
    let answers = stage.producer.send_all(&stage.topic, many).await;
    let offsets: Vec<i64> = answers.iter().map(|a| a.as_ref().unwrap().offset).collect();
    assert_eq!(offsets, (2..2002).collect::<Vec<i64>>());
    until("nothing is in flight", async || {
        stage.producer.in_flight() == 0
    })
    .await;
}

/// Vectors from Kafka's own test of its Java client's hash.
#[tokio::test]
async fn keys_land_in_the_partition_where_java_clients_put_them() {
    const PARTITIONS: i32 = 7;
    let stage = Stage::with_partitions(PARTITIONS).await;
    for (key, murmur2) in [
        ("21", -973_932_308_i32),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        (
            "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
            -58_897_971,
        ),
        ("abc", 479_470_107),
    ] {
        let sent = stage.producer.send(&stage.topic, message(key, "x")).await;
        let expected = (murmur2 & 0x7fff_ffff) % PARTITIONS;
        let partition = sent.unwrap().partition;
        assert_eq!(partition, expected, "{key}");
        assert_eq!(
            partition,
            kafka_toolkit::partition_of_key(key.as_bytes(), PARTITIONS)
        );
    }
}

#[tokio::test]
async fn key_payload_and_headers_arrive_as_they_were_sent() {
    let stage = Stage::with_partitions(1).await;
    let sent = Message::builder("key")
        .payload(&b"\x00\xff not text"[..])
        .event_type("ANSWER")
        .event_id("e-1")
        .header("extra", "")
        .build()
        .unwrap();
    stage
        .producer
        .send(&stage.topic, sent.clone())
        .await
        .unwrap();
    let read = stage
        .inspector
        .read_all(&stage.topic, 1, |_| true)
        .await
        .unwrap();
    assert_eq!(Message::copy_of(&read[0].record), sent);
    assert!(read[0].record.timestamp_ms.is_some());
}

#[tokio::test]
async fn a_message_keeps_a_time_of_its_own_and_its_copy_gets_that_of_its_sending() {
    const LONG_AGO_MS: i64 = 1_700_000_000_123;
    let stage = Stage::with_partitions(1).await;
    let sent = message("k", "a").at_ms(LONG_AGO_MS);
    stage.producer.send(&stage.topic, sent).await.unwrap();
    let read = |count| stage.inspector.read_all(&stage.topic, count, |_| true);
    let first = read(1).await.unwrap().remove(0).record;
    assert_eq!(first.timestamp_ms, Some(LONG_AGO_MS));
    let copy = Message::copy_of(&first);
    stage.producer.send(&stage.topic, copy).await.unwrap();
    let second = read(2).await.unwrap().remove(1).record;
    assert!(second.timestamp_ms > Some(LONG_AGO_MS));
}

/// A cluster that nobody answers for.
fn nowhere() -> KafkaConfig {
    KafkaConfig {
        brokers: vec!["127.0.0.1:1".to_owned()],
        ..KafkaConfig::default()
    }
}

#[tokio::test]
async fn a_full_queue_is_reported_at_once() {
    let config = ProducerConfig {
        queue_messages_max: 5,
        produce_deadline_ms: 2000,
        ..ProducerConfig::default()
    };
    let producer = Producer::connect(&nowhere(), &config).unwrap();
    let waiting = tokio::spawn({
        let producer = producer.clone();
        async move {
            let five = (0..5).map(|n| message("k", &n.to_string())).collect();
            producer.send_all("anything", five).await
        }
    });
    until("the queue is full", async || producer.in_flight() == 5).await;
    let refused = producer.send("anything", message("k", "one more")).await;
    assert_eq!(refused, Err(SendError::QueueFull));
    assert_eq!(producer.in_flight(), 5, "it did not wait for room");
    assert_eq!(waiting.await.unwrap(), vec![Err(SendError::Deadline); 5]);
}

#[tokio::test]
async fn a_part_of_a_set_that_finds_no_room_is_refused_message_by_message() {
    let config = ProducerConfig {
        queue_messages_max: 3,
        produce_deadline_ms: 300,
        ..ProducerConfig::default()
    };
    let producer = Producer::connect(&nowhere(), &config).unwrap();
    let five = (0..5).map(|n| message("k", &n.to_string())).collect();
    let answers = producer.send_all("anything", five).await;
    let deadline = Err(SendError::Deadline);
    let full = Err(SendError::QueueFull);
    assert_eq!(
        answers,
        [
            deadline.clone(),
            deadline.clone(),
            deadline,
            full.clone(),
            full
        ]
    );
}

#[tokio::test]
async fn a_message_that_is_too_large_is_its_own_fault() {
    let stage = Stage::with_partitions(1).await;
    let large = Message::builder("k")
        .payload(vec![b'x'; 1_200_000])
        .build()
        .unwrap();
    let refused = stage.producer.send(&stage.topic, large.clone()).await;
    assert_eq!(refused, Err(SendError::TooLarge));
    assert!(SendError::TooLarge.is_payload_fault());

    // Here the producer would take it, and the broker does not.
    let generous = ProducerConfig {
        message_bytes_max: 10_000_000,
        compression: kafka_toolkit::config::Compression::None,
        produce_deadline_ms: 10_000,
        ..ProducerConfig::default()
    };
    let producer = Producer::connect(&kafka(), &generous).unwrap();
    let refused = producer.send(&stage.topic, large).await;
    assert_eq!(refused, Err(SendError::TooLarge));
    let small = producer.send(&stage.topic, message("k", "small")).await;
    assert!(small.is_ok(), "{small:?}");
}

#[tokio::test]
async fn an_abandoned_send_does_not_disturb_the_next() {
    let stage = Stage::with_partitions(1).await;
    for n in 0..100 {
        let send = stage
            .producer
            .send(&stage.topic, message("k", &n.to_string()));
        drop(tokio::time::timeout(Duration::ZERO, send).await);
    }
    let last = stage
        .producer
        .send(&stage.topic, message("k", "last"))
        .await;
    assert!(last.is_ok(), "{last:?}");
}

#[tokio::test]
async fn a_closed_producer_has_sent_everything_and_takes_nothing_more() {
    let stage = Stage::with_partitions(1).await;
    let config = ProducerConfig {
        linger_ms: 500.0,
        produce_deadline_ms: 10_000,
        ..ProducerConfig::default()
    };
    let producer = Producer::connect(&kafka(), &config).unwrap();
    let sending = tokio::spawn({
        let (producer, topic) = (producer.clone(), stage.topic.clone());
        async move { producer.send(&topic, message("k", "a")).await }
    });
    until("the message is queued", async || producer.in_flight() == 1).await;
    assert!(producer.close(PATIENCE).await);
    assert!(sending.await.unwrap().is_ok());
    let refused = producer.send(&stage.topic, message("k", "b")).await;
    assert_eq!(refused, Err(SendError::Closed));
}

fn mock() -> (MockCluster<'static, DefaultProducerContext>, KafkaConfig) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t", 1, 1).unwrap();
    let config = KafkaConfig {
        brokers: vec![cluster.bootstrap_servers()],
        ..KafkaConfig::default()
    };
    (cluster, config)
}

#[tokio::test]
async fn a_send_waits_no_longer_than_its_deadline_and_recovers_with_the_broker() {
    let (cluster, kafka) = mock();
    let config = ProducerConfig {
        produce_deadline_ms: 300,
        ..ProducerConfig::default()
    };
    let producer = Producer::connect(&kafka, &config).unwrap();
    until("the first message arrives", async || {
        producer.send("t", message("k", "a")).await.is_ok()
    })
    .await;

    cluster.broker_down(1).unwrap();
    let started = Instant::now();
    // librdkafka alone would go on for minutes.
    let sending = producer.send("t", message("k", "b"));
    let answer = tokio::time::timeout(PATIENCE, sending).await;
    assert_eq!(answer, Ok(Err(SendError::Deadline)));
    assert!(started.elapsed() >= config.deadline());
    assert!(!SendError::Deadline.is_payload_fault());

    cluster.broker_up(1).unwrap();
    until("messages arrive again", async || {
        producer.send("t", message("k", "c")).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_client_with_a_fatal_error_is_replaced_without_the_caller_noticing() {
    let (cluster, kafka) = mock();
    let patient = ProducerConfig {
        produce_deadline_ms: 10_000,
        ..ProducerConfig::default()
    };
    let producer = Producer::connect(&kafka, &patient).unwrap();
    until("the first message arrives", async || {
        producer.send("t", message("k", "a")).await.is_ok()
    })
    .await;
    // The broker claims not to know the sequence of the next message, which an idempotent client can't repair.
    cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER],
    );
    let answer = producer.send("t", message("k", "b")).await;
    assert!(answer.is_ok(), "{answer:?}");

    cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER],
    );
    let three = (0..3).map(|n| message("k", &n.to_string())).collect();
    for answer in producer.send_all("t", three).await {
        assert!(answer.is_ok(), "{answer:?}");
    }
}
