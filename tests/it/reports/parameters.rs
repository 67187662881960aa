//! The parameters of the reports: contract 7.1.

use serde_json::json;

use crate::harness::event::{CLASSROOM, QUIZ, a_publication, an_answer};
use crate::harness::{App, TestDb};

const ID: &str = "900e8400-e29b-41d4-a716-446655440000";

#[tokio::test]
async fn a_missing_or_unreadable_id_is_400_with_the_text_of_the_contract() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let pair = "session_id and question_id are required";
    let student_pair = "student_id and classroom_id are required";
    for (name, params, error) in [
        ("active-participants", &[][..], "session_id is required"),
        (
            "active-participants",
            &[("session_id", "")],
            "session_id is required",
        ),
        (
            "active-participants",
            &[("session_id", "nope")],
            "invalid session_id format",
        ),
        ("questions-per-minute", &[], "session_id is required"),
        (
            "questions-per-minute",
            &[("session_id", "5")],
            "invalid session_id format",
        ),
        ("question-analysis", &[], "question_id is required"),
        (
            "question-analysis",
            &[("session_id", ID)],
            "question_id is required",
        ),
        (
            "question-analysis",
            &[("question_id", "nope")],
            "invalid question_id format",
        ),
        ("completion-rate", &[], "session_id is required"),
        ("dropoff-analysis", &[], "session_id is required"),
        ("student-performance", &[("student_id", ID)], student_pair),
        (
            "classroom-engagement",
            &[("date_range", "7d")],
            "classroom_id is required",
        ),
        ("content-effectiveness", &[], "quiz_id is required"),
        ("student-performance-list", &[], "classroom_id is required"),
        (
            "classroom-engagement-history",
            &[],
            "classroom_id is required",
        ),
        ("latency-analysis", &[("question_id", ID)], pair),
        ("timeout-analysis", &[("session_id", ID)], pair),
        ("response-rate", &[], pair),
        ("response-rate", &[("session_id", ID)], pair),
        (
            "response-rate",
            &[("question_id", ID), ("session_id", "")],
            pair,
        ),
        (
            "response-rate",
            &[("session_id", "nope"), ("question_id", ID)],
            "invalid session_id format",
        ),
        (
            "response-rate",
            &[("session_id", ID), ("question_id", "nope")],
            "invalid question_id format",
        ),
        ("quiz-summary", &[], "quiz_id is required"),
        (
            "quiz-summary",
            &[("quiz_id", "nope")],
            "invalid quiz_id format",
        ),
        ("quiz-questions-list", &[], "quiz_id is required"),
        ("classroom-sessions", &[], "classroom_id is required"),
        (
            "classroom-sessions",
            &[("classroom_id", "nope")],
            "invalid classroom_id format",
        ),
        ("quiz-sessions", &[], "quiz_id is required"),
        (
            "classroom-student-rankings",
            &[("session_id", ID)],
            "classroom_id is required",
        ),
        (
            "session-student-rankings",
            &[("session_id", "nope")],
            "invalid session_id format",
        ),
        ("classroom-overview", &[], "Invalid classroom_id format"),
        (
            "classroom-overview",
            &[("classroom_id", "nope")],
            "Invalid classroom_id format",
        ),
        (
            "class-performance-summary",
            &[("classroom_id", "")],
            "Invalid classroom_id format",
        ),
        (
            "student-activity-summary",
            &[("classroom_id", ID)],
            "Invalid student_id format",
        ),
        (
            "student-activity-summary",
            &[("student_id", ID)],
            "Invalid classroom_id format",
        ),
        (
            "student-activity-summary",
            &[("student_id", ID), ("classroom_id", "nope")],
            "Invalid classroom_id format",
        ),
    ] {
        let body = app.report(name, params).await.expect(400);
        assert_eq!(body["error"], error, "{name} {params:?}");
    }
}

#[tokio::test]
async fn an_id_is_taken_in_each_of_its_forms_and_echoed_in_lower_case() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    for id in [
        ID.to_owned(),
        ID.to_uppercase(),
        ID.replace('-', ""),
        format!("{{{ID}}}"),
        format!("urn:uuid:{ID}"),
    ] {
        let body = app
            .report("questions-per-minute", &[("session_id", &id)])
            .await
            .expect(200);
        assert_eq!(body["session_id"], ID, "{id}");
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_read_falls_back_and_a_large_one_is_capped() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    for (params, page, page_size) in [
        (&[][..], 1, 50),
        (&[("page", "3"), ("page_size", "20")], 3, 20),
        (&[("page", "0"), ("page_size", "0")], 1, 50),
        (&[("page", "-3"), ("page_size", "-3")], 1, 50),
        (&[("page", "x"), ("page_size", "1.5")], 1, 50),
        (&[("page_size", "1000")], 1, 1000),
        (&[("page_size", "1001")], 1, 1000),
        (&[("limit", "7")], 1, 7),
        (&[("limit", "7"), ("page_size", "9")], 1, 9),
    ] {
        let params: Vec<_> = [("session_id", ID)]
            .into_iter()
            .chain(params.iter().copied())
            .collect();
        let body = app.report("active-participants", &params).await.expect(200);
        let found = (
            &body["pagination"]["page"],
            &body["pagination"]["page_size"],
        );
        assert_eq!(found, (&json!(page), &json!(page_size)), "{params:?}");
    }
}

#[tokio::test]
async fn a_page_too_far_out_to_count_is_an_empty_page() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    for page in [
        "9223372036854775807",
        "99999999999999999999",
        "1000000000000000000",
    ] {
        let params = [("session_id", ID), ("page", page), ("page_size", "1000")];
        let body = app.report("active-participants", &params).await.expect(200);
        assert_eq!(body["active_participants"], json!([]), "{page}");
    }
}

#[tokio::test]
async fn a_time_range_that_cannot_be_read_or_is_absurd_is_400() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    for range in [
        "soon", "60", "-5m", "5 m", "36600d", "9999999h", "1h-1m", "h", "1e3s",
    ] {
        let params = [("session_id", ID), ("time_range", range)];
        let reply = app.report("active-participants", &params).await;
        reply.refuses(400, "invalid_parameter", Some("time_range"));
        assert_eq!(
            reply.json()["error"],
            "invalid time_range format",
            "{range}"
        );
    }
    for (range, echo) in [
        ("60m", "1h0m0s"),
        ("24h", "24h0m0s"),
        ("1h30m", "1h30m0s"),
        ("90s", "1m30s"),
        ("500ms", "500ms"),
        ("1.5s", "1.5s"),
        ("7d", "168h0m0s"),
        ("0s", "0s"),
    ] {
        let params = [("session_id", ID), ("time_range", range)];
        let body = app.report("active-participants", &params).await.expect(200);
        assert_eq!(body["time_range"], echo, "{range}");
    }
}

#[tokio::test]
async fn a_date_range_that_cannot_be_read_or_is_absurd_is_400() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    for name in ["classroom-engagement", "classroom-engagement-history"] {
        for range in ["soon", "7", "d", "-7d", "1.5d", "7w", "36600d"] {
            let params = [("classroom_id", ID), ("date_range", range)];
            let reply = app.report(name, &params).await;
            reply.refuses(400, "invalid_parameter", Some("date_range"));
            let body = reply.json();
            assert_eq!(body["error"], "invalid date_range format", "{range}");
        }
        for (range, echo) in [
            (None, "168h0m0s"),
            (Some("30d"), "720h0m0s"),
            (Some("24h"), "24h0m0s"),
            (Some("90m"), "1h30m0s"),
            (Some("0s"), "0s"),
            (Some("36525d"), "876600h0m0s"),
        ] {
            let params = [("classroom_id", ID), ("date_range", range.unwrap_or(""))];
            let body = app.report(name, &params).await.expect(200);
            assert_eq!(body["date_range"], echo, "{range:?}");
        }
    }
}

#[tokio::test]
async fn the_earliest_and_latest_times_and_the_longest_timer_break_no_report() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let (session, question) = (ID.parse().unwrap(), uuid::Uuid::new_v4());
    let soon = time::OffsetDateTime::now_utc() + time::Duration::hours(23);
    let first = "0001-01-01T00:00:00Z";
    let publish = || {
        a_publication()
            .in_session(session)
            .of(question)
            .with("timer_sec", i32::MAX)
            .with_key("B")
    };
    let answer = || {
        an_answer()
            .in_session(session)
            .of(question)
            .with("response_time_ms", i32::MAX)
    };
    let events = [
        publish().with("timestamp", first),
        publish().at(soon),
        answer().with("timestamp", first),
        answer().at(soon),
        answer(),
    ];
    let body = app.post_batch(events.map(Into::into)).await.expect(201);
    assert_eq!(body["processed_count"], 5, "{body}");
    let question = question.to_string();
    let [quiz, classroom] = [QUIZ, CLASSROOM].map(|id| id.to_string());
    let params = [
        ("session_id", ID),
        ("question_id", &question),
        ("quiz_id", &quiz),
        ("classroom_id", &classroom),
        ("student_id", ID),
        ("time_range", "36500d"),
        ("date_range", "36500d"),
    ];
    for name in [
        "active-participants",
        "questions-per-minute",
        "response-rate",
        "quiz-summary",
        "question-analysis",
        "latency-analysis",
        "timeout-analysis",
        "completion-rate",
        "dropoff-analysis",
        "quiz-questions-list",
        "classroom-sessions",
        "quiz-sessions",
        "classroom-student-rankings",
        "session-student-rankings",
        "classroom-overview",
        "class-performance-summary",
        "student-activity-summary",
        "student-performance",
        "classroom-engagement",
        "content-effectiveness",
        "student-performance-list",
        "classroom-engagement-history",
    ] {
        app.report(name, &params).await.expect(200);
    }
}
