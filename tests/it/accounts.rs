//! Sign-up and login: contract 2.1 and 2.2.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{App, Reply, Setup, TestDb};

fn ada() -> Value {
    json!({"name": "Ada", "email": "ada@example.com", "password": "correct horse", "role": "writer"})
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

async fn sign_up(app: &App, body: &Value) -> Reply {
    app.post_json("/api/auth/signup", body).await
}

async fn log_in(app: &App, email: &str, password: &str) -> Reply {
    let body = json!({"email": email, "password": password});
    app.post_json("/api/auth/login", &body).await
}

/// Adds an account as an import from the original would.
async fn insert(db: &TestDb, email: &str, hash: &str, role: &str) {
    db.execute(&format!(
        "INSERT INTO users (name, email, password_hash, role) VALUES ('X', '{email}', '{hash}', '{role}')"
    ))
    .await;
}

async fn hash_of(db: &TestDb, email: &str) -> String {
    sqlx::query_scalar("SELECT password_hash FROM users WHERE email = $1")
        .bind(email)
        .fetch_one(&db.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_sign_up_answers_201_with_an_empty_body_and_the_account_can_log_in() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let reply = sign_up(&app, &ada()).await;
    assert_eq!((reply.status, reply.text.as_str()), (201, ""));
    assert!(
        hash_of(&db, "ada@example.com")
            .await
            .starts_with("$argon2id$")
    );

    let token = log_in(&app, "ada@example.com", "correct horse").await;
    let posted = app
        .post("/api/events")
        .bearer_auth(token.expect(200)["token"].as_str().unwrap())
        .json(&crate::harness::event::an_answer().json());
    Reply::of(posted).await.expect(201);
}

#[tokio::test]
async fn a_login_answers_compact_json_that_scripts_can_match_on() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    sign_up(&app, &ada()).await;
    let reply = log_in(&app, "ada@example.com", "correct horse").await;
    assert!(reply.text.starts_with(r#"{"token":"ey"#), "{}", reply.text);
    assert_eq!(
        reply.header("content-type"),
        Some("application/json; charset=utf-8")
    );
}

#[tokio::test]
async fn each_sign_up_field_is_required() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    for field in ["name", "email", "password", "role"] {
        for value in [json!(""), json!(5)] {
            let reply = sign_up(&app, &with(ada(), field, value.clone())).await;
            assert_eq!(reply.status, 400, "{field} = {value}");
        }
        let mut body = ada();
        body.as_object_mut().unwrap().remove(field);
        sign_up(&app, &body)
            .await
            .refuses(400, "invalid_field", Some(field));
    }
    assert_eq!(db.number("SELECT count(*) FROM users").await, 0);
}

#[tokio::test]
async fn a_sign_up_beyond_a_bound_is_400_and_names_the_field() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    for (field, value) in [
        ("name", "n".repeat(101)),
        ("name", "a\0b".to_owned()),
        ("email", "no-address".to_owned()),
        (
            "email",
            format!("{}@{}.example.com", "e".repeat(60), "d".repeat(40)),
        ),
        ("password", "12345".to_owned()),
        ("password", "p".repeat(73)),
        ("password", "é".repeat(37)),
        ("role", "admin".to_owned()),
        ("role", "Writer".to_owned()),
    ] {
        sign_up(&app, &with(ada(), field, json!(value)))
            .await
            .refuses(400, "invalid_field", Some(field));
    }
    for (field, value) in [
        ("name", "n".repeat(100)),
        ("password", "p".repeat(72)),
        ("password", "123456".to_owned()),
    ] {
        let email = format!("{}-{}@example.com", field, value.len());
        let body = with(with(ada(), "email", json!(email)), field, json!(value));
        assert_eq!(sign_up(&app, &body).await.status, 201, "{body}");
    }
}

#[tokio::test]
async fn a_taken_e_mail_is_409_and_leaves_the_first_account_alone() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    sign_up(&app, &ada()).await;
    let second = with(ada(), "password", json!("another one"));
    sign_up(&app, &second)
        .await
        .refuses(409, "email_taken", None);
    log_in(&app, "ada@example.com", "correct horse")
        .await
        .expect(200);
    log_in(&app, "ada@example.com", "another one")
        .await
        .expect(401);
    // Addresses are told apart by case.
    let other = with(ada(), "email", json!("Ada@example.com"));
    assert_eq!(sign_up(&app, &other).await.status, 201);
}

#[tokio::test]
async fn a_closed_sign_up_is_403() {
    let db = TestDb::new().await;
    let app = Setup::on(&db.url()).start().await;
    sign_up(&app, &ada())
        .await
        .refuses(403, "signup_disabled", None);
    assert_eq!(db.number("SELECT count(*) FROM users").await, 0);
}

#[tokio::test]
async fn an_unknown_e_mail_and_a_wrong_password_get_the_same_answer_in_the_same_time() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    sign_up(&app, &ada()).await;
    let mut quickest = [Duration::MAX; 2];
    for _ in 0..5 {
        for (place, email) in ["ada@example.com", "nobody@example.com"]
            .into_iter()
            .enumerate()
        {
            let reply = log_in(&app, email, "wrong password").await;
            assert_eq!(reply.expect(401)["error"], "invalid credentials");
            quickest[place] = quickest[place].min(reply.took);
        }
    }
    let [wrong, unknown] = quickest;
    assert!(unknown * 3 > wrong, "wrong {wrong:?}, unknown {unknown:?}");
}

#[tokio::test]
async fn an_account_with_another_role_is_401_unrecognized_role() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    sign_up(&app, &ada()).await;
    db.execute("UPDATE users SET role = 'janitor'").await;
    let reply = log_in(&app, "ada@example.com", "correct horse").await;
    assert_eq!(reply.expect(401)["error"], "unrecognized role");
    // Only who knows the password may learn about the role.
    let reply = log_in(&app, "ada@example.com", "wrong").await;
    assert_eq!(reply.expect(401)["error"], "invalid credentials");
}

#[tokio::test]
async fn an_imported_bcrypt_hash_logs_in_and_is_argon2id_from_then_on() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    for (email, hash, password) in [
        (
            "reader.test@example.com",
            "$2a$10$g29Vxi1hiRXmj8GrsUYrVOnBuo/AcdQkL1KD7QjlwuRYMhC9DKZRS",
            "test123",
        ),
        (
            "alice@school.edu",
            "$2a$10$92IXUNpkjO0rOQ5byMi.Ye4oKoEa3Ro9llC/.og/at2.uheWG/igi",
            "password",
        ),
    ] {
        insert(&db, email, hash, "reader").await;
        log_in(&app, email, "nope-nope").await.expect(401);
        assert_eq!(
            hash_of(&db, email).await,
            hash,
            "a wrong password changes nothing"
        );
        log_in(&app, email, password).await.expect(200);
        let rehashed = hash_of(&db, email).await;
        assert!(rehashed.starts_with("$argon2id$"), "{rehashed}");
        log_in(&app, email, password).await.expect(200);
        log_in(&app, email, "nope-nope").await.expect(401);
    }
}

#[tokio::test]
async fn a_login_without_an_e_mail_or_a_password_or_with_broken_json_is_400() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    for (body, field) in [
        (json!({"password": "correct horse"}), Some("email")),
        (json!({"email": "", "password": "x"}), Some("email")),
        (
            json!({"email": "no-address", "password": "x"}),
            Some("email"),
        ),
        (json!({"email": "ada@example.com"}), Some("password")),
        (
            json!({"email": "ada@example.com", "password": ""}),
            Some("password"),
        ),
    ] {
        app.post_json("/api/auth/login", &body)
            .await
            .refuses(400, "invalid_field", field);
    }
    for (path, body) in [
        ("/api/auth/login", r#"{"email": "#),
        (
            "/api/auth/login",
            r#"{"email": 5, "password": "secret-secret"}"#,
        ),
        ("/api/auth/login", "5"),
        ("/api/auth/signup", ""),
        (
            "/api/auth/signup",
            r#"{"name": "Ada", "password": ["secret-secret"]}"#,
        ),
    ] {
        let reply = Reply::of(app.post(path).body(body)).await;
        reply.refuses(400, "invalid_body", None);
        assert!(!reply.text.contains("secret"), "{}", reply.text);
    }
}

#[tokio::test]
async fn a_quote_in_an_e_mail_is_text_and_not_sql() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    sign_up(&app, &ada()).await;
    let reply = log_in(&app, "o'hara@example.com", "x' OR '1'='1").await;
    assert_eq!(reply.expect(401)["error"], "invalid credentials");
    assert_eq!(db.number("SELECT count(*) FROM users").await, 1);
}
