//! Reports on a quiz and its questions.

use serde_json::json;

use super::{Golden, one_page};
use crate::reports::fixtures::id;

#[tokio::test]
async fn quiz_summary() {
    for golden in Golden::both().await {
        let expected = json!({
            "quiz_id": id(10),
            "title": "Algorithms Quiz",
            "usage_statistics": {
                "total_sessions": 1, "total_classrooms": 1, "total_students": 6, "total_questions": 2,
                "first_used": golden.minute(-30), "last_used": golden.minute(-30),
            },
            "performance_metrics": {
                "average_accuracy": 62.5, "average_completion": 66.67,
                "overall_engagement": 100, "effectiveness_score": 81.25,
            },
            "insights": {"performance_rating": "good", "usage_frequency": "minimal", "reach": "single_classroom"},
        });
        assert_eq!(
            golden.report("quiz-summary", &[("quiz_id", 10)]).await,
            expected
        );
    }
}

#[tokio::test]
async fn question_analysis() {
    for golden in Golden::both().await {
        let expected = json!({
            "question_id": id(30),
            "quiz_id": id(10),
            "usage_stats": {"total_attempts": 5, "correct_attempts": 3, "usage_count": 1},
            "performance_metrics": {"accuracy_rate": 60, "average_response_time": 120, "difficulty_rating": "Medium"},
            "answer_distribution": {"O(n log n)": 3, "O(n)": 1, "O(n²)": 1},
            "insights": {
                "difficulty_level": "challenging", "response_quality": "very_slow", "effectiveness": "effective",
            },
        });
        assert_eq!(
            golden
                .report("question-analysis", &[("question_id", 30)])
                .await,
            expected
        );
    }
}

#[tokio::test]
async fn quiz_questions_list() {
    for golden in Golden::both().await {
        let expected = json!({
            "quiz_id": id(10),
            "pagination": one_page(3),
            "questions": [
                {
                    "question_id": id(30), "quiz_id": id(10), "total_attempts": 5, "correct_attempts": 3,
                    "accuracy_rate": 60, "average_response_time_seconds": 120, "difficulty_rating": "Medium",
                    "answer_distribution": {"O(n log n)": 3, "O(n)": 1, "O(n²)": 1}, "usage_count": 1,
                },
                {
                    "question_id": id(31), "quiz_id": id(10), "total_attempts": 3, "correct_attempts": 2,
                    "accuracy_rate": 66.67, "average_response_time_seconds": 140, "difficulty_rating": "Medium",
                    "answer_distribution": {"Dijkstra": 2, "BFS": 1}, "usage_count": 1,
                },
                {
                    "question_id": id(36), "quiz_id": id(10), "total_attempts": 0, "correct_attempts": 0,
                    "accuracy_rate": 0, "average_response_time_seconds": 0, "difficulty_rating": "Unrated",
                    "answer_distribution": {}, "usage_count": 0,
                },
            ],
            "summary": {"total_questions": 3, "page_questions": 3},
        });
        assert_eq!(
            golden
                .report("quiz-questions-list", &[("quiz_id", 10)])
                .await,
            expected
        );
    }
}

#[tokio::test]
async fn quiz_sessions() {
    for golden in Golden::both().await {
        let expected = json!({
            "quiz_id": id(11),
            "pagination": one_page(1),
            "sessions": [{
                "session_id": id(1), "quiz_title": "Programming Basics",
                "classroom_name": "Introduction to Programming",
                "started_at": golden.minute(-120), "duration": "3600.000000 seconds",
                "total_students": 2, "participating_students": 2, "total_questions": 2,
                "average_accuracy": 50, "completion_rate": 100, "engagement_score": 75,
            }],
            "summary": {"total_sessions": 1, "page_sessions": 1},
        });
        assert_eq!(
            golden.report("quiz-sessions", &[("quiz_id", 11)]).await,
            expected
        );
    }
}
