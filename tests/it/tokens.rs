//! Who may do what with which token: contract 2.3 and 12.2.

use std::time::{SystemTime, UNIX_EPOCH};

use analytics_ingestor::auth::Role;
use jsonwebtoken::{Algorithm, EncodingKey, Header, decode, encode};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::client::{JWT_SECRET, USER_ID, token_of};
use crate::harness::event::an_answer;
use crate::harness::{App, Reply, TestDb};

fn in_an_hour() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs() + 3600
}

fn claims() -> Value {
    json!({"user_id": 7, "scopes": ["WRITE"], "sub": "7", "exp": in_an_hour()})
}

fn signed(claims: &Value, algorithm: Algorithm, key: &str) -> String {
    let key = EncodingKey::from_secret(key.as_bytes());
    encode(&Header::new(algorithm), claims, &key).unwrap()
}

fn token(claims: &Value) -> String {
    signed(claims, Algorithm::HS256, JWT_SECRET)
}

async fn post_with(app: &App, token: &str) -> Reply {
    let request = app.post("/api/events").bearer_auth(token);
    Reply::of(request.json(&an_answer().json())).await
}

/// Posts an event with a whole `Authorization` header.
async fn post_with_header(app: &App, header: &str) -> Reply {
    let request = app.post("/api/events").header("authorization", header);
    Reply::of(request.json(&an_answer().json())).await
}

#[tokio::test]
async fn a_login_token_has_the_claims_of_the_contract() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    for (role, scope) in [("writer", "WRITE"), ("reader", "READ")] {
        let account = json!({"name": "A", "email": format!("{role}@example.com"), "password": "123456", "role": role});
        app.post_json("/api/auth/signup", &account).await;
        let before = in_an_hour() - 3600;
        let token = app.post_json("/api/auth/login", &account).await.expect(200)["token"].clone();
        let decoded = decode::<Value>(
            token.as_str().unwrap(),
            &jsonwebtoken::DecodingKey::from_secret(JWT_SECRET.as_bytes()),
            &jsonwebtoken::Validation::new(Algorithm::HS256),
        )
        .unwrap();
        let user_id = db
            .number(&format!("SELECT id FROM users WHERE role = '{role}'"))
            .await;
        let exp = decoded.claims["exp"].as_u64().unwrap();
        assert!((before + 86_400..=before + 86_410).contains(&exp), "{exp}");
        let expected = json!({
            "user_id": user_id, "scopes": [scope], "sub": user_id.to_string(), "exp": exp, "tenant_id": 1,
        });
        assert_eq!(decoded.claims, expected);
    }
}

#[tokio::test]
async fn the_header_is_the_word_bearer_one_space_and_the_token() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let good = token_of(1, Role::Writer);
    post_with_header(&app, &format!("Bearer {good}"))
        .await
        .expect(201);
    for header in [
        String::new(),
        "Bearer".to_owned(),
        good.clone(),
        format!("bearer {good}"),
        format!("BEARER {good}"),
        format!("Token {good}"),
        format!("Bearer\t{good}"),
    ] {
        let reply = post_with_header(&app, &header).await;
        let error = reply.expect(401)["error"].clone();
        assert_eq!(error, "authorization header missing or invalid", "{header}");
    }
    let reply = post_with_header(&app, &format!("Bearer  {good}")).await;
    assert_eq!(reply.expect(401)["error"], "invalid token");
    let reply = app.post_json("/api/events", &an_answer().json()).await;
    assert_eq!(
        reply.expect(401)["error"],
        "authorization header missing or invalid"
    );
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn a_token_that_is_forged_old_or_endless_is_401_invalid_token() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let mut old = claims();
    old["exp"] = json!(in_an_hour() - 3601);
    let mut endless = claims();
    endless.as_object_mut().unwrap().remove("exp");
    let good = token(&claims());
    let (head, signature) = good.rsplit_once('.').unwrap();
    post_with(&app, &good).await.expect(201);
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", good.split('.').nth(1).unwrap());
    for (what, token) in [
        (
            "another key",
            signed(
                &claims(),
                Algorithm::HS256,
                "another-key-another-key-another-key",
            ),
        ),
        ("HS512", signed(&claims(), Algorithm::HS512, JWT_SECRET)),
        ("HS384", signed(&claims(), Algorithm::HS384, JWT_SECRET)),
        ("alg none", unsigned),
        ("expired", token(&old)),
        ("no expiry", token(&endless)),
        ("no token", "abc".to_owned()),
        ("cut short", head.to_owned()),
        (
            "signature of another",
            format!("{head}.{}", signature.chars().rev().collect::<String>()),
        ),
    ] {
        let reply = post_with(&app, &token).await;
        assert_eq!(reply.status, 401, "{what}: {reply:?}");
        assert_eq!(reply.json()["error"], "invalid token", "{what}");
    }
    assert_eq!(db.number("SELECT count(*) FROM answers").await, 1);
}

#[tokio::test]
async fn claims_that_cannot_be_read_are_401_invalid_token_claims() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    for (name, value) in [
        ("user_id", json!("seven")),
        ("scopes", json!("WRITE")),
        ("tenant_id", json!(0)),
        ("tenant_id", json!("1")),
    ] {
        let mut claims = claims();
        claims[name] = value.clone();
        let reply = post_with(&app, &token(&claims)).await;
        assert_eq!(
            reply.expect(401)["error"],
            "invalid token claims",
            "{name} = {value}"
        );
    }
}

#[tokio::test]
async fn a_token_without_scopes_or_without_the_scope_is_403() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    for (scopes, error) in [
        (Value::Null, "no scopes present"),
        (json!([]), "no scopes present"),
        (json!(["OTHER"]), "insufficient scope"),
        (json!(["READ"]), "insufficient scope"),
        (json!(["write"]), "insufficient scope"),
    ] {
        let mut claims = claims();
        claims["scopes"] = scopes.clone();
        let reply = post_with(&app, &token(&claims)).await;
        assert_eq!(reply.expect(403)["error"], error, "{scopes}");
    }
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove("scopes");
    let reply = post_with(&app, &token(&claims)).await;
    assert_eq!(reply.expect(403)["error"], "no scopes present");
}

#[tokio::test]
async fn a_reader_may_not_post_and_a_writer_may_not_read_and_an_admin_may_both() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let report =
        "/api/reports/questions-per-minute?session_id=900e8400-e29b-41d4-a716-446655440000";
    for (role, may_write, may_read) in [
        (Role::Reader, 403, 200),
        (Role::Writer, 201, 403),
        (Role::Admin, 201, 200),
    ] {
        let token = token_of(1, role);
        let posted = post_with(&app, &token).await;
        assert_eq!(posted.status, may_write, "{role:?}: {posted:?}");
        let batch = app.post("/api/events/batch").bearer_auth(&token).body("[]");
        assert_eq!(Reply::of(batch).await.status, may_write, "{role:?}");
        let read = app.request(Method::GET, report).bearer_auth(&token);
        assert_eq!(Reply::of(read).await.status, may_read, "{role:?}");
        for refused in [
            posted,
            Reply::of(app.request(Method::GET, report).bearer_auth(&token)).await,
        ] {
            if refused.status == 403 {
                assert_eq!(refused.json()["error"], "insufficient scope");
            }
        }
    }
}

#[tokio::test]
async fn the_token_is_judged_before_the_scope_and_the_scope_before_the_body() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let reader = token_of(1, Role::Reader);
    let writer = token_of(1, Role::Writer);
    for path in ["/api/events", "/api/events/batch"] {
        let bad_body = || app.post(path).body("{broken");
        assert_eq!(Reply::of(bad_body()).await.status, 401, "{path}");
        assert_eq!(
            Reply::of(bad_body().bearer_auth(&reader)).await.status,
            403,
            "{path}"
        );
        assert_eq!(
            Reply::of(bad_body().bearer_auth(&writer)).await.status,
            400,
            "{path}"
        );
    }
    for name in [
        "active-participants",
        "questions-per-minute",
        "response-rate",
        "question-analysis",
    ] {
        let bad_params = || app.request(Method::GET, &format!("/api/reports/{name}"));
        assert_eq!(Reply::of(bad_params()).await.status, 401, "{name}");
        assert_eq!(
            Reply::of(bad_params().bearer_auth(&writer)).await.status,
            403,
            "{name}"
        );
        assert_eq!(
            Reply::of(bad_params().bearer_auth(&reader)).await.status,
            400,
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_token_without_a_tenant_writes_to_tenant_one_and_with_one_to_that() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    post_with(&app, &token(&claims())).await.expect(201);
    let mut claims = claims();
    claims["tenant_id"] = json!(42);
    post_with(&app, &token(&claims)).await.expect(201);
    for tenant in [1, 42] {
        let query = format!("SELECT count(*) FROM answers WHERE tenant_id = {tenant}");
        assert_eq!(db.number(&query).await, 1, "tenant {tenant}");
    }
}

#[tokio::test]
async fn a_batch_answers_with_the_callers_user_id() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    assert_eq!(app.post_batch([]).await.expect(201)["user_id"], USER_ID);
}
