//! The values of each dimension, with the answers that have them.

use serde_json::{Value, json};

use super::{DIMENSIONS, School, World, a_publication, an_answer, ids};

#[tokio::test]
async fn every_dimension_divides_the_answers() {
    let school = School::new().await;
    let [q1, q2, q3, q4] = school.questions;
    let [head, aide] = school.teachers;
    let speed = json!([["Fast", 4], ["Medium", 1], ["Slow", 1], ["Unknown", 2]]);
    let expected = [
        ("session_id", json!([[school.first, 6], [school.second, 2]])),
        ("classroom_name", json!([["Biology", 2], ["Physics", 6]])),
        (
            "student_name",
            json!([
                ["Ann", 2],
                ["Ben", 2],
                ["Cem", 1],
                ["Dan", 2],
                ["Unknown", 1]
            ]),
        ),
        ("question_id", json!([[q1, 4], [q2, 2], [q3, 1], [q4, 1]])),
        (
            "answer_option",
            json!([["A", 1], ["B", 3], ["C", 2], ["X", 1], ["Y", 1]]),
        ),
        (
            "correctness_flag",
            json!([[false, 1], [true, 5], [null, 2]]),
        ),
        ("event_date", json!([["2025-06-20", 7], ["2025-06-21", 1]])),
        ("event_hour", json!([[6, 1], [12, 6], [19, 1]])),
        ("event_week", json!([[25, 8]])),
        ("event_month", json!([[6, 8]])),
        ("event_day_of_week", json!([["Friday", 7], ["Saturday", 1]])),
        (
            "time_bucket",
            json!([["Afternoon", 6], ["Evening", 1], ["Morning", 1]]),
        ),
        // Ann, Cem and the guest 100 %, Ben 50 %, Dan ungraded.
        (
            "performance_level",
            json!([["Excellent", 4], ["Needs Improvement", 4]]),
        ),
        ("response_speed_category", speed.clone()),
        ("speed_category", speed),
        // Ann, Ben and Dan all, Cem and the guest one of two.
        ("engagement_level", json!([["High", 6], ["Medium", 2]])),
        (
            "session_duration_category",
            json!([["Ongoing", 2], ["Short", 6]]),
        ),
        ("quiz_title", json!([["Cells", 2], ["Motion", 6]])),
        // 100 %, 75 %, no key.
        (
            "difficulty_level",
            json!([["Easy", 2], ["Medium", 4], ["Unrated", 2]]),
        ),
        (
            "timer_duration_category",
            json!([
                ["Fast", 3],
                ["Medium", 1],
                ["Slow", 1],
                ["Unknown", 2],
                ["Untimed", 1]
            ]),
        ),
        ("teacher_id", json!([[head, 4], [aide, 1], [null, 3]])),
    ];
    assert_eq!(expected.each_ref().map(|(name, _)| *name), DIMENSIONS);
    for (dimension, rows) in expected {
        assert_eq!(school.answers_by(dimension).await, rows, "{dimension}");
    }
}

#[tokio::test]
async fn dimensions_alone_list_the_combinations_that_there_are() {
    let school = School::new().await;
    let rows = school
        .rows(json!({"dimensions": ["classroom_name", "time_bucket"]}))
        .await;
    let expected = json!([
        {"classroom_name": "Biology", "time_bucket": "Evening"},
        {"classroom_name": "Biology", "time_bucket": "Morning"},
        {"classroom_name": "Physics", "time_bucket": "Afternoon"},
    ]);
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn all_dimensions_go_together() {
    let school = School::new().await;
    let body = json!({"measures": ["total_answers"], "dimensions": DIMENSIONS, "filters": {"answer_option": "Y"}});
    let expected = json!([{
        "session_id": school.second,
        "classroom_name": "Biology",
        "student_name": "Dan",
        "question_id": school.questions[3],
        "answer_option": "Y",
        "correctness_flag": null,
        "event_date": "2025-06-21",
        "event_hour": 6,
        "event_week": 25,
        "event_month": 6,
        "event_day_of_week": "Saturday",
        "time_bucket": "Morning",
        "performance_level": "Needs Improvement",
        "response_speed_category": "Unknown",
        "speed_category": "Unknown",
        "engagement_level": "High",
        "session_duration_category": "Ongoing",
        "quiz_title": "Cells",
        "difficulty_level": "Unrated",
        "timer_duration_category": "Unknown",
        "teacher_id": null,
        "total_answers": 1,
    }]);
    assert_eq!(school.rows(body).await, expected);
}

#[tokio::test]
async fn days_hours_and_weeks_are_those_of_utc() {
    let world = World::new().await;
    let at = |time: &str| an_answer().with("timestamp", time);
    world
        .happened([
            at("2021-01-03T23:59:59.999999Z"),
            at("2021-01-04T02:00:00+02:30"),
            at("2024-12-30T11:59:59Z"),
            at("2024-12-31T18:00:00Z"),
            at("2025-02-28T17:59:59Z"),
        ])
        .await;
    let dimensions = [
        "event_date",
        "event_hour",
        "event_week",
        "event_month",
        "event_day_of_week",
        "time_bucket",
    ];
    let rows = world
        .rows(json!({"dimensions": dimensions, "measures": ["total_answers"]}))
        .await;
    let found: Value = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            dimensions
                .map(|name| row[name].clone())
                .into_iter()
                .collect::<Value>()
        })
        .collect();
    let expected = json!([
        ["2021-01-03", 23, 53, 1, "Sunday", "Evening"],
        ["2024-12-30", 11, 1, 12, "Monday", "Morning"],
        ["2024-12-31", 18, 1, 12, "Tuesday", "Evening"],
        ["2025-02-28", 17, 9, 2, "Friday", "Afternoon"],
    ]);
    assert_eq!(found, expected);
    assert_eq!(rows[0]["total_answers"], 2);
}

#[tokio::test]
async fn the_speed_of_an_answer_has_its_limits_to_the_microsecond() {
    let world = World::new().await;
    let [session, question] = ids();
    let answer = |at: &str| {
        an_answer()
            .in_session(session)
            .of(question)
            .with("timestamp", at)
    };
    world
        .happened([
            a_publication().in_session(session).of(question),
            answer("2025-06-20T12:00:29.999999Z"),
            answer("2025-06-20T12:00:30Z"),
            answer("2025-06-20T12:00:59.999999Z"),
            answer("2025-06-20T12:01:00Z"),
        ])
        .await;
    let rows = world
        .rows(json!({"dimensions": ["speed_category"], "measures": ["total_answers"]}))
        .await;
    let expected = json!([
        {"speed_category": "Fast", "total_answers": 1},
        {"speed_category": "Medium", "total_answers": 2},
        {"speed_category": "Slow", "total_answers": 1},
    ]);
    assert_eq!(rows, expected);
}
