//! The envelope, the order of the rows, and their number.

use serde_json::{Value, json};

use super::{School, World, an_answer, ids};

async fn ordered(school: &School, body: Value, column: &str) -> Value {
    let rows = school.rows(body).await;
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| row[column].clone())
        .collect()
}

#[tokio::test]
async fn the_answer_echoes_the_query_and_shows_its_sql_without_values() {
    let school = School::new().await;
    let body = json!({
        "measures": ["total_answers", "speed", "accuracy_rate"],
        "dimensions": ["student_name", "planet"],
        "filters": {"classroom_name": "Physics"},
        "time_range": {"start": "2025-06-20T12:00:00Z", "end": "2025-06-20T13:00:00+00:00"},
        "order_by": [{"field": "total_answers", "order": "desc"}],
        "limit": 2,
        "whatever": 1,
    });
    let answer = school.world.query(body).await;
    let sql = answer["generated_sql"].as_str().unwrap();
    for value in ["Physics", "2025", "speed", "planet", "desc"] {
        assert!(!sql.contains(value), "{value}: {sql}");
    }
    for placeholder in ["$1", "$2", "$3", "$4", "$5"] {
        assert!(sql.contains(placeholder), "{placeholder}: {sql}");
    }
    let expected = json!({
        "query": {
            "measures": ["total_answers", "speed", "accuracy_rate"],
            "dimensions": ["student_name", "planet"],
            "filters": {"classroom_name": "Physics"},
            "time_range": {"start": "2025-06-20T12:00:00Z", "end": "2025-06-20T13:00:00+00:00"},
            "limit": 2,
            "order_by": [{"field": "total_answers", "order": "desc"}],
        },
        "data": [
            {"student_name": "Ann", "total_answers": 2, "accuracy_rate": 100},
            {"student_name": "Ben", "total_answers": 2, "accuracy_rate": 50},
        ],
        "generated_sql": sql,
        "count": 2,
        "ignored": ["speed", "planet"],
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn what_was_not_sent_is_echoed_as_null_and_the_limit_as_zero() {
    let world = World::new().await;
    for body in [
        json!({"measures": ["total_answers"]}),
        json!({"measures": ["total_answers"], "dimensions": null, "filters": null, "time_range": null,
               "limit": null, "order_by": null}),
    ] {
        let answer = world.query(body).await;
        let expected = json!({
            "measures": ["total_answers"],
            "dimensions": null,
            "filters": null,
            "time_range": null,
            "limit": 0,
            "order_by": null,
        });
        assert_eq!(answer["query"], expected);
        assert_eq!(
            (&answer["ignored"], &answer["count"]),
            (&json!([]), &json!(1))
        );
    }
}

#[tokio::test]
async fn a_name_that_comes_twice_is_one_key() {
    let school = School::new().await;
    let body = json!({
        "measures": ["total_answers", "total_answers"],
        "dimensions": ["quiz_title", "speed_category", "quiz_title", "response_speed_category"],
        "filters": {"speed_category": "Slow"},
    });
    let expected = json!([{
        "quiz_title": "Motion",
        "speed_category": "Slow",
        "response_speed_category": "Slow",
        "total_answers": 1,
    }]);
    assert_eq!(school.rows(body).await, expected);
}

#[tokio::test]
async fn rows_come_in_the_order_asked_for_with_nulls_last_and_ties_by_dimension() {
    let school = School::new().await;
    let query = |order: Value| {
        json!({"measures": ["total_answers", "response_speed_score"], "dimensions": ["answer_option"],
               "order_by": order})
    };
    let by = |field: &str, order: &str| json!([{"field": field, "order": order}]);
    for (order, expected) in [
        (json!([]), ["A", "B", "C", "X", "Y"]),
        (by("answer_option", "DESC"), ["Y", "X", "C", "B", "A"]),
        (by("total_answers", ""), ["A", "X", "Y", "C", "B"]),
        (by("total_answers", "desc"), ["B", "C", "A", "X", "Y"]),
        // 40, 7.5, 40, 20, none
        (by("response_speed_score", "ASC"), ["B", "X", "A", "C", "Y"]),
        (
            by("response_speed_score", "Desc"),
            ["A", "C", "X", "B", "Y"],
        ),
        (
            json!([{"field": "total_answers"}, {"field": "answer_option", "order": "DESC"}]),
            ["Y", "X", "A", "C", "B"],
        ),
    ] {
        let found = ordered(&school, query(order.clone()), "answer_option").await;
        assert_eq!(found, json!(expected), "{order}");
    }
    // A dimension's null is last, too.
    let [head, aide] = school.teachers;
    let body = json!({"dimensions": ["teacher_id"], "order_by": [{"field": "teacher_id", "order": "DESC"}]});
    assert_eq!(
        ordered(&school, body, "teacher_id").await,
        json!([aide, head, null])
    );
}

#[tokio::test]
async fn texts_are_ordered_by_code_point() {
    let world = World::new().await;
    let texts = ["a", "B", "_", "é", "Z", "10", "9", " a"];
    world
        .happened(texts.map(|text| an_answer().saying(text)))
        .await;
    let rows = world.rows(json!({"dimensions": ["answer_option"]})).await;
    let found: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["answer_option"].clone())
        .collect();
    assert_eq!(
        json!(found),
        json!([" a", "10", "9", "B", "Z", "_", "a", "é"])
    );
}

#[tokio::test]
async fn a_limit_cuts_the_ordered_rows_and_zero_or_less_is_none() {
    let school = School::new().await;
    for (limit, expected) in [(2, 2), (5, 5), (6, 5), (0, 5), (-1, 5), (1_000_000, 5)] {
        let body = json!({"dimensions": ["answer_option"], "limit": limit,
                          "order_by": [{"field": "answer_option", "order": "DESC"}]});
        let found = ordered(&school, body, "answer_option").await;
        let all = ["Y", "X", "C", "B", "A"];
        assert_eq!(found, json!(all[..expected]), "{limit}");
    }
}

#[tokio::test]
async fn more_rows_than_may_be_sent_are_refused_and_a_limit_helps() {
    let world = World::new().await;
    let [session, question] = ids();
    world.happened([an_answer().in_session(session)]).await;
    world
        .db
        .execute(&format!(
            "INSERT INTO answers (session_id, event_id, question_id, student_id, answer, submitted_at)
             SELECT '{session}', gen_random_uuid(), '{question}', gen_random_uuid(), n::text, now()
             FROM generate_series(1, 10000) AS n"
        ))
        .await;
    let query = |limit: i64| json!({"dimensions": ["answer_option"], "limit": limit});
    for limit in [0, 10_001, 20_000] {
        let reply = world.app.query(&query(limit)).await;
        reply.refuses(400, "too_many_rows", None);
    }
    assert_eq!(world.query(query(10_000)).await["count"], 10_000);
    world
        .db
        .execute("DELETE FROM answers WHERE answer = '1'")
        .await;
    assert_eq!(world.query(query(0)).await["count"], 10_000);
}
