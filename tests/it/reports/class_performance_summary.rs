//! Contract 8.20.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{World, enrol, ids};
use crate::harness::event::{CLASSROOM, a_publication, a_start, an_answer};

async fn report(world: &World, classroom: Uuid) -> Value {
    world
        .report(
            "class-performance-summary",
            &[("classroom_id", &classroom.to_string())],
        )
        .await
}

#[tokio::test]
async fn guests_count_in_answers_and_not_in_participation() {
    let world = World::new().await;
    let [
        session,
        other_session,
        question,
        quiz,
        idle_quiz,
        other_room,
    ] = ids();
    let [ann, ben, guest] = ids();
    world.enrol(&[ann, ben]).await;
    enrol(&world.db, 1, other_room, &[ben]).await;
    let answer = |session| an_answer().in_session(session).of(question);
    world
        .happened([
            a_start().in_session(session).at_second(0),
            a_publication()
                .in_session(session)
                .of(question)
                .with_key("B"),
            // Published twice, answered once.
            a_publication()
                .in_session(session)
                .of(question)
                .at_second(2),
            answer(session).by(ann).saying("B").at_second(3),
            answer(session).by(guest).saying("A").at_second(5),
            // Another quiz, in a session that never started.
            a_publication()
                .in_session(other_session)
                .of(question)
                .with("quiz_id", quiz),
            answer(other_session)
                .with("quiz_id", quiz)
                .by(ann)
                .saying("B")
                .at_second(2),
            // Scheduled, and not answered.
            a_start()
                .with("quiz_id", idle_quiz)
                .at(OffsetDateTime::now_utc() + Duration::hours(1)),
            // Ben answers elsewhere.
            answer(Uuid::new_v4())
                .in_classroom(other_room)
                .by(ben)
                .saying("A"),
        ])
        .await;
    let expected = json!({
        "performance_summary": {
            "classroom_id": CLASSROOM, "classroom_name": "",
            "total_students": 2, "participating_students": 1,
            "overall_accuracy": 66.67, "overall_participation_rate": 50,
            "total_quizzes_taken": 2, "total_questions_answered": 3,
            // (1 + 3 + 2) ÷ 3 s
            "average_response_time_seconds": 2, "session_count": 1,
        },
        "insights": {
            "performance_level": "satisfactory", "participation_level": "moderate",
            "engagement_quality": "light_engagement", "response_speed": "very_fast",
        },
        "benchmarks": {"target_accuracy": 75.0, "target_participation": 80.0, "optimal_response_time": 30.0},
    });
    assert_eq!(report(&world, CLASSROOM).await, expected);
}

#[tokio::test]
async fn an_unknown_classroom_has_zeros() {
    let world = World::new().await;
    let [classroom] = ids();
    world.happened([an_answer()]).await;
    let expected = json!({
        "performance_summary": {
            "classroom_id": classroom, "classroom_name": "",
            "total_students": 0, "participating_students": 0,
            "overall_accuracy": 0, "overall_participation_rate": 0,
            "total_quizzes_taken": 0, "total_questions_answered": 0,
            "average_response_time_seconds": 0, "session_count": 0,
        },
        "insights": {
            "performance_level": "poor", "participation_level": "very_low",
            "engagement_quality": "no_engagement", "response_speed": "no_data",
        },
        "benchmarks": {"target_accuracy": 75.0, "target_participation": 80.0, "optimal_response_time": 30.0},
    });
    assert_eq!(report(&world, classroom).await, expected);
}

#[tokio::test]
async fn the_level_follows_accuracy_and_the_speed_the_mean_latency() {
    let world = World::new().await;
    let [question] = ids();
    for (right, wrong, second, level, speed) in [
        (9, 1, 10, "excellent", "very_fast"),
        (3, 1, 11, "good", "fast"),
        (3, 2, 30, "satisfactory", "fast"),
        (2, 3, 31, "needs_improvement", "moderate"),
        (2, 3, 60, "needs_improvement", "moderate"),
        (1, 2, 61, "poor", "slow"),
        (0, 1, 120, "poor", "slow"),
        (1, 0, 121, "excellent", "very_slow"),
    ] {
        let [session, classroom] = ids();
        let publication = a_publication()
            .in_session(session)
            .in_classroom(classroom)
            .of(question)
            .with_key("B");
        let answers = (0..right + wrong).map(|number| {
            an_answer()
                .in_session(session)
                .in_classroom(classroom)
                .of(question)
                .saying(if number < right { "B" } else { "A" })
                .at_second(second)
        });
        world
            .happened([publication].into_iter().chain(answers))
            .await;
        let insights = report(&world, classroom).await["insights"].clone();
        let found = (&insights["performance_level"], &insights["response_speed"]);
        assert_eq!(
            found,
            (&json!(level), &json!(speed)),
            "{right} right, {wrong} wrong, {second} s"
        );
    }
}

#[tokio::test]
async fn participation_and_engagement_are_the_rosters() {
    let world = World::new().await;
    let students: [Uuid; 10] = ids();
    world.enrol(&students).await;
    for (number, student) in students.into_iter().enumerate() {
        // Guests' answers change neither.
        world.happened([an_answer().by(student), an_answer()]).await;
        let participation = match number + 1 {
            ..3 => "very_low",
            3..5 => "weak",
            5..8 => "moderate",
            8 => "strong",
            _ => "outstanding",
        };
        let insights = report(&world, CLASSROOM).await["insights"].clone();
        assert_eq!(
            insights["participation_level"],
            participation,
            "{} of 10",
            number + 1
        );
        assert_eq!(insights["engagement_quality"], "light_engagement");
    }
    // By answers of ten students: 49, 50, 99, 100, 199, 200.
    for (more, quality) in [
        (39, "light_engagement"),
        (1, "moderate_engagement"),
        (49, "moderate_engagement"),
        (1, "good_engagement"),
        (99, "good_engagement"),
        (1, "deep_engagement"),
    ] {
        world
            .happened((0..more).map(|_| an_answer().by(students[0])))
            .await;
        let body = report(&world, CLASSROOM).await;
        assert_eq!(body["insights"]["engagement_quality"], quality, "{body}");
    }
}
