//! Reports on one session.

use serde_json::{Value, json};

use super::Golden;
use crate::reports::fixtures::id;

#[tokio::test]
async fn active_participants_of_a_day() {
    let golden = Golden::stale().await;
    let session = id(0);
    let params = [("session_id", session.as_str()), ("time_range", "24h")];
    let body = golden.world.report("active-participants", &params).await;
    let expected: Vec<Value> = [(44, 0), (42, 100), (40, 100), (45, 0), (43, 100), (41, 0)]
        .map(|(student, accuracy)| json!({"student_id": id(student), "accuracy": accuracy}))
        .into();
    assert_eq!(body["active_participants"], json!(expected));
    assert_eq!(
        (
            &body["total_participants"],
            &body["average_accuracy_percent"]
        ),
        (&json!(6), &json!(50))
    );

    let params = [params[0], params[1], ("page_size", "1")];
    let body = golden.world.report("active-participants", &params).await;
    assert_eq!(
        (
            &body["page_participants"],
            &body["average_accuracy_percent"]
        ),
        (&json!(1), &json!(50))
    );
    assert_eq!(body["pagination"]["total_pages"], 6);
}

#[tokio::test]
async fn questions_per_minute() {
    let golden = Golden::stale().await;
    let expected = json!({
        "session_id": id(0),
        "total_questions": 2,
        "average_qpm": 0.4,
        "peak_qpm": 1,
        "analysis_window": "session_duration",
    });
    let body = golden
        .report("questions-per-minute", &[("session_id", 0)])
        .await;
    assert_eq!(body, expected);
}

#[tokio::test]
async fn response_rate() {
    let golden = Golden::stale().await;
    for (question, answered, rate, level) in [
        (30, 3, json!(100), "excellent"),
        (31, 2, json!(66.67), "moderate"),
    ] {
        let ids = [("session_id", 0), ("question_id", question)];
        let body = golden.report("response-rate", &ids).await;
        assert_eq!(
            (&body["students_received"], &body["students_answered"]),
            (&json!(3), &json!(answered))
        );
        assert_eq!(
            (
                &body["response_rate"],
                &body["analysis"]["engagement_level"]
            ),
            (&rate, &json!(level))
        );
    }
}
