//! Dead letters: what becomes one, what is in it, and the brake.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kafka_toolkit::{ConsumerConfig, DeadLetter, Header, Message, Outcome, Record};
use rdkafka::message::{Header as NativeHeader, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use time::OffsetDateTime;

use crate::harness::{PATIENCE, Seen, Stage, kafka, message, payload, until};

#[tokio::test]
async fn a_hopeless_record_becomes_a_dead_letter_at_once_and_the_rest_goes_on() {
    let stage = Stage::with_partitions(1).await;
    stage.send_numbers("k", 5).await;
    let seen = Seen::default();
    let before = OffsetDateTime::now_utc();
    let running = stage.start(seen.handler(|record| match payload(record) {
        "1" => Outcome::permanent("undecodable", "no event"),
        _ => Outcome::Done,
    }));
    until("all are committed", async || {
        stage.committed_sum().await == 5
    })
    .await;
    running.stop().await;
    assert_eq!(seen.times()[&(0, 1)], 1);

    let dead = stage.dead_letters().await;
    assert_eq!(dead.len(), 1);
    let letter = DeadLetter::from_record(&dead[0].record).unwrap();
    let original = &seen.all()[1].1;
    assert_eq!(letter.topic, stage.topic);
    assert_eq!(letter.partition, 0);
    assert_eq!(letter.record, *original);
    assert_eq!(letter.record.offset, 1);
    assert_eq!(letter.error_class, "permanent");
    assert_eq!(letter.error_name, "undecodable");
    assert_eq!(letter.error_message, "no event");
    assert_eq!(letter.attempts, 1);
    assert!((before..=OffsetDateTime::now_utc()).contains(&letter.failed_at));
    assert_eq!(
        dead[0].record.headers.get_str("dlq.original.timestamp"),
        Some(&*original.timestamp_ms.unwrap().to_string())
    );
}

#[tokio::test]
async fn a_record_that_fails_at_every_attempt_becomes_a_dead_letter_with_the_count() {
    let stage = Stage::with_partitions(1).await;
    stage.send_numbers("k", 3).await;
    let seen = Seen::default();
    let config = ConsumerConfig {
        retry_attempts_max: 4,
        ..stage.config()
    };
    let running = stage.start_with(
        &config,
        seen.handler(|record| match payload(record) {
            "0" => Outcome::transient("conflict", "busy"),
            _ => Outcome::Done,
        }),
    );
    until("all are committed", async || {
        stage.committed_sum().await == 3
    })
    .await;
    running.stop().await;
    assert_eq!(seen.times()[&(0, 0)], 4);
    let dead = stage.dead_letters().await;
    let letter = DeadLetter::from_record(&dead[0].record).unwrap();
    assert_eq!(letter.attempts, 4);
    assert_eq!(letter.error_class, "transient");
    assert_eq!(letter.error_name, "conflict");
}

/// Sends a record as no builder of this toolkit would.
async fn send_odd(
    stage: &Stage,
    key: Option<&[u8]>,
    payload: Option<&[u8]>,
    headers: OwnedHeaders,
) {
    let producer: FutureProducer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", kafka().brokers.join(","))
        .create()
        .unwrap();
    let mut record = FutureRecord::<[u8], [u8]>::to(&stage.topic)
        .partition(0)
        .headers(headers);
    record.key = key;
    record.payload = payload;
    producer.send(record, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn bytes_key_and_headers_survive_in_a_dead_letter_and_back_into_the_topic() {
    let stage = Stage::with_partitions(1).await;
    let headers = OwnedHeaders::new()
        .insert(NativeHeader {
            key: "event_type",
            value: Some("X"),
        })
        .insert(NativeHeader {
            key: "twice",
            value: Some(&b"\xff\x00"[..]),
        })
        .insert(NativeHeader {
            key: "twice",
            value: Some("2"),
        })
        .insert(NativeHeader::<&str> {
            key: "absent",
            value: None,
        });
    send_odd(&stage, Some(b"\x00\xfe"), Some(b"\xff\x00{"), headers).await;
    send_odd(&stage, None, None, OwnedHeaders::new()).await;
    send_odd(&stage, Some(b""), Some(b""), OwnedHeaders::new()).await;

    let seen = Seen::default();
    let running = stage.start(seen.handler(|_| Outcome::permanent("bad", "never")));
    until("all are committed", async || {
        stage.committed_sum().await == 3
    })
    .await;
    running.stop().await;

    let letters: Vec<DeadLetter> = stage
        .dead_letters()
        .await
        .iter()
        .map(|located| DeadLetter::from_record(&located.record).unwrap())
        .collect();
    let originals: Vec<Record> = seen
        .all()
        .iter()
        .map(|(_, record)| record.clone())
        .collect();
    let records: Vec<Record> = letters.iter().map(|letter| letter.record.clone()).collect();
    assert_eq!(records, originals);
    assert_eq!(originals[0].key.as_deref(), Some(&b"\x00\xfe"[..]));
    assert_eq!(originals[0].payload.as_deref(), Some(&b"\xff\x00{"[..]));
    let absent = Header {
        name: "absent".into(),
        value: None,
    };
    assert_eq!(originals[0].headers.iter().last(), Some(&absent));
    assert_eq!(originals[0].headers.len(), 4);
    assert_eq!((&originals[1].key, &originals[1].payload), (&None, &None));
    assert_eq!(originals[2].key.as_deref(), Some(&b""[..]));
    assert_eq!(originals[2].payload.as_deref(), Some(&b""[..]));

    for letter in &letters {
        let back = stage.producer.send(&stage.topic, letter.to_message()).await;
        back.unwrap();
    }
    let all = stage
        .inspector
        .read_all(&stage.topic, 6, |_| true)
        .await
        .unwrap();
    for (original, back) in all.iter().zip(&all[3..]) {
        assert_eq!(
            Message::copy_of(&original.record),
            Message::copy_of(&back.record)
        );
    }
}

#[tokio::test]
async fn a_flood_of_bad_records_trips_the_brake_and_a_cure_releases_it() {
    let stage = Stage::with_partitions(2).await;
    let flooded = stage
        .producer
        .send(&stage.topic, message("k", "0"))
        .await
        .unwrap()
        .partition;
    stage.send_numbers("k", 99).await;
    let other = (0..)
        .map(|n| format!("other-{n}"))
        .map(|key| message(&key, "good"));
    let mut sent_elsewhere = 0;
    for message in other {
        let partition = stage
            .producer
            .send(&stage.topic, message)
            .await
            .unwrap()
            .partition;
        if partition != flooded {
            sent_elsewhere += 1;
            if sent_elsewhere == 5 {
                break;
            }
        }
    }
    let cured = Arc::new(AtomicBool::new(false));
    let seen = Seen::default();
    let config = ConsumerConfig {
        dlq_run_max: 10,
        ..stage.config()
    };
    let running = stage.start_with(&config, {
        let cured = Arc::clone(&cured);
        seen.handler(move |record| {
            if payload(record) == "good" || cured.load(Ordering::Relaxed) {
                Outcome::Done
            } else {
                Outcome::permanent("undecodable", "a bad deploy")
            }
        })
    });
    until("the brake is on", async || running.health().is_braked()).await;
    until("it has probed", async || {
        seen.times().get(&(flooded, 50)).copied().unwrap_or(0) > 2
    })
    .await;
    until("the other partition is done", async || {
        stage.committed().await.get(&(1 - flooded)) == Some(&5)
    })
    .await;
    assert_eq!(stage.dead_letters().await.len(), 10);
    assert_eq!(stage.committed().await[&flooded], 10);
    assert!(running.is_running());

    cured.store(true, Ordering::Relaxed);
    let high = stage.inspector.watermarks(&stage.topic).await.unwrap()[flooded as usize].high;
    until("the rest is handled", async || {
        stage.committed().await[&flooded] == high
    })
    .await;
    until("the brake is off", async || !running.health().is_braked()).await;
    running.stop().await;
    assert_eq!(stage.dead_letters().await.len(), 10);
    assert_eq!(
        stage.committed().await,
        BTreeMap::from([(flooded, high), (1 - flooded, 5)])
    );
}

#[tokio::test]
async fn a_command_releases_the_brake_and_says_how_many_more_may_go() {
    let stage = Stage::with_partitions(1).await;
    stage.send_numbers("k", 100).await;
    let config = ConsumerConfig {
        dlq_run_max: 10,
        // Nothing happens by itself.
        dlq_probe_ms: 3_600_000,
        ..stage.config()
    };
    let seen = Seen::default();
    let running = stage.start_with(
        &config,
        seen.handler(|_| Outcome::permanent("undecodable", "a bad deploy")),
    );
    assert!(running.release(None, 0).is_empty(), "nothing is braked yet");
    let mut expected = 10;
    for (allowed, more) in [(0, 10), (25, 35)] {
        until("the brake is on", async || {
            stage.committed_sum().await == expected && running.health().is_braked()
        })
        .await;
        let health = running.health();
        let brake = health.partitions[0].brake.as_ref().unwrap();
        assert_eq!(brake.error_name, "undecodable");
        assert_eq!(brake.held_back as i64, 100 - expected);
        assert!(running.release(Some(7), allowed).is_empty());
        assert_eq!(running.release(Some(0), allowed).len(), 1);
        expected += more;
    }
    until("the brake is on again", async || {
        stage.committed_sum().await == expected && running.health().is_braked()
    })
    .await;
    assert_eq!(stage.dead_letters().await.len(), 55);
    assert_eq!(running.release(None, 1_000).len(), 1);
    until("all are committed", async || {
        stage.committed_sum().await == 100
    })
    .await;
    until("the brake is off", async || !running.health().is_braked()).await;
    running.stop().await;
    assert_eq!(stage.dead_letters().await.len(), 100);
}

#[tokio::test]
async fn a_commit_waits_for_the_dead_letter_to_be_confirmed() {
    let mut stage = Stage::with_partitions(1).await;
    stage.send_numbers("k", 3).await;
    let dlq = stage.dlq.clone();
    // There is no such topic yet, so no dead letter can be confirmed.
    stage.dlq = format!("{dlq}-late");
    let seen = Seen::default();
    let quick = kafka_toolkit::ProducerConfig {
        produce_deadline_ms: 200,
        ..Default::default()
    };
    let producer = kafka_toolkit::Producer::connect(&kafka(), &quick).unwrap();
    let running = stage.start_burying_by(
        &producer,
        &stage.config(),
        seen.handler(|record| match payload(record) {
            "1" => Outcome::permanent("bad", "never"),
            _ => Outcome::Done,
        }),
    );
    until("all have been handed over", async || seen.count() == 3).await;
    until("a dead letter has been refused", async || {
        producer.in_flight() > 0
    })
    .await;
    // The partition goes on for a batch, but not its offset.
    stage.send_numbers("k", 2).await;
    until("the batch behind is handed over", async || {
        seen.count() == 5
    })
    .await;
    assert_eq!(stage.committed().await, BTreeMap::new());

    let registry = kafka_toolkit::TopicRegistry::connect(&kafka(), PATIENCE).unwrap();
    registry
        .ensure(&[kafka_toolkit::TopicSpec::new(&stage.dlq, 1)])
        .await
        .unwrap();
    until("all are committed", async || {
        stage.committed_sum().await == 5
    })
    .await;
    running.stop().await;
    assert!(!stage.dead_letters().await.is_empty());
    assert_eq!(seen.count(), 5);
}

#[tokio::test]
async fn a_stop_waits_for_the_dead_letters_on_their_way() {
    let stage = Stage::with_partitions(1).await;
    stage.send_numbers("k", 3).await;
    let slow = kafka_toolkit::ProducerConfig {
        linger_ms: 700.0,
        ..Default::default()
    };
    let producer = kafka_toolkit::Producer::connect(&kafka(), &slow).unwrap();
    let seen = Seen::default();
    let running = stage.start_burying_by(
        &producer,
        &stage.config(),
        seen.handler(|record| match payload(record) {
            "2" => Outcome::permanent("bad", "never"),
            _ => Outcome::Done,
        }),
    );
    until("the dead letter is on its way", async || {
        producer.in_flight() > 0
    })
    .await;
    running.stop().await;
    assert_eq!(stage.committed_sum().await, 3);
    assert_eq!(stage.dead_letters().await.len(), 1);
}
