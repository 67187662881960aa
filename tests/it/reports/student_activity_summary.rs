//! Contract 8.21.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{World, ids};
use crate::harness::event::{CLASSROOM, a_publication, a_start, an_answer};

async fn report(world: &World, student: Uuid) -> Value {
    report_in(world, student, CLASSROOM).await
}

async fn report_in(world: &World, student: Uuid, classroom: Uuid) -> Value {
    let [student, classroom] = [student, classroom].map(|id| id.to_string());
    let params = [
        ("student_id", student.as_str()),
        ("classroom_id", &classroom),
    ];
    world.report("student-activity-summary", &params).await
}

#[tokio::test]
async fn the_students_answers_in_the_classrooms_sessions_count_enrolled_or_not() {
    let world = World::new().await;
    let [first, second, question, other_question, quiz, other_room] = ids();
    let [ann] = ids();
    let answer = |session| an_answer().in_session(session).by(ann);
    world
        .happened([
            a_start().in_session(first).at_second(0),
            a_publication().in_session(first).of(question).with_key("B"),
            a_publication()
                .in_session(first)
                .of(other_question)
                .with_key("B"),
            // Changed: the last one counts.
            answer(first).of(question).saying("B").at_second(10),
            answer(first).of(question).saying("A").at_second(20),
            answer(first).of(other_question).saying("B").at_second(40),
            answer(second)
                .of(question)
                .saying("B")
                .with("quiz_id", quiz)
                .at_second(50),
            answer(Uuid::new_v4())
                .in_classroom(other_room)
                .of(question)
                .at_second(60),
            // Somebody else's.
            an_answer().in_session(first).of(question).at_second(70),
        ])
        .await;
    world
        .db
        .execute(&format!(
            "UPDATE classrooms SET name = 'Room' WHERE classroom_id = '{CLASSROOM}';
             UPDATE students SET name = 'Ann' WHERE student_id = '{ann}'"
        ))
        .await;
    let expected = json!({
        "activity_summary": {
            "student_id": ann, "student_name": "Ann", "classroom_id": CLASSROOM, "classroom_name": "Room",
            "total_sessions_participated": 2, "unique_quizzes_taken": 2, "total_questions_answered": 3,
            "overall_accuracy": 66.67,
            // (20 + 40) ÷ 2 s; the second session never published the question.
            "average_response_time_seconds": 30,
            "first_activity": "2025-06-20T12:00:20Z", "last_activity": "2025-06-20T12:00:50Z",
        },
        "insights": {
            "activity_level": "moderately_active", "performance_trend": "satisfactory",
            "accuracy_trend": "insufficient_data",
            // The second session never started.
            "engagement_consistency": "very_consistent", "response_efficiency": "fast",
        },
        "metrics": {"questions_per_session": 1.5, "quiz_variety_score": 100},
    });
    assert_eq!(report(&world, ann).await, expected);
}

#[tokio::test]
async fn an_unknown_student_or_classroom_is_echoed_with_zeros() {
    let world = World::new().await;
    let [ann, unknown, room] = ids();
    world.happened([a_start(), an_answer().by(ann)]).await;
    for (student, classroom) in [(unknown, CLASSROOM), (ann, room), (unknown, room)] {
        let expected = json!({
            "activity_summary": {
                "student_id": student, "student_name": "Unknown", "classroom_id": classroom, "classroom_name": "",
                "total_sessions_participated": 0, "unique_quizzes_taken": 0, "total_questions_answered": 0,
                "overall_accuracy": 0, "average_response_time_seconds": 0,
                "first_activity": null, "last_activity": null,
            },
            "insights": {
                "activity_level": "inactive", "performance_trend": "poor", "accuracy_trend": "insufficient_data",
                "engagement_consistency": "no_data", "response_efficiency": "no_data",
            },
            "metrics": {"questions_per_session": 0, "quiz_variety_score": 0},
        });
        assert_eq!(report_in(&world, student, classroom).await, expected);
    }
}

#[tokio::test]
async fn consistency_is_the_share_of_the_sessions_since_the_first_one() {
    let world = World::new().await;
    let [ann, before, ahead] = ids();
    let consistency =
        async || report(&world, ann).await["insights"]["engagement_consistency"].clone();
    // Before Ann's first session, in the future, and without a start.
    let soon = OffsetDateTime::now_utc() + Duration::hours(1);
    world
        .happened([
            a_start().in_session(before).at_second(-600),
            a_start().in_session(ahead).at(soon),
            an_answer().in_session(ahead).by(ann),
            an_answer().by(ann),
        ])
        .await;
    assert_eq!(consistency().await, "no_data");
    let mut second = 0;
    // Sessions with Ann and without her; the shares are 1/1, 4/5, 4/6, 6/10, 6/11, 6/15, 6/16, 6/30, 6/31.
    for (with, without, expected) in [
        (1, 0, "very_consistent"),
        (3, 1, "very_consistent"),
        (0, 1, "consistent"),
        (2, 2, "consistent"),
        (0, 1, "somewhat_consistent"),
        (0, 4, "somewhat_consistent"),
        (0, 1, "inconsistent"),
        (0, 14, "inconsistent"),
        (0, 1, "very_inconsistent"),
    ] {
        for number in 0..with + without {
            let session = Uuid::new_v4();
            second += 1;
            world
                .happened([a_start().in_session(session).at_second(second)])
                .await;
            if number < with {
                world
                    .happened([an_answer().in_session(session).by(ann)])
                    .await;
            }
        }
        assert_eq!(consistency().await, expected);
    }
}

#[tokio::test]
async fn the_trend_compares_the_newer_half_with_the_older_one() {
    let world = World::new().await;
    let [question] = ids();
    world
        .happened([a_publication().of(question).with_key("B")])
        .await;
    for (texts, trend) in [
        ("ABB", "insufficient_data"),
        ("AABB", "improving"),
        ("BBAA", "declining"),
        ("ABBA", "stable"),
        // The newer half of an odd number has one more: 0 of 2 and 1 of 3.
        ("AAABA", "improving"),
    ] {
        let [ann] = ids();
        let answers = texts.char_indices().map(|(second, text)| {
            an_answer()
                .of(question)
                .by(ann)
                .saying(&text.to_string())
                .at_second(i64::try_from(second).unwrap())
        });
        world.happened(answers).await;
        let body = report(&world, ann).await;
        assert_eq!(body["insights"]["accuracy_trend"], trend, "{texts}");
    }
}

#[tokio::test]
async fn activity_and_variety_follow_the_sessions() {
    let world = World::new().await;
    let [ann] = ids();
    for sessions in 1..=10 {
        world.happened([an_answer().by(ann)]).await;
        let level = match sessions {
            1 => "minimally_active",
            2..5 => "moderately_active",
            5..10 => "active",
            _ => "highly_active",
        };
        let body = report(&world, ann).await;
        assert_eq!(
            body["insights"]["activity_level"], level,
            "{sessions} sessions"
        );
    }
    // One quiz in ten sessions.
    assert_eq!(
        report(&world, ann).await["metrics"]["quiz_variety_score"],
        10
    );
}
