//! Filters and the time range.

use serde_json::{Value, json};

use super::{School, World, a_publication, an_answer, ids};

async fn answers(school: &School, filters: Value) -> Value {
    let rows = school
        .rows(json!({"measures": ["total_answers"], "filters": filters}))
        .await;
    rows[0]["total_answers"].clone()
}

#[tokio::test]
async fn every_dimension_filters() {
    let school = School::new().await;
    let [head, _] = school.teachers;
    let [q1, ..] = school.questions;
    for (dimension, value, expected) in [
        ("session_id", school.first.to_string(), 6),
        (
            "session_id",
            school.first.simple().to_string().to_uppercase(),
            6,
        ),
        ("classroom_name", "Biology".to_owned(), 2),
        ("student_name", "Ann".to_owned(), 2),
        ("student_name", "Unknown".to_owned(), 1),
        ("question_id", q1.to_string(), 4),
        ("answer_option", "B".to_owned(), 3),
        ("answer_option", "b".to_owned(), 0),
        ("correctness_flag", "true".to_owned(), 5),
        ("correctness_flag", "False".to_owned(), 1),
        ("event_date", "2025-06-21".to_owned(), 1),
        ("event_hour", "12".to_owned(), 6),
        ("event_hour", "06".to_owned(), 1),
        ("event_hour", "25".to_owned(), 0),
        ("event_week", "25".to_owned(), 8),
        ("event_month", "6".to_owned(), 8),
        ("event_day_of_week", "Friday".to_owned(), 7),
        ("event_day_of_week", "Sunday".to_owned(), 0),
        ("time_bucket", "Evening".to_owned(), 1),
        ("performance_level", "Excellent".to_owned(), 4),
        ("response_speed_category", "Fast".to_owned(), 4),
        ("speed_category", "Unknown".to_owned(), 2),
        ("engagement_level", "Medium".to_owned(), 2),
        ("session_duration_category", "Ongoing".to_owned(), 2),
        ("quiz_title", "Motion".to_owned(), 6),
        ("difficulty_level", "Unrated".to_owned(), 2),
        ("timer_duration_category", "Untimed".to_owned(), 1),
        ("teacher_id", head.to_string(), 4),
    ] {
        let found = answers(&school, json!({dimension: value})).await;
        assert_eq!(found, expected, "{dimension} {value}");
    }
}

#[tokio::test]
async fn all_filters_must_hold() {
    let school = School::new().await;
    let both = json!({"student_name": "Ann", "correctness_flag": "true", "quiz_title": "Motion"});
    assert_eq!(answers(&school, both).await, 2);
    let neither = json!({"student_name": "Ann", "quiz_title": "Cells"});
    assert_eq!(answers(&school, neither).await, 0);
    let contradiction = json!({"speed_category": "Fast", "response_speed_category": "Slow"});
    assert_eq!(answers(&school, contradiction).await, 0);
}

#[tokio::test]
async fn filters_narrow_rosters_and_publications_as_the_contract_says() {
    let school = School::new().await;
    let measures = [
        "questions_published",
        "participation_rate",
        "session_completion_rate",
        "quiz_completion_rate",
        "question_engagement_rate",
        "questions_per_minute",
    ];
    let [q1, ..] = school.questions;
    for (filters, expected) in [
        // Published: what the filter names. Completion: of all that was published.
        (
            json!({"question_id": q1}),
            [
                json!(1),
                json!(100),
                json!(50),
                json!(0),
                json!(100),
                json!(0.75),
            ],
        ),
        // Ben only, and his second question only in its second round.
        (
            json!({"timer_duration_category": "Untimed"}),
            [
                json!(1),
                json!(33.33),
                json!(50),
                json!(0),
                json!(33.33),
                json!(0.75),
            ],
        ),
        (
            json!({"student_name": "Ann"}),
            [
                json!(2),
                json!(33.33),
                json!(100),
                json!(33.33),
                json!(33.33),
                json!(0.75),
            ],
        ),
        (
            json!({"classroom_name": "Biology"}),
            [
                json!(1),
                json!(50),
                json!(100),
                json!(50),
                json!(25),
                json!(1),
            ],
        ),
    ] {
        let rows = school
            .rows(json!({"measures": measures, "filters": filters}))
            .await;
        let found = measures.map(|name| rows[0][name].clone());
        assert_eq!(found, expected, "{filters}");
    }
}

#[tokio::test]
async fn text_in_a_filter_is_only_ever_a_value() {
    let school = School::new().await;
    for text in [
        "' OR '1'='1",
        "Ann'; DROP TABLE answers; --",
        "$1",
        "%",
        "\\",
        "\u{feff}Ann",
    ] {
        assert_eq!(
            answers(&school, json!({"student_name": text})).await,
            0,
            "{text}"
        );
    }
    assert_eq!(answers(&school, json!({})).await, 8);
}

#[tokio::test]
async fn the_time_range_compares_instants_and_includes_both_ends() {
    let school = School::new().await;
    for (start, end, expected) in [
        (
            json!("2025-06-20T12:01:05Z"),
            json!("2025-06-20T12:01:40Z"),
            3,
        ),
        (
            json!("2025-06-20T14:01:05+02:00"),
            json!("2025-06-20T10:01:40-02:00"),
            3,
        ),
        (
            json!("2025-06-20T12:01:05.000001Z"),
            json!("2025-06-20T12:01:40Z"),
            2,
        ),
        (
            json!("2025-06-20T12:01:05.000000001Z"),
            json!("2025-06-20T12:01:40Z"),
            2,
        ),
        (
            json!("2025-06-20T12:01:05Z"),
            json!("2025-06-20T12:01:39.999999999Z"),
            2,
        ),
        (
            json!("2025-06-20T12:01:05Z"),
            json!("2025-06-20T12:01:05Z"),
            1,
        ),
        (json!("2025-06-20T18:00:00Z"), json!(null), 2),
        (json!(null), json!("2025-06-20T18:00:00Z"), 6),
        (json!(""), json!(""), 8),
        (
            json!("0001-01-01T00:00:00Z"),
            json!("9999-12-31T23:59:59.999999999Z"),
            8,
        ),
    ] {
        let body =
            json!({"measures": ["total_answers"], "time_range": {"start": start, "end": end}});
        let rows = school.rows(body).await;
        assert_eq!(rows[0]["total_answers"], expected, "{start} {end}");
    }
    let rows = school
        .rows(json!({"measures": ["total_answers"], "time_range": {}}))
        .await;
    assert_eq!(rows[0]["total_answers"], 8);
}

#[tokio::test]
async fn an_answer_that_was_changed_outside_the_range_is_gone_from_inside_it() {
    let world = World::new().await;
    let [session, question, student] = ids();
    let answer = |text: &str, second| {
        an_answer()
            .in_session(session)
            .of(question)
            .by(student)
            .saying(text)
            .at_second(second)
    };
    world
        .happened([
            a_publication()
                .in_session(session)
                .of(question)
                .with_key("B"),
            answer("A", 10),
            answer("B", 100),
        ])
        .await;
    let measures = [
        "total_answers",
        "accuracy_rate",
        "student_attempts_per_question",
    ];
    let rows = world
        .rows(json!({"measures": measures, "time_range": {"end": "2025-06-20T12:01:00Z"}}))
        .await;
    let nothing =
        json!([{"total_answers": 0, "accuracy_rate": 0, "student_attempts_per_question": null}]);
    assert_eq!(rows, nothing);
    // The earlier attempt still is one behind the answer.
    let rows = world
        .rows(json!({"measures": measures, "time_range": {"start": "2025-06-20T12:01:00Z"}}))
        .await;
    let last =
        json!([{"total_answers": 1, "accuracy_rate": 100, "student_attempts_per_question": 2}]);
    assert_eq!(rows, last);
}
