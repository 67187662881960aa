//! POST /api/events, refused: every rule of contract 3.1 to 3.3, the same in both modes.

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::harness::client::token_of;
use crate::harness::event::{Draft, a_publication, a_start, an_answer, an_end};
use crate::harness::{Reply, Stand};
use analytics_ingestor::auth::Role;

type Case = (Draft, &'static str, &'static str);

/// Every event that breaks one rule, with the code and the field of its refusal.
fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let common = [
        "event_id",
        "event_type",
        "timestamp",
        "session_id",
        "quiz_id",
        "classroom_id",
    ];
    for valid in [a_start(), an_end(), a_publication(), an_answer()] {
        // Without a type that needs none, a question is asked for first.
        let typed = valid.json().get("question_id").is_some();
        for field in common {
            cases.push((valid.clone().without(field), "missing_field", field));
            cases.push((valid.clone().with(field, ""), "missing_field", field));
            cases.push((
                valid.clone().with(field, Value::Null),
                "missing_field",
                field,
            ));
            if typed || field != "event_type" {
                cases.push((valid.clone().with(field, 5), "wrong_type", field));
                cases.push((valid.clone().with(field, json!(["x"])), "wrong_type", field));
            }
        }
        for field in ["session_id", "quiz_id", "classroom_id"] {
            for text in [
                "nope",
                "900e8400-e29b-41d4-a716-44665544000",
                "900e8400-e29b-41d4-a716-44665544000g",
            ] {
                cases.push((valid.clone().with(field, text), "invalid_uuid", field));
            }
        }
        for text in [
            "2025-06-20T12:00:00",
            "2025-06-20 12:00",
            "noon",
            "2025-02-30T00:00:00Z",
            "1750420800",
        ] {
            cases.push((
                valid.clone().with("timestamp", text),
                "invalid_timestamp",
                "timestamp",
            ));
        }
        let ahead = OffsetDateTime::now_utc() + Duration::hours(25);
        let ahead = ahead.format(&Rfc3339).unwrap();
        cases.push((
            valid.clone().with("timestamp", ahead),
            "timestamp_in_the_future",
            "timestamp",
        ));
        cases.push((valid.clone().named("x".repeat(129)), "too_long", "event_id"));
        cases.push((valid.clone().named("a\0b"), "nul_character", "event_id"));
    }
    for valid in [a_publication(), an_answer()] {
        cases.push((
            valid.clone().without("question_id"),
            "missing_field",
            "question_id",
        ));
        cases.push((
            valid.clone().with("question_id", ""),
            "missing_field",
            "question_id",
        ));
        cases.push((
            valid.with("question_id", "nope"),
            "invalid_uuid",
            "question_id",
        ));
    }
    for field in ["student_id", "answer"] {
        cases.push((an_answer().without(field), "missing_field", field));
        cases.push((an_answer().with(field, ""), "missing_field", field));
        cases.push((an_answer().with(field, true), "wrong_type", field));
    }
    cases.push((
        an_answer().with("student_id", "nope"),
        "invalid_uuid",
        "student_id",
    ));
    cases.push((an_answer().saying("a\0b"), "nul_character", "answer"));
    cases.push((
        an_answer().with("response_time_ms", -1),
        "out_of_range",
        "response_time_ms",
    ));
    cases.push((
        an_answer().with("response_time_ms", json!(1u64 << 40)),
        "out_of_range",
        "response_time_ms",
    ));
    cases.push((
        an_answer().with("response_time_ms", "5"),
        "wrong_type",
        "response_time_ms",
    ));
    cases.push((
        a_publication().with("teacher_id", "nope"),
        "invalid_uuid",
        "teacher_id",
    ));
    cases.push((
        a_publication().with("timer_sec", 0),
        "out_of_range",
        "timer_sec",
    ));
    cases.push((
        a_publication().with("timer_sec", -30),
        "out_of_range",
        "timer_sec",
    ));
    cases.push((
        a_publication().with("timer_sec", json!(1.5)),
        "wrong_type",
        "timer_sec",
    ));
    cases.push((
        a_publication().with("timer_sec", "60"),
        "wrong_type",
        "timer_sec",
    ));
    cases.push((
        a_publication().with("correct_answer", 5),
        "wrong_type",
        "correct_answer",
    ));
    cases
}

#[tokio::test]
async fn every_broken_rule_is_400_with_its_code_and_field_in_both_modes_and_nothing_is_stored() {
    let stands = Stand::both().await;
    for (event, code, field) in cases() {
        for stand in &stands {
            let reply = stand.app.post_event(&event).await;
            assert_eq!(reply.status, 400, "{} {event:?}: {reply:?}", stand.mode());
            reply.refuses(400, code, Some(field));
        }
    }
    for stand in &stands {
        assert_eq!(stand.stored().await, 0, "{}", stand.mode());
    }
}

#[tokio::test]
async fn an_unknown_type_is_refused_with_the_known_ones() {
    for stand in Stand::both().await {
        for name in ["QUIZ_DANCED", "answer_submitted", "ANSWER_SUBMITTED "] {
            let reply = stand
                .app
                .post_event(an_answer().with("event_type", name))
                .await;
            reply.refuses(400, "unknown_event_type", Some("event_type"));
            let body = reply.json();
            assert_eq!(body["error"], format!("unknown event type: {name}"));
            let known = [
                "SESSION_STARTED",
                "SESSION_ENDED",
                "QUESTION_PUBLISHED",
                "ANSWER_SUBMITTED",
            ];
            assert_eq!(body["known"], json!(known));
        }
    }
}

#[tokio::test]
async fn a_body_that_is_no_event_is_400() {
    for stand in Stand::both().await {
        let valid = an_answer().json().to_string();
        for (body, code) in [
            (String::new(), "broken_json"),
            ("{".to_owned(), "broken_json"),
            (format!("{valid} x"), "broken_json"),
            (valid.replace("\"B\"", "B"), "broken_json"),
            (valid.replace("\"B\"", "\"\\ud800\""), "broken_json"),
            ("[]".to_owned(), "not_an_object"),
            (format!("[{valid}]"), "not_an_object"),
            ("null".to_owned(), "not_an_object"),
            ("\"text\"".to_owned(), "not_an_object"),
        ] {
            let request = stand
                .app
                .post("/api/events")
                .bearer_auth(token_of(1, Role::Writer));
            let reply = Reply::of(request.body(body.clone())).await;
            assert_eq!(reply.status, 400, "{body}: {reply:?}");
            reply.refuses(400, code, None);
        }
        let twice = valid.replacen('{', r#"{"answer":"A","#, 1);
        let request = stand
            .app
            .post("/api/events")
            .bearer_auth(token_of(1, Role::Writer));
        Reply::of(request.body(twice))
            .await
            .refuses(400, "repeated_field", Some("answer"));
        assert_eq!(stand.stored().await, 0);
    }
}

#[tokio::test]
async fn an_event_needs_no_content_type() {
    for stand in Stand::both().await {
        for content_type in [
            "application/json",
            "text/plain",
            "application/x-www-form-urlencoded",
        ] {
            let request = stand
                .app
                .post("/api/events")
                .bearer_auth(token_of(1, Role::Writer));
            let request = request.header("content-type", content_type);
            Reply::of(request.body(an_answer().json().to_string()))
                .await
                .expect(201);
        }
        let request = stand
            .app
            .post("/api/events")
            .bearer_auth(token_of(1, Role::Writer));
        Reply::of(request.body(an_answer().json().to_string()))
            .await
            .expect(201);
    }
}

#[tokio::test]
async fn a_clock_that_is_up_to_24_hours_ahead_is_taken() {
    for stand in Stand::both().await {
        let ahead = OffsetDateTime::now_utc() + Duration::hours(23);
        stand
            .app
            .post_event(an_answer().at(ahead))
            .await
            .expect(201);
        assert_eq!(stand.stored().await, 1);
    }
}
