//! What is no query, who may ask, and how long it may take.

use std::time::Duration;

use analytics_ingestor::auth::Role;
use serde_json::{Value, json};

use super::{World, an_answer};
use crate::harness::client::token_of;
use crate::harness::{App, Reply, Setup, TestDb};

#[tokio::test]
async fn what_is_no_query_is_400_with_the_sentence_of_the_contract_and_details() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let with = |more: Value| {
        let mut body = json!({"measures": ["total_answers"]});
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    let build = "Failed to build query";
    let format = "Invalid request format";
    let nothing = "At least one measure or dimension must be specified";
    for (body, error, details) in [
        (json!({}), nothing, None),
        (
            json!({"measures": [], "dimensions": null, "filters": {"event_hour": "1"}}),
            nothing,
            None,
        ),
        (
            json!({"measures": ["x"], "dimensions": ["y"]}),
            build,
            Some("no valid measures or dimensions specified"),
        ),
        (
            with(json!({"filters": {"total_answers": "1"}})),
            build,
            Some("unknown filter \"total_answers\""),
        ),
        (
            with(json!({"filters": {"1=1; --": "1"}})),
            build,
            Some("unknown filter \"1=1; --\""),
        ),
        (
            with(json!({"filters": {"session_id": "nope"}})),
            build,
            Some("filter session_id: \"nope\" is not a UUID"),
        ),
        (
            with(json!({"filters": {"teacher_id": ""}})),
            build,
            Some("filter teacher_id: \"\" is not a UUID"),
        ),
        (
            with(json!({"filters": {"event_hour": "noon"}})),
            build,
            Some("filter event_hour: \"noon\" is not a whole number"),
        ),
        (
            with(json!({"filters": {"event_hour": "99999999999"}})),
            build,
            Some("filter event_hour: \"99999999999\" is not a whole number"),
        ),
        (
            with(json!({"filters": {"correctness_flag": "yes"}})),
            build,
            Some("filter correctness_flag: \"yes\" is not true or false"),
        ),
        (
            with(json!({"filters": {"event_date": "2025-02-30"}})),
            build,
            Some("filter event_date: \"2025-02-30\" is not a date of the form YYYY-MM-DD"),
        ),
        (
            with(json!({"filters": {"answer_option": "a\u{0}"}})),
            build,
            Some("filter answer_option: \"a\\0\" is not a text without NUL characters"),
        ),
        (
            with(json!({"order_by": [{"field": "accuracy_rate"}]})),
            build,
            Some("order_by field \"accuracy_rate\" is not a selected measure or dimension"),
        ),
        (
            with(json!({"order_by": [{"order": "ASC"}]})),
            build,
            Some("order_by field \"\" is not a selected measure or dimension"),
        ),
        (
            with(json!({"order_by": [{"field": "total_answers; DROP TABLE answers"}]})),
            build,
            Some(
                "order_by field \"total_answers; DROP TABLE answers\" is not a selected measure or dimension",
            ),
        ),
        (
            with(json!({"order_by": [{"field": "total_answers", "order": "DESC; --"}]})),
            build,
            Some("order_by order \"DESC; --\" is neither ASC nor DESC"),
        ),
        (
            with(json!({"time_range": {"start": "yesterday"}})),
            build,
            Some("time_range.start is not an RFC 3339 timestamp"),
        ),
        (
            with(json!({"time_range": {"end": "2025-06-20 12:00"}})),
            build,
            Some("time_range.end is not an RFC 3339 timestamp"),
        ),
        (
            with(
                json!({"time_range": {"start": "2025-06-20T12:00:00Z", "end": "2025-06-20T12:00:00.5+01:00"}}),
            ),
            build,
            Some("time_range.start is after time_range.end"),
        ),
        (
            with(json!({"limit": "5"})),
            format,
            Some("invalid type: string \"5\", expected i64"),
        ),
        (
            with(json!({"filters": {"event_hour": 5}})),
            format,
            Some("invalid type: integer `5`, expected a string"),
        ),
        (
            json!({"measures": "total_answers"}),
            format,
            Some("invalid type: string \"total_answers\", expected a sequence"),
        ),
        (
            json!([["total_answers"]]),
            format,
            Some("invalid type: sequence, expected a map at line 1 column 0"),
        ),
    ] {
        let reply = app.query(&body).await;
        reply.refuses(400, "invalid_query", None);
        let found = reply.json();
        assert_eq!(
            (&found["error"], found.get("details")),
            (&json!(error), details.map(Value::from).as_ref()),
            "{body}"
        );
    }
}

#[tokio::test]
async fn broken_json_is_400() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    for body in ["", "{", "{\"measures\": [\"total_answers\"]} x", "\u{0}"] {
        let request = app
            .post("/api/reports/query")
            .bearer_auth(token_of(1, Role::Reader))
            .body(body);
        let reply = Reply::of(request).await;
        reply.refuses(400, "invalid_query", None);
        assert_eq!(reply.json()["error"], "Invalid request format", "{body}");
    }
}

#[tokio::test]
async fn a_query_needs_the_scope_to_read() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let post = || app.post("/api/reports/query").body("{");
    Reply::of(post()).await.refuses(401, "missing_token", None);
    let writer = post().bearer_auth(token_of(1, Role::Writer));
    Reply::of(writer)
        .await
        .refuses(403, "insufficient_scope", None);
}

#[tokio::test]
async fn a_tenant_sees_its_own_answers_only() {
    let world = World::new().await;
    let answer = an_answer();
    for (tenant, copies) in [(1, 1), (2, 3)] {
        for copy in 0..copies {
            let event = answer.clone().named(format!("{copy}"));
            let event = event.with("student_id", uuid::Uuid::new_v4());
            world.app.post_event_as(tenant, event).await.expect(201);
        }
    }
    let body = json!({"measures": super::MEASURES});
    for (tenant, answers) in [(1, 1), (2, 3), (3, 0)] {
        for range in [json!(null), json!({"start": "2025-01-01T00:00:00Z"})] {
            let mut body = body.clone();
            body["time_range"] = range;
            let rows = world.app.query_as(tenant, &body).await.expect(200);
            let row = &rows["data"][0];
            assert_eq!(
                (&row["total_answers"], &row["active_students"]),
                (&json!(answers), &json!(answers))
            );
        }
    }
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_stopped() {
    let db = TestDb::new().await;
    let app = Setup::on(&db.url())
        .with("database-read-timeout-ms", 200)
        .start()
        .await;
    let mut locked = db.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE answers")
        .execute(&mut *locked)
        .await
        .unwrap();
    let body = json!({"measures": ["total_answers"], "dimensions": ["answer_option"]});
    let reply = app.query(&body).await;
    reply.refuses(503, "report_timeout", None);
    assert!(reply.header("retry-after").is_some());
    assert!(reply.took < Duration::from_secs(20), "{reply:?}");
    locked.rollback().await.unwrap();
    app.query(&body).await.expect(200);
}

#[tokio::test]
async fn a_query_that_fails_says_nothing_of_the_database() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    db.execute("ALTER TABLE answers RENAME COLUMN answer TO reply")
        .await;
    db.execute("DROP VIEW answer_keys CASCADE").await;
    let reply = app
        .query(&json!({"measures": ["accuracy_rate"], "dimensions": ["answer_option"]}))
        .await;
    reply.refuses(500, "query_failed", None);
    let body = reply.json();
    assert_eq!(
        (&body["error"], body.get("details")),
        (&json!("Failed to execute query"), None)
    );
}
