//! What holds on every route: contract section 1, and the JSON of refusals (12.3).

use analytics_ingestor::auth::Role;
use reqwest::Method;

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
