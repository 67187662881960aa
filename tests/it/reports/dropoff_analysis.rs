//! Contract 8.10.

use serde_json::{Value, json};
use uuid::Uuid;

use super::fixtures::{id, seeded};
use super::{World, ids};
use crate::harness::event::{a_publication, a_start, an_answer};

const REVIEW: &str =
    "Review the difficulty and the clarity of the questions at which students leave";
const HEALTHY: &str = "Retention is healthy";

async fn report(world: &World, session: Uuid) -> Value {
    let session = session.to_string();
    let params = [("session_id", session.as_str())];
    world.settled_report("dropoff-analysis", &params).await
}

fn point(question: Uuid, order: i64, start: i64, end: i64, rate: f64) -> Value {
    let rate = if rate.fract() == 0.0 {
        json!(rate as i64)
    } else {
        json!(rate)
    };
    json!({
        "question_id": question, "question_order": order, "students_at_start": start, "students_at_end": end,
        "dropoff_rate": rate,
    })
}

#[tokio::test]
async fn the_roster_narrows_from_question_to_question_and_skipping_one_is_not_leaving() {
    let world = World::new().await;
    let [session] = ids();
    // In the order of their publication, which is not that of their ids.
    let [second, third, first] = ids();
    let [ann, ben, cleo, dan, guest] = ids();
    world.enrol(&[ann, ben, cleo, dan]).await;
    let publish = |question| a_publication().in_session(session).of(question);
    let answer = |student, question| {
        let answer = an_answer().in_session(session);
        answer.by(student).of(question)
    };
    world
        .happened([
            publish(first).at_second(0),
            publish(second).at_second(10),
            publish(third).at_second(20),
            // Again, which moves nothing.
            publish(first).at_second(30),
            answer(ann, first),
            answer(ann, second),
            answer(ann, third),
            // The last question first, and none in between.
            answer(ben, third).at_second(1),
            answer(ben, first).at_second(99),
            answer(cleo, first),
            answer(guest, third),
        ])
        .await;
    let points = [
        point(first, 1, 4, 3, 25.0),
        point(second, 2, 3, 2, 33.33),
        point(third, 3, 2, 2, 0.0),
    ];
    let expected = json!({
        "session_id": session,
        "dropoff_points": points,
        "analysis": {"critical_points": points[..2], "recommendations": [REVIEW]},
    });
    assert_eq!(report(&world, session).await, expected);
}

#[tokio::test]
async fn a_quarter_is_critical_and_only_three_tenths_need_a_review() {
    let world = World::new().await;
    let students: [Uuid; 100] = ids();
    world.enrol(&students).await;
    for (staying, critical, recommendation) in [
        (76, 0, HEALTHY),
        (75, 1, HEALTHY),
        (71, 1, HEALTHY),
        (70, 1, REVIEW),
    ] {
        let [session, question] = ids();
        let publication = a_publication().in_session(session).of(question);
        world.happened([publication]).await;
        let answer = |student: &Uuid| an_answer().in_session(session).of(question).by(*student);
        world.happened(students[..staying].iter().map(answer)).await;
        let analysis = &report(&world, session).await["analysis"];
        let found = analysis["critical_points"].as_array().unwrap().len();
        assert_eq!(found, critical, "{staying} of 100");
        assert_eq!(
            analysis["recommendations"],
            json!([recommendation]),
            "{staying} of 100"
        );
    }
}

#[tokio::test]
async fn an_unknown_session_has_no_points_and_one_without_a_roster_nobody_to_lose() {
    let world = World::new().await;
    let [session, question, unknown, unpublished] = ids();
    world
        .happened([
            a_publication().in_session(session).of(question),
            an_answer().in_session(session).of(question),
            a_start().in_session(unpublished),
        ])
        .await;
    for (session, points) in [
        (session, vec![point(question, 1, 0, 0, 0.0)]),
        (unknown, vec![]),
        (unpublished, vec![]),
    ] {
        let expected = json!({
            "session_id": session,
            "dropoff_points": points,
            "analysis": {"critical_points": [], "recommendations": [HEALTHY]},
        });
        assert_eq!(report(&world, session).await, expected);
    }
}

#[tokio::test]
async fn the_fixtures_have_the_contracts_funnel() {
    let world = seeded().await;
    let [session, first, second] = [0, 30, 31].map(|digits| id(digits).parse().unwrap());
    let points = [point(first, 1, 3, 3, 0.0), point(second, 2, 3, 2, 33.33)];
    let expected = json!({
        "session_id": session,
        "dropoff_points": points,
        "analysis": {"critical_points": [points[1]], "recommendations": [REVIEW]},
    });
    assert_eq!(report(&world, session).await, expected);
}
