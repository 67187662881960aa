//! What a report answers when the fault is the server's own: contract 7.3.

use serde_json::json;

use super::{World, ids};

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
