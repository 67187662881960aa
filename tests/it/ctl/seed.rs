//! `ctl seed`: contract 6.

use analytics_ingestor::store::fixtures::USERS;
use serde_json::{Value, json};
use sqlx::Row;

use super::{Ctl, Ran};
use crate::harness::{App, TestDb};

async fn seed(db: &TestDb, arguments: &[&str]) -> Ran {
    let arguments = ["seed"].iter().chain(arguments).copied();
    Ctl::new(arguments).on(db).run().await
}

/// Answers of set A in the words of the contract: (event, session, question, student, right, minutes before T, late
/// by seconds of latency).
const ANSWERS: [(&str, &str, &str, &str, bool, i64, i64); 12] = [
    ("60", "00", "30", "40", true, 25, 0),
    ("61", "00", "31", "40", true, 20, 0),
    ("62", "00", "30", "41", false, 24, 60),
    ("63", "00", "30", "42", true, 23, 120),
    ("64", "00", "31", "42", true, 18, 120),
    ("65", "01", "32", "43", true, 90, 0),
    ("66", "01", "33", "43", true, 85, 0),
    ("67", "01", "32", "44", false, 88, 120),
    ("68", "01", "33", "44", false, 83, 120),
    ("69", "00", "30", "43", true, 22, 180),
    ("70", "00", "31", "44", false, 15, 300),
    ("71", "00", "30", "45", false, 21, 240),
];

#[tokio::test]
async fn every_table_holds_the_rows_of_both_sets() {
    let db = TestDb::new().await;
    seed(&db, &[]).await.exits(0);
    for (table, a, b) in [
        ("users", 10, 2),
        ("students", 8, 3),
        ("classrooms", 4, 1),
        ("classroom_students", 8, 3),
        ("quizzes", 4, 1),
        ("questions", 10, 1),
        ("sessions", 3, 0),
        ("publications", 4, 0),
        ("answers", 12, 0),
        ("session_events", 0, 0),
    ] {
        let rows = db.number(&format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(rows, a + b, "{table}");
    }
}

#[tokio::test]
async fn the_answers_of_set_a_are_graded_and_timed_as_the_contract_says() {
    let db = TestDb::new().await;
    let answer = seed(&db, &["--json"]).await.answers(0);
    let loaded_at = answer["loaded_at"].as_str().unwrap();
    let rows = sqlx::query(
        "SELECT right(event_id::text, 2), right(session_id::text, 2), right(question_id::text, 2),
                right(student_id::text, 2), is_correct, extract(epoch FROM $1::timestamptz - submitted_at)::bigint / 60,
                latency_us / 1000000, is_late
         FROM attempts WHERE tenant_id = 1 ORDER BY 1",
    )
    .bind(
        time::OffsetDateTime::parse(
            loaded_at,
            &time::format_description::well_known::Rfc3339,
        )
        .unwrap(),
    )
    .fetch_all(&db.pool)
    .await
    .unwrap();
    assert_eq!(rows.len(), ANSWERS.len());
    for (row, (event, session, question, student, right, minutes, latency)) in
        rows.iter().zip(ANSWERS)
    {
        let ids: [String; 4] = std::array::from_fn(|column| row.get(column));
        assert_eq!(ids, [event, session, question, student]);
        assert_eq!(row.get::<Option<bool>, _>(4), Some(right), "{event}");
        assert_eq!(row.get::<i64, _>(5), minutes, "{event}");
        assert_eq!(row.get::<Option<i64>, _>(6), Some(latency), "{event}");
        let late = latency > 60;
        assert_eq!(row.get::<Option<bool>, _>(7), Some(late), "{event}");
    }
}

#[tokio::test]
async fn every_account_logs_in_and_the_next_sign_up_gets_a_number_of_its_own() {
    let db = TestDb::new().await;
    seed(&db, &[]).await.exits(0);
    let app = App::direct(&db).await;
    for user in USERS {
        let body = json!({"email": user.email, "password": user.password});
        app.post_json("/api/auth/login", &body).await.expect(200);
    }
    let body =
        json!({"name": "New", "email": "new@example.com", "password": "123456", "role": "reader"});
    let reply = app.post_json("/api/auth/signup", &body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let id = "SELECT id FROM users WHERE email = 'new@example.com'";
    assert!(db.number(id).await > 12);
}

#[tokio::test]
async fn a_database_with_any_row_is_refused_without_yes() {
    for row in [
        "INSERT INTO users (name, email, password_hash) VALUES ('A', 'a@b.cd', 'x')",
        "INSERT INTO students (student_id) VALUES (gen_random_uuid())",
        "INSERT INTO sessions (tenant_id, session_id, quiz_id, classroom_id)
         VALUES (7, gen_random_uuid(), gen_random_uuid(), gen_random_uuid())",
    ] {
        let db = TestDb::new().await;
        db.execute(row).await;
        let refused = seed(&db, &[]).await;
        refused.fails_saying("is not empty");
        refused.fails_saying(row.split(' ').nth(2).unwrap());
        assert_eq!(db.number("SELECT count(*) FROM answers").await, 0);
    }
}

#[tokio::test]
async fn with_yes_the_fixtures_are_made_anew_and_all_other_rows_stay() {
    let db = TestDb::new().await;
    let first: Value = seed(&db, &["--json"]).await.answers(0);
    db.execute(
        "UPDATE classrooms SET name = 'renamed';
         UPDATE questions SET correct_answer = 'changed';
         DELETE FROM answers WHERE right(event_id::text, 2) = '60';
         UPDATE answers SET answer = 'changed';
         INSERT INTO students (student_id, name) VALUES (gen_random_uuid(), 'Somebody else');
         INSERT INTO users (name, email, password_hash) VALUES ('A', 'a@b.cd', 'x')",
    )
    .await;
    let second: Value = seed(&db, &["--json", "--yes"]).await.answers(0);
    assert_ne!(first["loaded_at"], second["loaded_at"]);
    for (query, rows) in [
        ("SELECT count(*) FROM answers", 12),
        ("SELECT count(*) FROM attempts WHERE is_correct", 7),
        ("SELECT count(*) FROM classrooms WHERE name = 'renamed'", 0),
        (
            "SELECT count(*) FROM students WHERE name = 'Somebody else'",
            1,
        ),
        ("SELECT count(*) FROM users", 13),
        ("SELECT count(*) FROM sessions WHERE facts_version > 2", 3),
    ] {
        assert_eq!(db.number(query).await, rows, "{query}");
    }
    let refreshed = sqlx::query_scalar::<_, bool>(
        "SELECT max(submitted_at) = $1::timestamptz - interval '15 minutes' FROM answers",
    )
    .bind(
        time::OffsetDateTime::parse(
            second["loaded_at"].as_str().unwrap(),
            &time::format_description::well_known::Rfc3339,
        )
        .unwrap(),
    )
    .fetch_one(&db.pool)
    .await
    .unwrap();
    assert!(refreshed);
}

#[tokio::test]
async fn somebody_elses_account_in_the_way_of_a_fixture_is_left_alone() {
    for account in [
        "INSERT INTO users (id, name, email, password_hash) VALUES (3, 'A', 'a@b.cd', 'x')",
        "INSERT INTO users (id, name, email, password_hash) VALUES (70, 'A', 'alice@school.edu', 'x')",
    ] {
        let db = TestDb::new().await;
        db.execute(account).await;
        seed(&db, &["--yes"]).await.fails_saying("is in the way");
        assert_eq!(db.number("SELECT count(*) FROM users").await, 1);
        assert_eq!(db.number("SELECT count(*) FROM students").await, 0);
    }
}

#[tokio::test]
async fn a_database_without_a_schema_is_answered_with_what_to_do() {
    let db = TestDb::new().await;
    db.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        .await;
    seed(&db, &[]).await.fails_saying("ctl migrate");
}
