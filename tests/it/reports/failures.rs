//! What a report answers when the fault is the server's own: contract 7.3.

use serde_json::json;

use super::{World, ids};
use crate::harness::event::{CLASSROOM, QUIZ, a_publication, an_answer};

#[tokio::test]
async fn a_fault_of_ours_is_500_with_a_text_that_tells_nothing_of_the_database() {
    let world = World::new().await;
    world.db.execute("DROP VIEW session_students CASCADE").await;
    let [id] = ids();
    let id = id.to_string();
    for (name, error) in [
        ("classroom-overview", "Failed to get classroom overview"),
        (
            "class-performance-summary",
            "Failed to get class performance summary",
        ),
        (
            "student-activity-summary",
            "Failed to get student activity summary",
        ),
        ("quiz-summary", "internal error"),
    ] {
        let params = ["classroom_id", "student_id", "quiz_id"].map(|name| (name, id.as_str()));
        let body = world.app.report(name, &params).await.expect(500);
        assert_eq!(body, json!({"error": error, "code": "internal"}), "{name}");
    }
}

#[tokio::test]
async fn latencies_of_two_thousand_years_fail_no_report() {
    let world = World::new().await;
    let [session, question, student] = ids();
    let answers = (0..200).map(|_| an_answer().in_session(session).of(question).by(student));
    let publication = a_publication().in_session(session).of(question);
    world
        .happened(answers.chain([publication.with("timestamp", "0001-01-01T00:00:00Z")]))
        .await;
    let [session, question, student] = [session, question, student].map(|id| id.to_string());
    let (classroom, quiz) = (CLASSROOM.to_string(), QUIZ.to_string());
    let params = [
        ("session_id", session.as_str()),
        ("question_id", &question),
        ("student_id", &student),
        ("classroom_id", &classroom),
        ("quiz_id", &quiz),
    ];
    for report in [
        "question-analysis",
        "latency-analysis",
        "quiz-questions-list",
        "student-performance",
    ] {
        world.settled_report(report, &params).await;
    }
}
