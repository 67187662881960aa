//! Rankings of students.

use serde_json::{Value, json};

use super::{Golden, one_page};
use crate::reports::fixtures::id;

/// Student, name, answers, correct ones, accuracy, seconds, rank and percentile.
type Place = (u8, &'static str, i64, i64, i64, i64, i64, i64);

fn rankings(places: &[Place]) -> Value {
    places
        .iter()
        .map(
            |(student, name, answers, correct, accuracy, seconds, rank, percentile)| {
                json!({
                    "student_id": id(*student), "student_name": name,
                    "questions_attempted": answers, "correct_answers": correct,
                    "accuracy_rate": accuracy, "average_response_time_seconds": seconds,
                    "rank": rank, "percentile": percentile, "sessions_participated": 1,
                })
            },
        )
        .collect()
}

#[tokio::test]
async fn classroom_student_rankings() {
    for golden in Golden::both().await {
        let expected = json!({
            "classroom_id": id(20),
            "pagination": one_page(3),
            "rankings": rankings(&[
                (40, "Alice Smith", 2, 2, 100, 0, 1, 100),
                (42, "Charlie Brown", 2, 2, 100, 120, 1, 100),
                (41, "Bob Jones", 1, 0, 0, 60, 3, 0),
            ]),
            "summary": {"total_students": 3, "page_students": 3},
        });
        let body = golden
            .report("classroom-student-rankings", &[("classroom_id", 20)])
            .await;
        assert_eq!(body, expected);

        let body = golden
            .report("classroom-student-rankings", &[("classroom_id", 21)])
            .await;
        let expected = rankings(&[
            (43, "Diana Wilson", 2, 2, 100, 0, 1, 100),
            (44, "Eva Davis", 2, 0, 0, 120, 2, 0),
        ]);
        assert_eq!(body["rankings"], expected);
    }
}

#[tokio::test]
async fn session_student_rankings() {
    for golden in Golden::both().await {
        let expected = json!({
            "session_id": id(0),
            "pagination": one_page(6),
            "rankings": rankings(&[
                (40, "Alice Smith", 2, 2, 100, 0, 1, 100),
                (42, "Charlie Brown", 2, 2, 100, 120, 1, 100),
                (43, "Diana Wilson", 1, 1, 100, 180, 3, 60),
                (41, "Bob Jones", 1, 0, 0, 60, 4, 40),
                (45, "Frank Miller", 1, 0, 0, 240, 4, 40),
                (44, "Eva Davis", 1, 0, 0, 300, 4, 40),
            ]),
            "summary": {"total_students": 6, "page_students": 6},
        });
        assert_eq!(
            golden
                .report("session-student-rankings", &[("session_id", 0)])
                .await,
            expected
        );
    }
}
