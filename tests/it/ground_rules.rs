//! What holds on every route: contract section 1, and the JSON of refusals (12.3).

use analytics_ingestor::auth::Role;
use reqwest::Method;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::harness::client::token_of;
use crate::harness::{App, Reply, TestDb};

const SESSION: &str = "900e8400-e29b-41d4-a716-446655440000";

#[tokio::test]
async fn an_unknown_path_and_an_unknown_method_are_404_in_plain_text() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/api"),
        (Method::GET, "/api/events"),
        (Method::PUT, "/api/events"),
        (Method::GET, "/api/auth/login"),
        (Method::POST, "/api/reports/questions-per-minute"),
        (Method::GET, "/api/reports/horoscope"),
        (Method::GET, "/api/reports"),
        (Method::DELETE, "/health"),
    ] {
        let reply = Reply::of(app.request(method.clone(), path)).await;
        assert_eq!(reply.status, 404, "{method} {path}");
        let content_type = reply.header("content-type").unwrap_or_default();
        assert!(
            content_type.starts_with("text/plain"),
            "{method} {path}: {content_type}"
        );
    }
}

#[tokio::test]
async fn a_trailing_slash_redirects_301_for_get_and_307_otherwise() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    for (method, path, status, target) in [
        (Method::GET, "/health/", 301, "/health"),
        (
            Method::GET,
            "/api/reports/questions-per-minute/?session_id=x",
            301,
            "/api/reports/questions-per-minute?session_id=x",
        ),
        (Method::POST, "/api/events/", 307, "/api/events"),
        (Method::POST, "/api/events/batch/", 307, "/api/events/batch"),
        (Method::POST, "/api/auth/login/", 307, "/api/auth/login"),
    ] {
        let reply = Reply::of(app.request(method, path)).await;
        assert_eq!(
            (reply.status, reply.header("location")),
            (status, Some(target)),
            "{path}"
        );
    }
    let elsewhere = Reply::of(app.request(Method::GET, "//example.com/")).await;
    assert_eq!(
        (elsewhere.status, elsewhere.header("location")),
        (404, None)
    );
}

#[tokio::test]
async fn every_json_answer_names_its_charset_and_is_compact() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let reader = token_of(1, Role::Reader);
    let writer = token_of(1, Role::Writer);
    let report = format!("/api/reports/questions-per-minute?session_id={SESSION}");
    for (what, request) in [
        ("health", app.request(Method::GET, "/health")),
        (
            "report",
            app.request(Method::GET, &report).bearer_auth(&reader),
        ),
        ("401", app.request(Method::GET, &report)),
        (
            "403",
            app.request(Method::GET, &report).bearer_auth(&writer),
        ),
        (
            "400",
            app.post("/api/events").bearer_auth(&writer).body("{"),
        ),
        (
            "201",
            app.post("/api/events/batch")
                .bearer_auth(&writer)
                .body("[]"),
        ),
        (
            "415",
            app.post("/api/events")
                .bearer_auth(&writer)
                .header("content-encoding", "br")
                .body("x"),
        ),
        ("login", app.post("/api/auth/login").body("{")),
    ] {
        let reply = Reply::of(request).await;
        assert_eq!(
            reply.header("content-type"),
            Some("application/json; charset=utf-8"),
            "{what}"
        );
        let compact = serde_json::to_string(&reply.json()).unwrap();
        assert_eq!(reply.text.len(), compact.len(), "{what}: {}", reply.text);
    }
}

#[tokio::test]
async fn every_refusal_has_a_text_and_a_code_in_snake_case() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let writer = token_of(1, Role::Writer);
    for request in [
        app.post("/api/events"),
        app.post("/api/events").bearer_auth("x"),
        app.post("/api/events")
            .bearer_auth(token_of(1, Role::Reader)),
        app.post("/api/events").bearer_auth(&writer).body("{}"),
        app.post("/api/events/batch").bearer_auth(&writer).body("5"),
        app.post("/api/auth/login").body("{}"),
        app.request(Method::GET, "/api/reports/response-rate")
            .bearer_auth(token_of(1, Role::Reader)),
    ] {
        let body = Reply::of(request).await.json();
        assert!(!body["error"].as_str().unwrap().is_empty(), "{body}");
        let code = body["code"].as_str().unwrap();
        assert!(
            code.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
            "{body}"
        );
    }
}

#[tokio::test]
async fn paging_numbers_and_counts_are_integers_without_a_point() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let reply = app
        .report("active-participants", &[("session_id", SESSION)])
        .await;
    reply.expect(200);
    for (name, value) in [
        ("page", 1),
        ("page_size", 50),
        ("total_count", 0),
        ("total_pages", 1),
        ("total_participants", 0),
        ("page_participants", 0),
    ] {
        let pair = format!("\"{name}\":{value}");
        let end = reply
            .text
            .split_once(&pair)
            .map(|(_, rest)| rest.chars().next());
        assert!(
            matches!(end, Some(Some(',' | '}'))),
            "{pair} in {}",
            reply.text
        );
    }
    assert!(
        reply.text.contains(r#""active_participants":[]"#),
        "{}",
        reply.text
    );
    let reply = app.post_batch([]).await;
    assert!(
        reply
            .text
            .contains(r#""processed_count":0,"total_events":0,"#),
        "{}",
        reply.text
    );
}

/// The head of the answer to a request as it is written here, lowercase.
async fn head_of_answer(app: &App, request: &str) -> String {
    let address = app
        .base()
        .strip_prefix("http://")
        .expect("it is plain HTTP");
    let mut connection = TcpStream::connect(address).await.expect("it listens");
    connection
        .write_all(request.as_bytes())
        .await
        .expect("it takes requests");
    let mut answer = String::new();
    let mut lines = BufReader::new(connection);
    while !answer.ends_with("\r\n\r\n") {
        let read = lines.read_line(&mut answer).await.expect("it is text");
        assert_ne!(read, 0, "the connection ended within the answer: {answer}");
    }
    answer.to_ascii_lowercase()
}

#[tokio::test]
async fn a_connection_ends_with_an_answer_only_where_the_answer_says_so() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    // Refused for its missing token, while most of the body is still to come.
    let unread = "POST /api/events HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{";
    let answer = head_of_answer(&app, unread).await;
    assert!(answer.starts_with("http/1.1 401 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    let chunked = "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n\
                   2\r\n{}\r\n0\r\n\r\n";
    let whole = "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
    let empty = "POST /api/events HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    for (request, status) in [(whole, "400"), (chunked, "400"), (empty, "401")] {
        let answer = head_of_answer(&app, request).await;
        assert!(
            answer.starts_with(&format!("http/1.1 {status} ")),
            "{answer}"
        );
        assert!(!answer.contains("\r\nconnection:"), "{answer}");
    }
}
