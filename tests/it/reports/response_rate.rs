//! Contract 8.6.

use serde_json::json;
use uuid::Uuid;

use super::{World, enrol, ids};
use crate::harness::event::{a_publication, a_start, an_answer};

const REPORT: &str = "response-rate";

async fn report(world: &World, session: Uuid, question: Uuid) -> serde_json::Value {
    let (session, question) = (session.to_string(), question.to_string());
    world
        .report(
            REPORT,
            &[("session_id", &session), ("question_id", &question)],
        )
        .await
}

#[tokio::test]
async fn the_roster_is_measured_and_neither_guests_nor_repetitions_raise_the_rate() {
    let world = World::new().await;
    let [session, question] = ids();
    let [ann, ben, cleo, guest] = ids();
    world.enrol(&[ann, ben, cleo]).await;
    let publish = || a_publication().in_session(session).of(question);
    let answer = |student| an_answer().in_session(session).of(question).by(student);
    world
        .happened([
            publish(),
            publish().at_second(5),
            publish().at_second(9),
            answer(ann).at_second(1),
            answer(ann).at_second(10),
            // Late, and counted all the same.
            answer(ben).at_second(1_000),
            answer(guest).at_second(2),
        ])
        .await;
    let expected = json!({
        "question_id": question, "session_id": session, "students_received": 3, "students_answered": 2,
        "response_rate": 66.67,
        "analysis": {"engagement_level": "moderate", "benchmark": "The industry average response rate is 85%"},
    });
    assert_eq!(report(&world, session, question).await, expected);
}

#[tokio::test]
async fn the_label_follows_the_rate() {
    let world = World::new().await;
    let students: [Uuid; 10] = ids();
    world.enrol(&students).await;
    let [session, question] = ids();
    world
        .happened([a_publication().in_session(session).of(question)])
        .await;
    for (answered, student) in students.iter().enumerate() {
        let level = match answered {
            0..=5 => "low",
            6 | 7 => "moderate",
            8 => "good",
            _ => "excellent",
        };
        let body = report(&world, session, question).await;
        assert_eq!(body["response_rate"], answered * 10);
        assert_eq!(
            body["analysis"]["engagement_level"], level,
            "{answered} of 10"
        );
        world
            .happened([an_answer().in_session(session).of(question).by(*student)])
            .await;
    }
    assert_eq!(
        report(&world, session, question).await["response_rate"],
        100
    );
}

#[tokio::test]
async fn a_question_that_was_not_published_in_the_session_was_received_by_nobody() {
    let world = World::new().await;
    let [session, other_session, question, unknown] = ids();
    let [ann] = ids();
    world.enrol(&[ann]).await;
    world
        .happened([
            a_start().in_session(session),
            a_publication().in_session(other_session).of(question),
            an_answer().in_session(session).of(question).by(ann),
        ])
        .await;
    for (session, question) in [(session, question), (session, unknown), (unknown, question)] {
        let body = report(&world, session, question).await;
        assert_eq!(
            (
                &body["students_received"],
                &body["students_answered"],
                &body["response_rate"]
            ),
            (&json!(0), &json!(0), &json!(0))
        );
        assert_eq!(body["analysis"]["engagement_level"], "low");
    }
}

#[tokio::test]
async fn the_roster_is_that_of_the_classroom_that_the_start_names() {
    let world = World::new().await;
    let [session, question, started_in] = ids();
    let [ann, ben] = ids();
    world.enrol(&[ann]).await;
    enrol(&world.db, 1, started_in, &[ann, ben]).await;
    let publication = a_publication().in_session(session).of(question);
    world.happened([publication]).await;
    assert_eq!(
        report(&world, session, question).await["students_received"],
        1
    );
    world
        .happened([a_start()
            .in_session(session)
            .in_classroom(started_in)
            .at_second(600)])
        .await;
    assert_eq!(
        report(&world, session, question).await["students_received"],
        2
    );
}
