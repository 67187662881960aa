//! Contract 8.9.

use serde_json::{Value, json};
use uuid::Uuid;

use super::fixtures::{id, seeded};
use super::{World, ids};
use crate::harness::event::{a_publication, an_answer};

const BENCHMARK: &str = "Aim for a completion rate above 80%";

async fn report(world: &World, session: Uuid) -> Value {
    let session = session.to_string();
    let params = [("session_id", session.as_str())];
    world.settled_report("completion-rate", &params).await
}

#[tokio::test]
async fn completed_is_who_answered_every_published_question_and_guests_are_left_out() {
    let world = World::new().await;
    let [session, elsewhere] = ids();
    let [first, second, third, unpublished, unpublished_too] = ids();
    let [ann, ben, cleo, guest] = ids();
    world.enrol(&[ann, ben, cleo]).await;
    let publish = |question| a_publication().in_session(session).of(question);
    let answer = |student, question| {
        let answer = an_answer().in_session(session);
        answer.by(student).of(question)
    };
    world
        .happened([
            publish(first),
            publish(second),
            publish(third),
            publish(first).at_second(300),
            answer(ann, first),
            answer(ann, second),
            // Changed, and still one of three.
            answer(ann, third),
            answer(ann, third).at_second(9),
            // Three answers, of which one is to a question of this session.
            answer(ben, first),
            answer(ben, unpublished),
            answer(ben, unpublished_too),
            answer(cleo, first).in_session(elsewhere),
        ])
        .await;
    world
        .happened([first, second, third].map(|question| answer(guest, question)))
        .await;
    let expected = json!({
        "session_id": session,
        "total_students": 3,
        "completed_students": 1,
        "completion_rate": 33.33,
        "total_questions": 3,
        // (3 + 1 + 0) of 9
        "average_completion": 44.44,
        "analysis": {"retention_level": "concerning", "benchmark": BENCHMARK},
    });
    assert_eq!(report(&world, session).await, expected);
}

#[tokio::test]
async fn nobody_completes_a_session_without_a_published_question() {
    let world = World::new().await;
    let [session, question, unknown, student] = ids();
    world.enrol(&[student]).await;
    let answer = an_answer().in_session(session).of(question).by(student);
    world.happened([answer]).await;
    for (session, students) in [(session, 1), (unknown, 0)] {
        let expected = json!({
            "session_id": session,
            "total_students": students,
            "completed_students": 0,
            "completion_rate": 0,
            "total_questions": 0,
            "average_completion": 0,
            "analysis": {"retention_level": "concerning", "benchmark": BENCHMARK},
        });
        assert_eq!(report(&world, session).await, expected);
    }
}

#[tokio::test]
async fn the_label_follows_the_rate() {
    let world = World::new().await;
    let students: [Uuid; 20] = ids();
    world.enrol(&students).await;
    let [session, question] = ids();
    let publication = a_publication().in_session(session).of(question);
    world.happened([publication]).await;
    for (answered, student) in students.into_iter().enumerate() {
        let level = match answered {
            0..=9 => "concerning",
            10..=13 => "moderate",
            14..=16 => "good",
            _ => "excellent",
        };
        let body = report(&world, session).await;
        assert_eq!(body["completion_rate"], 5 * answered);
        assert_eq!(body["average_completion"], 5 * answered);
        assert_eq!(
            body["analysis"]["retention_level"], level,
            "{answered} of 20"
        );
        let answer = an_answer().in_session(session).of(question).by(student);
        world.happened([answer]).await;
    }
}

#[tokio::test]
async fn the_fixtures_have_the_contracts_completion() {
    let world = seeded().await;
    let session = id(0).parse().unwrap();
    let expected = json!({
        "session_id": session,
        "total_students": 3,
        "completed_students": 2,
        "completion_rate": 66.67,
        "total_questions": 2,
        "average_completion": 83.33,
        "analysis": {"retention_level": "moderate", "benchmark": BENCHMARK},
    });
    assert_eq!(report(&world, session).await, expected);
}
