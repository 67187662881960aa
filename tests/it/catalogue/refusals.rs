//! What is refused, with which words.

use analytics_ingestor::auth::Role;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{World, ids, quiz_of, quiz_path};
use crate::harness::Reply;
use crate::harness::client::token_of;

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn only_an_admin_keeps_the_catalogue_and_the_token_is_looked_at_first() {
    let world = World::new().await;
    for path in ["/api/quizzes/x", "/api/classrooms/x"] {
        for method in [Method::GET, Method::PUT] {
            let request = || world.app.request(method.clone(), path).body("{");
            let reply = Reply::of(request()).await;
            reply.refuses(401, "missing_token", None);
            for role in [Role::Reader, Role::Writer] {
                let reply = Reply::of(request().bearer_auth(token_of(1, role))).await;
                reply.refuses(403, "insufficient_scope", None);
            }
        }
    }
}

#[tokio::test]
async fn a_path_that_is_no_uuid_is_refused_by_name() {
    let world = World::new().await;
    for id in ["x", "900e8400-e29b-41d4-a716-44665544001", "%FF", "%00"] {
        for (kind, field) in [("quizzes", "quiz_id"), ("classrooms", "classroom_id")] {
            let path = format!("/api/{kind}/{id}");
            let reply = world.app.entry_as(1, &path).await;
            reply.refuses(400, "invalid_uuid", Some(field));
            let reply = world.app.put_as(1, &path, &json!({})).await;
            reply.refuses(400, "invalid_uuid", Some(field));
        }
    }
}

#[tokio::test]
async fn a_faulty_body_is_refused_with_the_field_at_fault_and_changes_nothing() {
    let world = World::new().await;
    let [quiz, question] = ids();
    let before = quiz_of(&[(question, Some("A"))]);
    let stored = world.put(&quiz_path(quiz), &before).await;
    let twice = [question.to_string(), question.simple().to_string()];
    let cases = [
        (json!({}), "missing_field", Some("title")),
        (
            json!({"title": "", "questions": []}),
            "missing_field",
            Some("title"),
        ),
        (
            json!({"title": 7, "questions": []}),
            "wrong_type",
            Some("title"),
        ),
        (
            json!({"title": "a\0b", "questions": []}),
            "nul_character",
            Some("title"),
        ),
        (
            json!({"title": "é".repeat(501), "questions": []}),
            "too_long",
            Some("title"),
        ),
        (
            json!({"title": "T", "description": [], "questions": []}),
            "wrong_type",
            Some("description"),
        ),
        (
            json!({"title": "T", "description": "\0", "questions": []}),
            "nul_character",
            Some("description"),
        ),
        (
            json!({"title": "T", "description": "x".repeat(100_001), "questions": []}),
            "too_long",
            Some("description"),
        ),
        (json!({"title": "T"}), "missing_field", Some("questions")),
        (
            json!({"title": "T", "questions": null}),
            "missing_field",
            Some("questions"),
        ),
        (
            json!({"title": "T", "questions": "all"}),
            "wrong_shape",
            Some("questions"),
        ),
        (
            json!({"title": "T", "questions": [question]}),
            "wrong_shape",
            Some("questions[0]"),
        ),
        (
            json!({"title": "T", "questions": [{}]}),
            "missing_field",
            Some("questions[0].question_id"),
        ),
        (
            json!({"title": "T", "questions": [{"question_id": "x"}]}),
            "invalid_uuid",
            Some("questions[0].question_id"),
        ),
        (
            json!({"title": "T", "questions": [{"question_id": 5}]}),
            "wrong_type",
            Some("questions[0].question_id"),
        ),
        (
            json!({"title": "T", "questions": [{"question_id": question, "correct_answer": 4}]}),
            "wrong_type",
            Some("questions[0].correct_answer"),
        ),
        (
            json!({"title": "T", "questions": [{"question_id": question, "correct_answer": "\0"}]}),
            "nul_character",
            Some("questions[0].correct_answer"),
        ),
        (
            json!({"title": "T", "questions": [{"question_id": question, "correct_answer": "x".repeat(100_001)}]}),
            "too_long",
            Some("questions[0].correct_answer"),
        ),
        (
            json!({"title": "T", "questions": [{"question_id": twice[0]}, {"question_id": twice[1]}]}),
            "repeated_id",
            Some("questions[1].question_id"),
        ),
        (json!([]), "wrong_shape", None),
    ];
    for (body, code, field) in cases {
        let reply = world.app.put_as(1, &quiz_path(quiz), &body).await;
        reply.refuses(400, code, field);
    }
    assert_eq!(world.entry(&quiz_path(quiz)).await, stored);

    let student = Uuid::new_v4();
    let cases = [
        (json!({"students": []}), "missing_field", Some("name")),
        (json!({"name": "N"}), "missing_field", Some("students")),
        (
            json!({"name": "N", "students": [{"name": "A"}]}),
            "missing_field",
            Some("students[0].student_id"),
        ),
        (
            json!({"name": "N", "students": [{"student_id": student, "name": "\0"}]}),
            "nul_character",
            Some("students[0].name"),
        ),
        (
            json!({"name": "N", "students": [{"student_id": student, "name": "x".repeat(1_001)}]}),
            "too_long",
            Some("students[0].name"),
        ),
        (
            json!({"name": "N", "students": [{"student_id": student}, {"student_id": student}]}),
            "repeated_id",
            Some("students[1].student_id"),
        ),
    ];
    let path = format!("/api/classrooms/{quiz}");
    for (body, code, field) in cases {
        let reply = world.app.put_as(1, &path, &body).await;
        reply.refuses(400, code, field);
    }
    world
        .app
        .entry_as(1, &path)
        .await
        .refuses(404, "not_found", None);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_without_a_field() {
    let world = World::new().await;
    for body in [
        "",
        "{",
        "title",
        r#"{"title":"T","questions":[]}{}"#,
        "{\"title\":\"\u{fffd}\\ud800\"}",
    ] {
        let request = world.app.request(Method::PUT, &quiz_path(Uuid::new_v4()));
        let request = request.bearer_auth(token_of(1, Role::Admin)).body(body);
        Reply::of(request).await.refuses(400, "broken_json", None);
    }
}

/// Puts a quiz of as many bytes, most of them in a field that is ignored.
async fn put_bytes(world: &World, bytes: usize) -> Reply {
    let head = r#"{"title":"T","questions":[],"x":""#;
    let body = format!("{head}{}\"}}", "x".repeat(bytes - head.len() - 2));
    assert_eq!(body.len(), bytes);
    let request = world.app.request(Method::PUT, &quiz_path(Uuid::new_v4()));
    Reply::of(request.bearer_auth(token_of(1, Role::Admin)).body(body)).await
}

#[tokio::test]
async fn a_body_of_ten_mebibytes_is_taken_and_one_byte_more_is_not() {
    let world = World::new().await;
    put_bytes(&world, 10 * MIB).await.expect(200);
    let reply = put_bytes(&world, 10 * MIB + 1).await;
    reply.refuses(413, "body_too_large", None);
}

#[tokio::test]
async fn a_long_list_is_stored_whole() {
    let world = World::new().await;
    let students: Vec<Value> = (1..=20_000_u128)
        .rev()
        .map(|n| json!({"student_id": Uuid::from_u128(n), "name": format!("Student {n}")}))
        .collect();
    let path = format!("/api/classrooms/{}", Uuid::new_v4());
    let stored = world
        .put(&path, &json!({"name": "All", "students": students}))
        .await;
    assert_eq!(stored["students"], json!(students));
}
