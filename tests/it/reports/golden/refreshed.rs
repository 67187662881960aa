//! Stored figures and those that are computed for the report are the same.

use serde_json::Value;

use super::Golden;

/// Each report of contract 8.
const REPORTS: [&str; 22] = [
    "active-participants",
    "questions-per-minute",
    "student-performance",
    "classroom-engagement",
    "content-effectiveness",
    "response-rate",
    "latency-analysis",
    "timeout-analysis",
    "completion-rate",
    "dropoff-analysis",
    "student-performance-list",
    "classroom-engagement-history",
    "quiz-summary",
    "question-analysis",
    "quiz-questions-list",
    "classroom-sessions",
    "quiz-sessions",
    "classroom-student-rankings",
    "session-student-rankings",
    "classroom-overview",
    "class-performance-summary",
    "student-activity-summary",
];

/// Every report on a session, a question, a quiz, a classroom and a student that go together.
async fn bodies(golden: &Golden) -> Vec<(&'static str, Value)> {
    let mut bodies = Vec::new();
    for [session, question, quiz, classroom, student] in [
        [0, 30, 10, 20, 42],
        [1, 33, 11, 21, 44],
        [2, 34, 12, 22, 45],
    ] {
        let ids = [
            ("session_id", session),
            ("question_id", question),
            ("quiz_id", quiz),
            ("classroom_id", classroom),
            ("student_id", student),
        ];
        for name in REPORTS {
            bodies.push((name, golden.report(name, &ids).await));
        }
    }
    bodies
}

#[tokio::test]
async fn every_report_reads_alike_before_and_after_a_refresh() {
    let golden = Golden::stale().await;
    let before = bodies(&golden).await;
    golden.refresh().await;
    assert_eq!(bodies(&golden).await, before);
}
