//! `ctl load` against a server that is busy, broken, or strict; a stub, since the real one can't be told to be.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::Ctl;
use crate::harness::{PATIENCE, eventually};

/// What the stub was sent: the ids of each request, and when.
type Requests = Arc<Mutex<Vec<(Vec<String>, Instant)>>>;

/// Decides about a request by its place and its events.
type Answer = fn(usize, &[String]) -> Response;

#[derive(Clone)]
struct Stub {
    requests: Requests,
    answer: Answer,
}

async fn take(State(stub): State<Stub>, body: String) -> Response {
    let ids: Vec<String> = body
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"))
        .map(|event| event["event_id"].to_string())
        .collect();
    let place = {
        let mut requests = stub.requests.lock().expect("nobody panics with it");
        requests.push((ids.clone(), Instant::now()));
        requests.len() - 1
    };
    (stub.answer)(place, &ids)
}

/// A server that answers so, and a load of 8 events in one batch that is sent to it.
async fn stub(answer: Answer, arguments: &[&str]) -> (Ctl, Requests) {
    let requests = Requests::default();
    let stub = Stub {
        requests: Arc::clone(&requests),
        answer,
    };
    let router = Router::new()
        .route("/api/events/batch", post(take))
        .with_state(stub);
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a port is free");
    let address = listener.local_addr().expect("the listener has an address");
    let url = format!("http://{address}/api");
    // It ends with the test's runtime.
    tokio::spawn(async move { axum::serve(listener, router).await });
    let events: String = (0..8)
        .map(|n| format!("{{\"event_id\":\"{n}\"}}\n"))
        .collect();
    let load = Ctl::new(["load", "-", "--json"].iter().chain(arguments).copied())
        .with("LOAD_URL", url)
        .with("LOAD_TOKEN", "t")
        .reading(&events);
    (load, requests)
}

async fn load(
    answer: Answer,
    arguments: &[&str],
    code: i32,
) -> (Value, Vec<(Vec<String>, Instant)>) {
    let (load, requests) = stub(answer, arguments).await;
    let account = load.run().await.answers(code);
    let requests = requests.lock().expect("nobody panics with it").clone();
    (account, requests)
}

fn accepted(ids: &[String]) -> Response {
    results(StatusCode::CREATED, ids, |_| "accepted")
}

fn results(status: StatusCode, ids: &[String], verdict: fn(usize) -> &'static str) -> Response {
    let results: Vec<Value> = ids
        .iter()
        .enumerate()
        .map(|(place, id)| json!({"event_id": id, "status": verdict(place), "mode": "direct"}))
        .collect();
    (status, json!({"results": results}).to_string()).into_response()
}

#[tokio::test]
async fn a_busy_server_is_asked_again_after_the_time_it_names() {
    for status in [429, 503] {
        let answer: Answer = match status {
            429 => |place, ids| match place {
                0 => (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "1")], "{}").into_response(),
                _ => accepted(ids),
            },
            _ => |place, ids| match place {
                0 => (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], "{}").into_response(),
                _ => accepted(ids),
            },
        };
        let (account, requests) = load(answer, &[], 0).await;
        assert_eq!(account["acknowledged"], 8, "{account}");
        assert_eq!(account["sent_again"], 8, "{account}");
        let [(_, first), (_, second)] = &requests[..] else {
            panic!("two requests: {requests:?}");
        };
        assert!(*second - *first >= Duration::from_secs(1), "{status}");
    }
}

#[tokio::test]
async fn only_the_events_that_no_store_could_take_are_sent_again() {
    let answer: Answer = |place, ids| match place {
        0 => results(StatusCode::CREATED, ids, |place| match place {
            2 | 5 => "unavailable",
            _ => "accepted",
        }),
        _ => accepted(ids),
    };
    let (account, requests) = load(answer, &[], 0).await;
    assert_eq!(account["acknowledged"], 8, "{account}");
    assert_eq!(requests[1].0, [r#""2""#, r#""5""#]);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_halved_until_it_fits() {
    let answer: Answer = |_, ids| match ids.len() {
        ..=2 => accepted(ids),
        _ => (StatusCode::PAYLOAD_TOO_LARGE, r#"{"error":"too large"}"#).into_response(),
    };
    let (account, requests) = load(answer, &[], 0).await;
    assert_eq!(account["acknowledged"], 8, "{account}");
    let sizes: Vec<usize> = requests.iter().map(|(ids, _)| ids.len()).collect();
    assert_eq!(sizes, [8, 4, 2, 2, 4, 2, 2]);
}

#[tokio::test]
async fn an_event_that_spoils_its_batch_is_found_and_the_others_are_taken() {
    let answer: Answer = |_, ids| {
        if ids.contains(&r#""6""#.to_owned()) {
            (StatusCode::BAD_REQUEST, r#"{"error":"I dislike 6"}"#).into_response()
        } else {
            accepted(ids)
        }
    };
    let (account, _) = load(answer, &[], 1).await;
    assert_eq!(account["acknowledged"], 7, "{account}");
    assert_eq!(account["invalid"], 1, "{account}");
    assert_eq!(account["reasons"], json!(["event 6: 400: I dislike 6"]));
}

#[tokio::test]
async fn events_are_given_up_after_the_last_repetition_and_the_exit_code_says_so() {
    let answer: Answer = |_, _| StatusCode::INTERNAL_SERVER_ERROR.into_response();
    let (account, requests) = load(answer, &["--retries", "2"], 1).await;
    assert_eq!(requests.len(), 3);
    assert_eq!(account["given_up"], 8, "{account}");
    assert_eq!(account["acknowledged"], 0, "{account}");
}

#[tokio::test]
async fn a_load_that_is_interrupted_counts_what_it_did_not_send() {
    let arguments = ["--batch", "2", "--connections", "1", "--rate", "0.01"];
    let (load, requests) = stub(|_, ids| accepted(ids), &arguments).await;
    let started = load.start();
    eventually("the first request is there", PATIENCE, || async {
        !requests.lock().unwrap().is_empty()
    })
    .await;
    started.interrupt();
    let account = started.end().await.answers(1);
    assert_eq!(account["acknowledged"], 2, "{account}");
    assert_eq!(account["not_sent"], 6, "{account}");
    assert_eq!(requests.lock().unwrap().len(), 1);
}
