//! Records that can never be an event: they become dead letters with their true origin, and hold up nothing.

use bytes::Bytes;
use kafka_toolkit::dead_letter::DeadLetter;
use kafka_toolkit::{Headers, Message, Record};
use serde_json::json;

use crate::harness::event::{a_publication, an_answer, envelope};
use crate::harness::topic::Running;
use crate::harness::{PATIENCE, TestDb, Topics};

fn record(key: Option<&str>, payload: Option<Bytes>) -> Record {
    let mut headers = Headers::new();
    headers.push("event_type", "ANSWER_SUBMITTED");
    headers.push("trace", "kept");
    Record {
        offset: 0,
        key: key.map(|key| Bytes::copy_from_slice(key.as_bytes())),
        payload,
        headers,
        timestamp_ms: None,
    }
}

/// Records that are no events, each with the name of its fault.
fn poison() -> Vec<(&'static str, Record)> {
    let text = |text: &str| Some(Bytes::copy_from_slice(text.as_bytes()));
    let answer =
        |field, value: serde_json::Value| Some(envelope(&an_answer().with(field, value).json()));
    vec![
        ("malformed_envelope", record(Some("k1"), text("{broken"))),
        (
            "malformed_envelope",
            record(Some("k2"), Some(Bytes::from_static(b"\xff\xfe\0"))),
        ),
        (
            "malformed_envelope",
            record(Some("k3"), text(r#"{"event_id":"no-payload"}"#)),
        ),
        (
            "not_an_object",
            record(Some("k4"), text(r#"{"payload":5}"#)),
        ),
        ("empty_value", record(Some("k5"), text(""))),
        ("empty_value", record(Some("k6"), None)),
        (
            "invalid_tenant",
            record(Some("k7"), text(r#"{"tenant_id":0,"payload":{}}"#)),
        ),
        (
            "nul_character",
            record(Some("k8"), answer("answer", json!("a\0b"))),
        ),
        ("wrong_type", record(Some("k9"), answer("answer", json!(5)))),
        (
            "unknown_event_type",
            record(Some("k10"), answer("event_type", json!("QUIZ_DANCED"))),
        ),
        (
            "invalid_uuid",
            record(None, answer("session_id", json!("nope"))),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_goes_to_the_dead_letters_with_its_origin_and_the_rest_is_stored() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    let producer = topics.producer();
    let mut origins = Vec::new();
    let mut good = 0;
    for (name, poison) in poison() {
        // Enough good records between them that nobody takes the stream for broken as a whole.
        for _ in 0..9 {
            // A record without a key is an event all the same.
            let key = (good % 3 != 0).then_some("some-session");
            let event = if good % 2 == 0 {
                an_answer().json()
            } else {
                a_publication().json()
            };
            let message = Message::copy_of(&record(key, Some(envelope(&event))));
            producer.send(&topics.events, message).await.unwrap();
            good += 1;
        }
        let sent = producer
            .send(&topics.events, Message::copy_of(&poison))
            .await
            .unwrap();
        origins.push((sent.partition, sent.offset, name, poison));
    }
    let consumer = Running::start(&topics, &db.url());
    topics.drained(PATIENCE).await;
    consumer.stop().await;

    let stored = "SELECT (SELECT count(*) FROM answers) + (SELECT count(*) FROM publications)";
    assert_eq!(db.number(stored).await, good);
    let mut letters: Vec<DeadLetter> = topics
        .dead_letters()
        .await
        .iter()
        .map(|located| DeadLetter::from_record(&located.record).unwrap())
        .collect();
    letters.sort_by_key(|letter| (letter.partition, letter.record.offset));
    origins.sort_by_key(|(partition, offset, ..)| (*partition, *offset));
    assert_eq!(letters.len(), origins.len(), "{letters:#?}");
    for (letter, (partition, offset, name, poison)) in letters.iter().zip(&origins) {
        assert_eq!(
            (&letter.topic, letter.partition, letter.record.offset),
            (&topics.events, *partition, *offset)
        );
        assert_eq!(
            (letter.error_name.as_str(), letter.error_class.as_str()),
            (*name, "permanent")
        );
        assert!(!letter.error_message.is_empty());
        assert_eq!(
            (&letter.record.key, &letter.record.payload),
            (&poison.key, &poison.payload),
            "{name}"
        );
        assert_eq!(letter.record.headers, poison.headers, "{name}");
        assert!(letter.record.timestamp_ms.is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_the_database_refuses_goes_to_the_dead_letters_and_the_offset_moves_on() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    db.execute("ALTER TABLE answers ADD CONSTRAINT no_poison CHECK (answer <> 'poison')")
        .await;
    let producer = topics.producer();
    let mut poisoned = Vec::new();
    for n in 0..200 {
        let text = if n % 20 == 7 { "poison" } else { "B" };
        let event = envelope(&an_answer().saying(text).json());
        let message = Message::copy_of(&record(Some("one-session"), Some(event)));
        let sent = producer.send(&topics.events, message).await.unwrap();
        if text == "poison" {
            poisoned.push(sent.offset);
        }
    }
    let consumer = Running::start(&topics, &db.url());
    topics.drained(PATIENCE).await;
    consumer.stop().await;
    assert_eq!(db.number("SELECT count(*) FROM answers").await, 190);
    let mut offsets: Vec<i64> = Vec::new();
    for located in topics.dead_letters().await {
        let letter = DeadLetter::from_record(&located.record).unwrap();
        assert_eq!(letter.error_name, "not_storable");
        assert!(
            letter.error_message.contains("23514"),
            "{}",
            letter.error_message
        );
        offsets.push(letter.record.offset);
    }
    offsets.sort_unstable();
    assert_eq!(offsets, poisoned);
    let progress = "SELECT max(next_offset) FROM consumer_progress";
    assert_eq!(db.number(progress).await, 200);
}
