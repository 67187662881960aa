//! A producer that is not ours: writes good envelopes straight into the topic, and poison when it is due.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fastrand::Rng;
use kafka_toolkit::{Headers, Message, Producer, ProducerConfig, Record};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::sleep;

use crate::event::{Draft, Events};
use crate::history::{History, Told};
use crate::stage::Stage;

/// Header of a record that must become a dead letter; its value says what is wrong with it.
pub(crate) const POISON: &str = "chaos-poison";
/// Under the largest message that a producer sends by default, with its headers.
const OVERSIZE_BYTES: usize = 990_000;
/// Bad records among the good ones while no flood of them is due.
const POISON_IN_A_HUNDRED: u8 = 5;
/// By default a broker refuses a record whose time is an hour ahead.
const AHEAD_MS_MAX: i64 = 59 * 60 * 1_000;
/// So long an id no event may have.
const LONG_ID_BYTES: usize = 129;

/// Writes until the time is over.
///
/// # Errors
/// If the producer cannot be made.
pub(crate) async fn write(
    stage: Arc<Stage>,
    history: Arc<History>,
    seed: u64,
    until: Instant,
) -> anyhow::Result<()> {
    let config = ProducerConfig {
        produce_deadline_ms: 3_000,
        ..ProducerConfig::default()
    };
    let producer = Producer::connect(&stage.rig.kafka, &config)?;
    let mut events = Events::new(seed, u64::MAX);
    let mut rng = Rng::with_seed(!seed);
    while Instant::now() < until {
        let draft = events.next(&stage.clock_s);
        let is_flood = stage.poison.load(Ordering::Relaxed);
        // Beyond a day ahead an event is none.
        let is_ahead = stage.clock_s.load(Ordering::Relaxed) > 24 * 3_600;
        if is_flood || is_ahead || rng.u8(0..100) < POISON_IN_A_HUNDRED {
            // Its answer does not matter: what counts is whether the record is in the topic.
            let poison = poison(&draft, &mut rng).at_ms(record_ms(&draft));
            let _ = producer.send(&stage.names.topic, poison).await;
            let pause_ms = if is_flood { 10..80 } else { 50..300 };
            sleep(Duration::from_millis(rng.u64(pause_ms))).await;
            continue;
        }
        let sent = Instant::now();
        let key = (rng.u8(0..3) > 0).then(|| draft.fact.session.to_string());
        let message = message(key.as_deref(), Some(envelope(&draft).into()), None);
        let message = message.at_ms(record_ms(&draft));
        let told = match producer.send(&stage.names.topic, message).await {
            Ok(_) => Told::Acknowledged {
                mode: "topic".to_owned(),
                duplicate: false,
            },
            Err(error) => Told::Nothing(error.to_string()),
        };
        history.note(&draft, "topic", sent, told);
        sleep(Duration::from_millis(rng.u64(50..300))).await;
    }
    producer.close(Duration::from_secs(5)).await;
    Ok(())
}

/// The time of a record by the producer's clock, as far ahead as brokers allow.
fn record_ms(draft: &Draft) -> i64 {
    let now_ms = OffsetDateTime::now_utc().unix_timestamp() * 1_000;
    draft.fact.at_ms.min(now_ms + AHEAD_MS_MAX)
}

fn envelope(draft: &Draft) -> String {
    let now = OffsetDateTime::now_utc()
        .format(&Rfc3339)
        .unwrap_or_default();
    json!({"tenant_id": draft.key.0, "timestamp": now, "payload": draft.json}).to_string()
}

fn message(key: Option<&str>, payload: Option<Bytes>, poison: Option<&'static str>) -> Message {
    let mut headers = Headers::new();
    headers.push("trace", "kept");
    if let Some(what) = poison {
        headers.push(POISON, what);
    }
    // The builder insists on a key, which a foreign producer may well leave out.
    Message::copy_of(&Record {
        offset: 0,
        key: key.map(|key| Bytes::copy_from_slice(key.as_bytes())),
        payload,
        headers,
        timestamp_ms: None,
    })
}

/// A record that can never be an event.
fn poison(draft: &Draft, rng: &mut Rng) -> Message {
    let tenant = draft.key.0;
    let key = (rng.u8(0..4) > 0).then(|| draft.fact.session.to_string());
    let with = |field: &str, value: serde_json::Value| {
        let mut payload = draft.json.clone();
        payload[field] = value;
        Some(
            json!({"tenant_id": tenant, "payload": payload})
                .to_string()
                .into(),
        )
    };
    let good = envelope(draft);
    let (what, payload): (_, Option<Bytes>) = match rng.u8(0..50) {
        0..5 => (
            "broken JSON",
            Some(good[..good.len() / 2].to_owned().into()),
        ),
        5..10 => ("NUL", with("event_id", json!("a\0b"))),
        // serde_json cannot write one, so it is put in by hand.
        10..15 => (
            "lone surrogate",
            Some(good.replacen(&draft.key.1, r"\ud800", 1).into()),
        ),
        15 => ("oversize", Some("x".repeat(OVERSIZE_BYTES).into())),
        16..20 => (
            "long id",
            with("event_id", json!("x".repeat(LONG_ID_BYTES))),
        ),
        20..26 => (
            "another schema version",
            Some(
                json!({"schema_version": 2, "tenant_id": tenant, "body": draft.json})
                    .to_string()
                    .into(),
            ),
        ),
        26..31 => ("empty value", Some(Bytes::new())),
        31..36 => ("no value", None),
        36..40 => ("unknown type", with("event_type", json!("QUIZ_DANCED"))),
        40..45 => (
            "no tenant",
            Some(
                json!({"tenant_id": 0, "payload": draft.json})
                    .to_string()
                    .into(),
            ),
        ),
        _ => ("not UTF-8", Some(Bytes::from_static(b"\xff\xfe\0 no text"))),
    };
    message(key.as_deref(), payload, Some(what))
}
