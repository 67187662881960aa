//! The row of contract 10.

use analytics_ingestor::store::fixtures;
use serde_json::json;

use super::{MEASURES, World};

#[tokio::test]
async fn every_measure_on_fixture_set_a() {
    let world = World::new().await;
    let mut connection = world.db.pool.acquire().await.unwrap();
    fixtures::replace(&mut connection).await.unwrap();
    let expected = json!({
        "total_answers": 12,
        "correct_answers": 7,
        "wrong_answers": 5,
        "accuracy_rate": 58.33,
        "active_students": 6,
        "questions_published": 4,
        "performance_variance": 2651.52,
        "student_attempts_per_question": 1,
        "participation_rate": 100,
        "engagement_score": 79.17,
        "session_completion_rate": 90,
        "unique_sessions": 2,
        "average_session_duration": 3600,
        "questions_per_minute": 0.4,
        "question_difficulty_score": 41.67,
        "content_effectiveness_score": 79.17,
        "time_to_first_answer": 0,
        "question_engagement_rate": 90,
        "quiz_completion_rate": 80,
        "response_speed_score": 105,
        "response_time_avg": 105_000,
        "response_time_min": 0,
        "response_time_max": 300_000,
    });
    for range in [json!(null), json!({"start": "2000-01-01T00:00:00Z"})] {
        let rows = world
            .rows(json!({"measures": MEASURES, "time_range": range}))
            .await;
        assert_eq!(rows, json!([expected]), "{range}");
    }
}
