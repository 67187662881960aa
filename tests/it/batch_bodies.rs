//! The forms in which a batch may come, and how large it may be: contract 12.3.

use std::io::Write;

use serde_json::{Value, json};

use crate::harness::event::{Draft, a_publication, a_start, an_answer, an_end};
use crate::harness::{Reply, Stand};

const EVENTS_MAX: usize = 10_000;
const WIRE_BYTES_MAX: usize = 10 * 1024 * 1024;
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

fn one_of_each() -> Vec<Draft> {
    vec![
        a_start(),
        a_publication(),
        an_answer().named("test-001"),
        an_end(),
    ]
}

fn json_of(events: &[Draft]) -> Vec<Value> {
    events.iter().map(Value::from).collect()
}

fn lines_of(events: &[Draft]) -> String {
    let lines: Vec<String> = events
        .iter()
        .map(|event| event.json().to_string())
        .collect();
    lines.join("\n")
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::encode_all(body, 1).unwrap()
}

async fn post_lines(stand: &Stand, body: impl Into<Vec<u8>>) -> Reply {
    let request = stand
        .app
        .batch(1)
        .header("content-type", "application/x-ndjson");
    Reply::of(request.body(body.into())).await
}

async fn post_encoded(stand: &Stand, encoding: &str, body: Vec<u8>) -> Reply {
    let request = stand.app.batch(1).header("content-encoding", encoding);
    Reply::of(request.body(body)).await
}

#[tokio::test]
async fn ndjson_takes_one_event_a_line_and_a_bad_line_does_not_hold_up_the_others() {
    for stand in Stand::both().await {
        let (first, last) = (an_answer(), a_publication());
        let body = format!(
            "{}\r\n\n{{broken\n  \n{}\n5\n{}",
            first.json(),
            an_answer().named("no-time").without("timestamp").json(),
            last.json()
        );
        let body = post_lines(&stand, body).await.expect(201);
        assert_eq!(
            (&body["processed_count"], &body["total_events"]),
            (&json!(2), &json!(5))
        );
        let results = body["results"].as_array().unwrap();
        let told: Vec<_> = results
            .iter()
            .map(|result| (result["event_id"].as_str().unwrap(), &result["status"]))
            .collect();
        let (first, last) = (first.id(), last.id());
        let (accepted, invalid) = (&json!("accepted"), &json!("invalid"));
        assert_eq!(
            told,
            [
                (&*first, accepted),
                ("", invalid),
                ("no-time", invalid),
                ("", invalid),
                (&*last, accepted)
            ]
        );
        assert_eq!(results[1]["code"], "broken_json");
        assert_eq!(results[2]["code"], "missing_field");
        assert_eq!(results[3]["code"], "not_an_object");
        assert_eq!(stand.stored().await, 2);
    }
}

#[tokio::test]
async fn ndjson_is_recognised_with_parameters_and_in_any_case() {
    let stand = Stand::direct().await;
    for content_type in [
        "application/x-ndjson; charset=utf-8",
        "Application/X-NDJSON",
    ] {
        let request = stand.app.batch(1).header("content-type", content_type);
        let body = Reply::of(request.body(lines_of(&one_of_each())))
            .await
            .expect(201);
        assert_eq!(body["processed_count"], 4, "{content_type}");
    }
}

#[tokio::test]
async fn gzip_and_zstd_are_taken_on_both_routes() {
    for stand in Stand::both().await {
        type Encode = fn(&[u8]) -> Vec<u8>;
        let encodings: [(&str, Encode); 4] = [
            ("gzip", gzip),
            ("zstd", zstd),
            ("identity", <[u8]>::to_vec),
            ("GZIP", gzip),
        ];
        for (name, encode) in encodings {
            let batch = Value::Array(json_of(&one_of_each())).to_string();
            let reply = post_encoded(&stand, name, encode(batch.as_bytes())).await;
            assert_eq!(reply.expect(201)["processed_count"], 4, "{name}");

            let lines = lines_of(&one_of_each());
            let request = stand
                .app
                .batch(1)
                .header("content-type", "application/x-ndjson");
            let request = request
                .header("content-encoding", name)
                .body(encode(lines.as_bytes()));
            assert_eq!(
                Reply::of(request).await.expect(201)["processed_count"],
                4,
                "{name}"
            );

            let token = crate::harness::client::token_of(1, analytics_ingestor::auth::Role::Writer);
            let request = stand
                .app
                .post("/api/events")
                .bearer_auth(token)
                .header("content-encoding", name);
            let event = an_answer().json().to_string();
            Reply::of(request.body(encode(event.as_bytes())))
                .await
                .expect(201);
        }
        assert_eq!(stand.stored().await, 4 * 9);
    }
}

#[tokio::test]
async fn any_other_encoding_is_415() {
    let stand = Stand::direct().await;
    let body = Value::Array(json_of(&one_of_each())).to_string();
    for encoding in ["br", "deflate", "gzip, zstd", "gzip,gzip", "chocolate"] {
        let reply = post_encoded(&stand, encoding, body.clone().into_bytes()).await;
        reply.refuses(415, "unsupported_encoding", None);
    }
    assert_eq!(stand.stored().await, 0);
}

#[tokio::test]
async fn a_body_that_cannot_be_decompressed_is_400() {
    let stand = Stand::direct().await;
    let whole = gzip(Value::Array(json_of(&one_of_each())).to_string().as_bytes());
    for (encoding, body) in [
        ("gzip", b"[]".to_vec()),
        ("zstd", b"[]".to_vec()),
        ("gzip", whole[..whole.len() / 2].to_vec()),
        ("zstd", whole),
    ] {
        let reply = post_encoded(&stand, encoding, body).await;
        reply.refuses(400, "invalid_body", None);
    }
    assert_eq!(stand.stored().await, 0);
}

#[tokio::test]
async fn ten_thousand_events_are_taken_and_one_more_is_413() {
    let stand = Stand::direct().await;
    let session = uuid::Uuid::new_v4();
    let batch = |count: usize| -> Vec<Value> {
        (0..count)
            .map(|n| {
                an_answer()
                    .in_session(session)
                    .named(format!("e{n}"))
                    .into()
            })
            .collect()
    };
    let body = stand.app.post_batch(batch(EVENTS_MAX)).await.expect(201);
    assert_eq!(body["processed_count"], EVENTS_MAX);
    assert_eq!(stand.stored().await, EVENTS_MAX as i64);
    let over = batch(EVENTS_MAX + 1);
    let reply = stand.app.post_batch(over.clone()).await;
    reply.refuses(413, "too_many_events", None);
    assert!(
        reply.text.contains("10000"),
        "the answer names the limit: {}",
        reply.text
    );
    let lines: Vec<String> = over.iter().map(Value::to_string).collect();
    post_lines(&stand, lines.join("\n"))
        .await
        .refuses(413, "too_many_events", None);
    assert_eq!(stand.stored().await, EVENTS_MAX as i64);
}

#[tokio::test]
async fn more_than_10_mib_on_the_wire_is_413() {
    let stand = Stand::direct().await;
    // Blanks around the array make a body of exactly the size wanted.
    let body_of = |bytes: usize| format!("[]{}", " ".repeat(bytes - 2)).into_bytes();
    Reply::of(stand.app.batch(1).body(body_of(WIRE_BYTES_MAX)))
        .await
        .expect(201);
    let reply = Reply::of(stand.app.batch(1).body(body_of(WIRE_BYTES_MAX + 1))).await;
    reply.refuses(413, "body_too_large", None);
    assert!(
        reply.text.contains("10485760"),
        "the answer names the limit: {}",
        reply.text
    );
}

#[tokio::test]
async fn a_small_body_that_swells_beyond_64_mib_is_413() {
    let stand = Stand::direct().await;
    let bomb = vec![b' '; BODY_BYTES_MAX + 1];
    type Encode = fn(&[u8]) -> Vec<u8>;
    for (name, encode) in [("gzip", gzip as Encode), ("zstd", zstd as Encode)] {
        let body = encode(&bomb);
        assert!(body.len() < WIRE_BYTES_MAX / 10);
        let reply = post_encoded(&stand, name, body).await;
        reply.refuses(413, "body_too_large", None);
        assert!(
            reply.text.contains("67108864"),
            "the answer names the limit: {}",
            reply.text
        );
    }
}

#[tokio::test]
async fn the_same_event_in_array_ndjson_and_single_form_is_one_event() {
    let stand = Stand::direct().await;
    let event = an_answer();
    stand.app.post_event(&event).await.expect(201);
    let body = stand
        .app
        .post_batch([Value::from(&event)])
        .await
        .expect(201);
    assert_eq!(body["results"][0]["status"], "duplicate");
    let body = post_lines(&stand, lines_of(&[event])).await.expect(201);
    assert_eq!(body["results"][0]["status"], "duplicate");
    assert_eq!(stand.stored().await, 1);
}
