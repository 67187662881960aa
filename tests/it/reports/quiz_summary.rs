//! Contract 8.13.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{World, enrol, ids};
use crate::harness::event::{CLASSROOM, QUIZ, a_publication, a_start, an_answer};

async fn report(world: &World, quiz: Uuid) -> Value {
    world
        .report("quiz-summary", &[("quiz_id", &quiz.to_string())])
        .await
}

#[tokio::test]
async fn accuracy_takes_all_answers_and_engagement_only_the_rosters() {
    let world = World::new().await;
    let [session, other_session, first, second] = ids();
    let [ann, ben, cem, guest] = ids();
    let [other_room] = ids();
    world.enrol(&[ann, ben]).await;
    enrol(&world.db, 1, other_room, &[ann, cem]).await;
    let answer = |session| an_answer().in_session(session);
    world
        .happened([
            a_start().in_session(session).at_second(0),
            a_publication()
                .in_session(session)
                .of(first)
                .at_second(1)
                .with_key("B"),
            // The same question again is the same question.
            a_publication().in_session(session).of(first).at_second(2),
            a_publication().in_session(session).of(second).at_second(3),
            answer(session).of(first).by(ann).saying("A").at_second(4),
            // Only the last answer counts.
            answer(session).of(first).by(ann).saying("B").at_second(5),
            // Not graded, and completes the session for Ann.
            answer(session).of(second).by(ann).at_second(6),
            // A guest, also where she is on another roster of the quiz.
            answer(session).of(first).by(cem).saying("A").at_second(7),
            answer(session).of(first).by(guest).saying("A").at_second(8),
            a_start()
                .in_session(other_session)
                .in_classroom(other_room)
                .at_second(600),
            a_publication()
                .in_session(other_session)
                .in_classroom(other_room)
                .of(first)
                .at_second(601),
        ])
        .await;
    let expected = json!({
        "quiz_id": QUIZ,
        "title": "",
        "usage_statistics": {
            "total_sessions": 2, "total_classrooms": 2, "total_students": 3, "total_questions": 2,
            "first_used": "2025-06-20T12:00:00Z", "last_used": "2025-06-20T12:10:00Z",
        },
        // Completed by 1 of 2 and by 0 of 2; engaged is Ann of Ann, Ben and Cem.
        "performance_metrics": {
            "average_accuracy": 33.33, "average_completion": 25,
            "overall_engagement": 33.33, "effectiveness_score": 33.33,
        },
        "insights": {"performance_rating": "needs_improvement", "usage_frequency": "minimal", "reach": "limited"},
    });
    assert_eq!(report(&world, QUIZ).await, expected);
}

#[tokio::test]
async fn completion_leaves_out_sessions_without_a_publication_or_a_roster() {
    let world = World::new().await;
    let [played, idle, unattended, question] = ids();
    let [ann, empty_room] = ids();
    world.enrol(&[ann]).await;
    let publish = |session| a_publication().in_session(session).of(question);
    world
        .happened([
            publish(played),
            an_answer().in_session(played).of(question).by(ann),
            a_start().in_session(idle),
            publish(unattended).in_classroom(empty_room),
        ])
        .await;
    let body = report(&world, QUIZ).await;
    assert_eq!(body["performance_metrics"]["average_completion"], 100);
    assert_eq!(body["usage_statistics"]["total_sessions"], 3);
}

#[tokio::test]
async fn thirds_are_rounded_once() {
    let world = World::new().await;
    let students: [Uuid; 3] = ids();
    world.enrol(&students).await;
    let [question] = ids();
    // 1/3, 1/3 and 1/3 of a roster, and 29 times nobody: 100 ÷ 32 is 3.125.
    let sessions: [Uuid; 32] = ids();
    world
        .happened(sessions.map(|session| a_publication().in_session(session).of(question)))
        .await;
    world
        .happened(
            students.iter().zip(sessions).map(|(student, session)| {
                an_answer().in_session(session).of(question).by(*student)
            }),
        )
        .await;
    let body = report(&world, QUIZ).await;
    assert_eq!(body["performance_metrics"]["average_completion"], 3.13);
}

#[tokio::test]
async fn first_and_last_use_leave_out_sessions_ahead_and_without_a_start() {
    let world = World::new().await;
    let ahead = OffsetDateTime::now_utc() + Duration::hours(1);
    let publication = a_publication().at_second(-600);
    world
        .happened([a_start().at(ahead), publication, a_start().at_second(60)])
        .await;
    let usage = &report(&world, QUIZ).await["usage_statistics"];
    assert_eq!(usage["total_sessions"], 3);
    let noon = json!("2025-06-20T12:01:00Z");
    assert_eq!((&usage["first_used"], &usage["last_used"]), (&noon, &noon));
}

#[tokio::test]
async fn an_unknown_quiz_has_no_title_and_zeros() {
    let world = World::new().await;
    let [quiz] = ids();
    world.happened([a_publication(), an_answer()]).await;
    let expected = json!({
        "quiz_id": quiz,
        "title": "",
        "usage_statistics": {
            "total_sessions": 0, "total_classrooms": 0, "total_students": 0, "total_questions": 0,
            "first_used": null, "last_used": null,
        },
        "performance_metrics": {
            "average_accuracy": 0, "average_completion": 0, "overall_engagement": 0, "effectiveness_score": 0,
        },
        "insights": {
            "performance_rating": "needs_improvement", "usage_frequency": "minimal", "reach": "single_classroom",
        },
    });
    assert_eq!(report(&world, quiz).await, expected);
}

#[tokio::test]
async fn usage_and_reach_follow_sessions_and_classrooms() {
    let world = World::new().await;
    let rooms: [Uuid; 10] = ids();
    for sessions in 1..=20 {
        let room = rooms.get(sessions).copied().unwrap_or(CLASSROOM);
        world.happened([a_start().in_classroom(room)]).await;
        let usage = match sessions {
            ..5 => "minimal",
            5..10 => "low",
            10..20 => "moderate",
            _ => "high",
        };
        // Nine rooms of their own, then that of everybody.
        let reach = match sessions {
            1 => "single_classroom",
            2..5 => "limited",
            5..10 => "moderate",
            _ => "wide",
        };
        let body = report(&world, QUIZ).await;
        let found = (
            &body["insights"]["usage_frequency"],
            &body["insights"]["reach"],
        );
        assert_eq!(found, (&json!(usage), &json!(reach)), "{sessions} sessions");
    }
}

#[tokio::test]
async fn the_rating_follows_accuracy_and_engagement() {
    let world = World::new().await;
    let [question] = ids();
    world
        .happened([a_publication().of(question).with_key("B")])
        .await;
    // Without a roster the score is half of the accuracy; so it is made of both halves below.
    for (right, wrong, engaged, rating) in [
        (9, 1, false, "below_average"),
        (4, 1, false, "below_average"),
        (3, 1, false, "needs_improvement"),
        (8, 2, true, "excellent"),
        (1, 1, true, "good"),
        (1, 4, true, "average"),
        (0, 1, true, "below_average"),
    ] {
        let [quiz, session, room, ann] = ids();
        if engaged {
            enrol(&world.db, 1, room, &[ann]).await;
        }
        let mut events = vec![
            a_publication()
                .in_session(session)
                .in_classroom(room)
                .with("quiz_id", quiz)
                .of(question)
                .at_second(-600),
        ];
        for number in 0..right + wrong {
            let text = if number < right { "B" } else { "A" };
            let answer = an_answer().in_session(session).of(question).saying(text);
            events.push(if number == 0 { answer.by(ann) } else { answer });
        }
        world.happened(events).await;
        let body = report(&world, quiz).await;
        assert_eq!(body["insights"]["performance_rating"], rating, "{body}");
    }
}
