//! Each rule of an event, by name.

use serde_json::{Value, json};

use super::*;

const NOW: OffsetDateTime = datetime!(2025-06-20 12:00 UTC);

fn origin() -> Origin {
    Origin {
        tenant: Tenant::DEFAULT,
        received_at: NOW,
    }
}

fn answer() -> Value {
    json!({
        "event_id": "900e8400-e29b-41d4-a716-446655440060",
        "event_type": "ANSWER_SUBMITTED",
        "timestamp": "2025-06-20T10:01:00Z",
        "session_id": "900e8400-e29b-41d4-a716-446655440000",
        "quiz_id": "900e8400-e29b-41d4-a716-446655440010",
        "classroom_id": "900e8400-e29b-41d4-a716-446655440020",
        "question_id": "900e8400-e29b-41d4-a716-446655440030",
        "student_id": "900e8400-e29b-41d4-a716-446655440040",
        "answer": "B",
        "response_time_ms": 1200,
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut event = answer();
    event[field] = value;
    event
}

fn publication(field: &str, value: Value) -> Value {
    let mut event = with(field, value);
    event["event_type"] = json!("QUESTION_PUBLISHED");
    event
}

fn parse(event: &Value) -> Result<Event, InvalidEvent> {
    EventIn::from_json(event.to_string().as_bytes()).and_then(|event| event.parse(origin()))
}

fn fault_of(event: &Value) -> (Option<&'static str>, &'static str) {
    let invalid = parse(event).unwrap_err();
    (invalid.field, invalid.code())
}

#[test]
fn an_answer_is_taken_with_all_its_fields() {
    let event = parse(&answer()).unwrap();
    assert_eq!(event.type_name(), "ANSWER_SUBMITTED");
    assert_eq!(event.timestamp_text(), "2025-06-20T10:01:00Z");
    let Fact::AnswerSubmitted {
        answer,
        response_time_ms,
        ..
    } = event.fact
    else {
        panic!("{event:?}")
    };
    assert_eq!((&*answer, response_time_ms), ("B", Some(1200)));
}

#[test]
fn each_common_field_is_required_absent_null_or_empty() {
    for field in [
        "event_id",
        "event_type",
        "timestamp",
        "session_id",
        "quiz_id",
        "classroom_id",
        "question_id",
    ] {
        for value in [Value::Null, json!("")] {
            assert_eq!(
                fault_of(&with(field, value)),
                (Some(field), "missing_field")
            );
        }
        let mut event = answer();
        event.as_object_mut().unwrap().remove(field);
        assert_eq!(fault_of(&event), (Some(field), "missing_field"));
    }
}

#[test]
fn a_session_start_and_end_need_no_question() {
    for name in ["SESSION_STARTED", "SESSION_ENDED"] {
        let mut event = with("event_type", json!(name));
        event.as_object_mut().unwrap().remove("question_id");
        assert_eq!(parse(&event).unwrap().type_name(), name);
    }
}

#[test]
fn an_answer_needs_a_student_and_an_answer() {
    for field in ["student_id", "answer"] {
        assert_eq!(
            fault_of(&with(field, Value::Null)),
            (Some(field), "missing_field")
        );
    }
}

#[test]
fn every_id_but_the_event_id_must_be_a_uuid() {
    for field in [
        "session_id",
        "quiz_id",
        "classroom_id",
        "question_id",
        "student_id",
    ] {
        assert_eq!(
            fault_of(&with(field, json!("nope"))),
            (Some(field), "invalid_uuid")
        );
    }
    assert_eq!(
        fault_of(&publication("teacher_id", json!("nope"))),
        (Some("teacher_id"), "invalid_uuid")
    );
    assert_eq!(
        parse(&with("event_id", json!("test-001")))
            .unwrap()
            .event_id
            .to_text(),
        "test-001"
    );
}

#[test]
fn a_uuid_is_taken_in_each_of_its_four_forms() {
    let id = Uuid::from_u128(0x900e8400_e29b_41d4_a716_446655440000);
    for text in [
        id.hyphenated().to_string(),
        id.simple().to_string(),
        id.braced().to_string(),
        id.urn().to_string(),
        id.to_string().to_uppercase(),
    ] {
        assert_eq!(
            parse(&with("session_id", json!(text))).unwrap().session_id,
            id,
            "{text}"
        );
    }
}

#[test]
fn a_value_of_another_type_is_a_fault_of_its_field() {
    for value in [
        json!(5),
        json!(1.5),
        json!(true),
        json!([1, [2]]),
        json!({"a": {"b": 1}}),
    ] {
        assert_eq!(
            fault_of(&with("answer", value.clone())),
            (Some("answer"), "wrong_type"),
            "{value}"
        );
    }
    for value in [json!("60"), json!(60.0), json!(1e30), json!([])] {
        let fault = fault_of(&publication("timer_sec", value.clone()));
        assert_eq!(fault, (Some("timer_sec"), "wrong_type"), "{value}");
    }
}

#[test]
fn a_timer_is_at_least_one_second_or_absent() {
    for value in [0, -1, i64::from(i32::MAX) + 1] {
        assert_eq!(
            fault_of(&publication("timer_sec", json!(value))),
            (Some("timer_sec"), "out_of_range")
        );
    }
    let untimed = parse(&publication("timer_sec", Value::Null)).unwrap();
    assert!(matches!(
        untimed.fact,
        Fact::QuestionPublished {
            timer_sec: None,
            ..
        }
    ));
}

#[test]
fn a_response_time_is_not_negative() {
    let field = "response_time_ms";
    assert_eq!(
        fault_of(&with(field, json!(-1))),
        (Some(field), "out_of_range")
    );
    assert!(parse(&with(field, json!(0))).is_ok());
}

#[test]
fn a_timestamp_needs_an_offset_which_is_echoed_and_stands_for_an_instant() {
    for text in [
        "2025-06-20 10:01:00",
        "2025-06-20T10:01:00",
        "20 June",
        "2025-13-01T00:00:00Z",
    ] {
        assert_eq!(
            fault_of(&with("timestamp", json!(text))),
            (Some("timestamp"), "invalid_timestamp"),
            "{text}"
        );
    }
    let event = parse(&with("timestamp", json!("2025-06-20T12:01:00.500+02:00"))).unwrap();
    assert_eq!(event.timestamp_text(), "2025-06-20T12:01:00.5+02:00");
    assert_eq!(event.occurred_at, datetime!(2025-06-20 10:01:00.5 UTC));
}

#[test]
fn a_timestamp_is_cut_to_the_microsecond() {
    let event = parse(&with("timestamp", json!("2025-06-20T10:01:00.123456789Z"))).unwrap();
    assert_eq!(event.occurred_at, datetime!(2025-06-20 10:01:00.123456 UTC));
}

#[test]
fn a_timestamp_is_at_most_24_hours_ahead_and_not_before_year_one() {
    assert!(parse(&with("timestamp", json!("2025-06-21T12:00:00Z"))).is_ok());
    assert_eq!(
        fault_of(&with("timestamp", json!("2025-06-21T12:00:00.000001Z"))),
        (Some("timestamp"), "timestamp_in_the_future")
    );
    assert_eq!(
        fault_of(&with("timestamp", json!("9999-12-31T23:59:59-23:59"))),
        (Some("timestamp"), "timestamp_in_the_future")
    );
    assert_eq!(
        fault_of(&with("timestamp", json!("0001-01-01T00:00:00+01:00"))),
        (Some("timestamp"), "timestamp_too_early")
    );
}

#[test]
fn nul_and_lone_surrogates_are_refused() {
    assert_eq!(
        fault_of(&with("answer", json!("a\u{0}b"))),
        (Some("answer"), "nul_character")
    );
    let lone = answer().to_string().replace("\"B\"", r#""\ud800""#);
    assert_eq!(
        EventIn::from_json(lone.as_bytes()).unwrap_err().code(),
        "broken_json"
    );
}

#[test]
fn an_unknown_type_is_refused_by_name_and_quoted_in_part() {
    let invalid = parse(&with("event_type", json!("QUIZ_ATE_ME"))).unwrap_err();
    assert_eq!(invalid.to_string(), "unknown event type: QUIZ_ATE_ME");
    let long = parse(&with("event_type", json!("é".repeat(100_000)))).unwrap_err();
    assert!(long.to_string().len() < 300);
}

#[test]
fn unknown_keys_are_ignored_and_repeated_known_ones_refused() {
    assert!(parse(&with("shoe_size", json!({"deep": [1, 2, {"er": null}]}))).is_ok());
    let twice = answer().to_string().replacen('{', r#"{"answer":"A","#, 1);
    let invalid = EventIn::from_json(twice.as_bytes())
        .unwrap()
        .parse(origin())
        .unwrap_err();
    assert_eq!(
        (invalid.field, invalid.code()),
        (Some("answer"), "repeated_field")
    );
}

#[test]
fn what_is_no_object_is_told_apart_from_what_is_no_json() {
    for (text, code) in [
        ("[]", "not_an_object"),
        ("5", "not_an_object"),
        ("{", "broken_json"),
        ("", "broken_json"),
    ] {
        assert_eq!(
            EventIn::from_json(text.as_bytes()).unwrap_err().code(),
            code,
            "{text}"
        );
    }
}
