//! Reports on a classroom, and on a student in it.

use serde_json::json;

use super::{Golden, one_page};
use crate::reports::fixtures::id;

#[tokio::test]
async fn classroom_sessions() {
    for golden in Golden::both().await {
        let expected = json!({
            "classroom_id": id(20),
            "pagination": one_page(1),
            "sessions": [{
                "session_id": id(0), "quiz_title": "Algorithms Quiz", "classroom_name": "Advanced Computer Science",
                "started_at": golden.minute(-30), "duration": null,
                "total_students": 3, "participating_students": 3, "total_questions": 2,
                "average_accuracy": 62.5, "completion_rate": 66.67, "engagement_score": 81.25,
            }],
            "summary": {"total_sessions": 1, "page_sessions": 1},
        });
        assert_eq!(
            golden
                .report("classroom-sessions", &[("classroom_id", 20)])
                .await,
            expected
        );
    }
}

#[tokio::test]
async fn classroom_overview() {
    for golden in Golden::both().await {
        let expected = json!({
            "overview": {
                "classroom_id": id(20), "classroom_name": "Advanced Computer Science",
                "total_students": 3, "active_students": 3, "total_sessions": 1, "recent_sessions": 1,
                "last_activity": golden.minute(-15), "created_at": golden.minute(0),
            },
            "insights": {
                "activity_level": "high", "engagement_status": "highly_engaged", "growth_trend": "steady",
            },
            "summary": {"participation_rate": 100, "activity_score": 100},
        });
        assert_eq!(
            golden
                .report("classroom-overview", &[("classroom_id", 20)])
                .await,
            expected
        );
    }
}

#[tokio::test]
async fn class_performance_summary() {
    for golden in Golden::both().await {
        let expected = json!({
            "performance_summary": {
                "classroom_id": id(20), "classroom_name": "Advanced Computer Science",
                "total_students": 3, "participating_students": 3,
                "overall_accuracy": 62.5, "overall_participation_rate": 100,
                "total_quizzes_taken": 1, "total_questions_answered": 8,
                "average_response_time_seconds": 127.5, "session_count": 1,
            },
            "insights": {
                "performance_level": "satisfactory", "participation_level": "outstanding",
                "engagement_quality": "light_engagement", "response_speed": "very_slow",
            },
            "benchmarks": {"target_accuracy": 75.0, "target_participation": 80.0, "optimal_response_time": 30.0},
        });
        assert_eq!(
            golden
                .report("class-performance-summary", &[("classroom_id", 20)])
                .await,
            expected
        );
    }
}

#[tokio::test]
async fn student_activity_summary() {
    for golden in Golden::both().await {
        let expected = json!({
            "activity_summary": {
                "student_id": id(40), "student_name": "Alice Smith",
                "classroom_id": id(20), "classroom_name": "Advanced Computer Science",
                "total_sessions_participated": 1, "unique_quizzes_taken": 1, "total_questions_answered": 2,
                "overall_accuracy": 100, "average_response_time_seconds": 0,
                "first_activity": golden.minute(-25), "last_activity": golden.minute(-20),
            },
            "insights": {
                "activity_level": "minimally_active", "performance_trend": "excellent",
                "accuracy_trend": "insufficient_data", "engagement_consistency": "very_consistent",
                "response_efficiency": "very_fast",
            },
            "metrics": {"questions_per_session": 2, "quiz_variety_score": 100},
        });
        let ids = [("student_id", 40), ("classroom_id", 20)];
        assert_eq!(
            golden.report("student-activity-summary", &ids).await,
            expected
        );
    }
}
