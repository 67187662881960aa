//! Whatever a client sends, the answer is never the server's fault: random bytes, and valid bodies with damage.

use analytics_ingestor::auth::Role;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::client::token_of;
use crate::harness::event::{a_publication, a_start, an_answer, an_end};
use crate::harness::{App, Reply, TestDb};

const CASES: u32 = 400;

/// Damage to a body; the places are taken modulo its length.
#[derive(Debug, Clone)]
enum Damage {
    Overwrite(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Double(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..8),
        prop::sample::select(vec![
            b"\\u0000".to_vec(),
            b"\0".to_vec(),
            b"\\ud800".to_vec(),
            b"\xff\xfe".to_vec(),
            b"1e999".to_vec(),
            b"-0".to_vec(),
            b"null".to_vec(),
            b"[[[[".to_vec(),
            b"{\"a\":".to_vec(),
            b"9999-12-31T23:59:59.999999999-23:59".to_vec(),
            b"18446744073709551616".to_vec(),
            "\u{202e}\u{10ffff}".as_bytes().to_vec(),
        ]),
    ];
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Overwrite(at, byte)),
        (any::<usize>(), bytes).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (any::<usize>(), 1..20_usize).prop_map(|(at, count)| Damage::Remove(at, count)),
        (any::<usize>(), 1..200_usize).prop_map(|(at, count)| Damage::Double(at, count)),
    ]
}

fn damaged(mut body: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let at = |place: &usize| place % (body.len() + 1);
        match damage {
            Damage::Overwrite(place, byte) => {
                let at = at(place);
                if let Some(place) = body.get_mut(at) {
                    *place = *byte;
                }
            }
            Damage::Insert(place, bytes) => {
                let at = at(place);
                drop(body.splice(at..at, bytes.iter().copied()));
            }
            Damage::Remove(place, count) => {
                let at = at(place);
                drop(body.drain(at..(at + count).min(body.len())));
            }
            Damage::Double(place, count) => {
                let at = at(place);
                let copy = body[at..(at + count).min(body.len())].to_vec();
                drop(body.splice(at..at, copy));
            }
        }
    }
    body
}

/// A value that some field may not expect.
fn a_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec![
            Value::Null,
            json!(true),
            json!(0),
            json!(-1),
            json!(1.5),
            json!(u64::MAX),
            json!(i64::MIN),
            json!([]),
            json!({}),
            json!(""),
            json!("\0"),
            json!("A".repeat(70_000)),
            json!("0001-01-01T00:00:00Z"),
            json!("0000-01-01T00:00:00Z"),
            json!("9999-12-31T23:59:60Z"),
            json!("2025-06-20T12:00:00+24:00"),
            json!("urn:uuid:nope"),
            json!({"a": [{"b": null}]}),
        ]),
        any::<String>().prop_map(Value::String),
        any::<i64>().prop_map(Value::from),
    ]
}

fn an_event() -> impl Strategy<Value = Value> {
    let fields = vec![
        "event_id",
        "event_type",
        "timestamp",
        "session_id",
        "quiz_id",
        "classroom_id",
        "question_id",
        "teacher_id",
        "timer_sec",
        "student_id",
        "answer",
        "response_time_ms",
        "correct_answer",
    ];
    let changes = prop::collection::vec((prop::sample::select(fields), a_value()), 0..3);
    (0..4_usize, changes).prop_map(|(kind, changes)| {
        let mut event = [a_start(), an_end(), a_publication(), an_answer()][kind].json();
        for (field, value) in changes {
            event[field] = value;
        }
        event
    })
}

fn a_body() -> impl Strategy<Value = Vec<u8>> {
    let valid = prop_oneof![
        an_event().prop_map(|event| event.to_string()),
        prop::collection::vec(an_event(), 0..5).prop_map(|events| Value::Array(events).to_string()),
        prop::collection::vec(an_event(), 0..5)
            .prop_map(|events| events.iter().map(|event| format!("{event}\n")).collect()),
        a_value().prop_map(|value| value.to_string()),
        (any::<String>(), any::<String>()).prop_map(|(name, password)| {
            json!({"name": name, "email": "a@example.com", "password": password, "role": "writer"}).to_string()
        }),
    ];
    let damaged = (valid, prop::collection::vec(damage(), 0..4))
        .prop_map(|(body, damages)| damaged(body.into_bytes(), &damages));
    prop_oneof![3 => damaged, 1 => prop::collection::vec(any::<u8>(), 0..300)]
}

/// A header value of any bytes that HTTP admits.
fn a_header() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![0x20..=0x7e_u8, 0x80..=0xff_u8], 0..40)
}

#[derive(Debug, Clone)]
struct Case {
    path: &'static str,
    content_type: Option<Vec<u8>>,
    encoding: Option<Vec<u8>>,
    authorization: Option<Vec<u8>>,
    body: Vec<u8>,
}

fn a_case() -> impl Strategy<Value = Case> {
    let path = prop::sample::select(vec![
        "/api/events",
        "/api/events/batch",
        "/api/events",
        "/api/events/batch",
        "/api/events/batch",
        "/api/auth/login",
        "/api/auth/signup",
    ]);
    let known = |values: &'static [&'static str]| {
        prop::sample::select(values).prop_map(|value| value.as_bytes().to_vec())
    };
    let content_type = prop_oneof![
        known(&["application/json", "application/x-ndjson", ""]),
        a_header()
    ];
    let encoding = prop_oneof![known(&["gzip", "zstd", "identity"]), a_header()];
    (
        path,
        prop::option::weighted(0.7, content_type),
        prop::option::weighted(0.15, encoding),
        prop::option::weighted(0.05, a_header()),
        a_body(),
    )
        .prop_map(|(path, content_type, encoding, authorization, body)| Case {
            path,
            content_type,
            encoding,
            authorization,
            body,
        })
}

async fn answer_to(app: &App, case: &Case) -> Reply {
    let mut request = app.post(case.path).body(case.body.clone());
    request = match &case.authorization {
        Some(header) => request.header("authorization", header.as_slice()),
        None => request.bearer_auth(token_of(1, Role::Writer)),
    };
    if let Some(content_type) = &case.content_type {
        request = request.header("content-type", content_type.as_slice());
    }
    if let Some(encoding) = &case.encoding {
        request = request.header("content-encoding", encoding.as_slice());
    }
    Reply::of(request).await
}

fn check<S: Strategy>(strategy: &S, answer: impl AsyncFn(&App, &S::Value) -> Reply) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let (db, app) = runtime.block_on(async {
        let db = TestDb::new().await;
        let app = App::direct(&db).await;
        (db, app)
    });
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(strategy, |case| {
        let reply = runtime.block_on(answer(&app, &case));
        if (200..500).contains(&reply.status) {
            Ok(())
        } else {
            Err(TestCaseError::fail(format!("{reply:?}")))
        }
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    runtime.block_on(app.stop());
    drop(db);
}

#[test]
fn no_body_and_no_header_is_answered_with_a_5xx() {
    check(&a_case(), answer_to);
}

#[test]
fn no_query_string_is_answered_with_a_5xx() {
    let name = prop::sample::select(vec![
        "active-participants",
        "questions-per-minute",
        "response-rate",
        "question-analysis",
    ]);
    let known = prop::sample::select(vec![
        "900e8400-e29b-41d4-a716-446655440000",
        "",
        "0",
        "-1",
        "1",
        "9223372036854775807",
        "99999999999999999999",
        "1000",
        "60m",
        "7d",
        "-5m",
        "36500d",
        "36525d",
        "1e9h",
        "9223372036854775807ns",
        "0s",
        "%00",
        "%ff",
        "+",
    ]);
    let value = prop_oneof![4 => known.prop_map(str::to_owned), 1 => "[ -~&&[^#]]{0,20}"];
    let param = prop::sample::select(vec![
        "session_id",
        "question_id",
        "page",
        "page_size",
        "limit",
        "time_range",
    ]);
    let query = prop::collection::vec((param, value), 0..6);
    check(
        &(name, query),
        async |app: &App, (name, query): &(&str, Vec<(&str, String)>)| {
            let ids = "session_id=900e8400-e29b-41d4-a716-446655440000&question_id=900e8400-e29b-41d4-a716-446655440030";
            let rest: String = query
                .iter()
                .map(|(param, value)| format!("&{param}={value}"))
                .collect();
            let path = format!("/api/reports/{name}?{ids}{rest}");
            Reply::of(
                app.request(Method::GET, &path)
                    .bearer_auth(token_of(1, Role::Reader)),
            )
            .await
        },
    );
}
