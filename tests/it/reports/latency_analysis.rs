//! Contract 8.7.

use serde_json::{Value, json};
use time::Duration;
use uuid::Uuid;

use super::fixtures::{id, seeded};
use super::{World, ids};
use crate::harness::event::{NOON, a_publication, an_answer};

const BENCHMARK: &str = "Aim for an average below 30 seconds";

async fn report(world: &World, session: Uuid, question: Uuid) -> Value {
    let (session, question) = (session.to_string(), question.to_string());
    let params = [
        ("session_id", session.as_str()),
        ("question_id", question.as_str()),
    ];
    world.report("latency-analysis", &params).await
}

#[tokio::test]
async fn each_answer_that_counts_is_timed_against_its_own_round() {
    let world = World::new().await;
    let [session, question, other] = ids();
    let [ann, ben, cleo, guest] = ids();
    world.enrol(&[ann, ben, cleo]).await;
    let publish = |question| a_publication().in_session(session).of(question);
    let answer = |student| an_answer().in_session(session).of(question).by(student);
    world
        .happened([
            publish(question).at_second(0),
            publish(question).at_second(100),
            publish(other).at_second(50),
            // Replaced by an answer 10 s into the second round.
            answer(ann).at_second(5),
            answer(ann).at_second(110),
            answer(ben).at(NOON + Duration::milliseconds(1_500)),
            answer(guest).at_second(20),
            // Before any publication: no latency, and not the first answer.
            answer(cleo).at_second(-5),
            answer(ann).of(other).at_second(51),
        ])
        .await;
    let expected = json!({
        "question_id": question,
        "session_id": session,
        "first_answer_latency": "1.5s",
        "average_latency": "10.5s",
        "median_latency": "10s",
        "answer_count": 4,
        "analysis": {"speed_rating": "fast", "benchmark": BENCHMARK},
    });
    assert_eq!(report(&world, session, question).await, expected);
}

#[tokio::test]
async fn an_even_number_has_its_median_in_the_middle_and_milliseconds_round_away_from_zero() {
    let world = World::new().await;
    let [session, question] = ids();
    let publication = a_publication().in_session(session).of(question);
    world.happened([publication]).await;
    for (microseconds, first, average, median) in [
        (1_000, "1ms", "1ms", "1ms"),
        (2_000, "1ms", "2ms", "2ms"),
        (90_000_000, "1ms", "30.001s", "2ms"),
        (5_499, "1ms", "22.502s", "4ms"),
    ] {
        let answer = an_answer()
            .in_session(session)
            .of(question)
            .at(NOON + Duration::microseconds(microseconds));
        world.happened([answer]).await;
        let body = report(&world, session, question).await;
        let found = [
            &body["first_answer_latency"],
            &body["average_latency"],
            &body["median_latency"],
        ];
        let expected = [first, average, median].map(Value::from);
        assert_eq!(found, expected.each_ref(), "{microseconds}");
    }
}

#[tokio::test]
async fn the_label_follows_the_average() {
    let world = World::new().await;
    for (milliseconds, rating) in [
        (0, "fast"),
        (15_000, "fast"),
        (15_001, "moderate"),
        (30_000, "moderate"),
        (30_001, "slow"),
    ] {
        let [session, question] = ids();
        let at = NOON + Duration::milliseconds(milliseconds);
        world
            .happened([
                a_publication().in_session(session).of(question),
                an_answer().in_session(session).of(question).at(at),
            ])
            .await;
        let body = report(&world, session, question).await;
        assert_eq!(body["analysis"]["speed_rating"], rating, "{milliseconds}");
    }
}

#[tokio::test]
async fn without_a_latency_there_is_no_rating_and_the_count_tells_answers_from_none() {
    let world = World::new().await;
    let [session, question, unknown] = ids();
    world
        .happened([an_answer().in_session(session).of(question)])
        .await;
    for (question, answers) in [(question, 1), (unknown, 0)] {
        let expected = json!({
            "question_id": question,
            "session_id": session,
            "first_answer_latency": "0s",
            "average_latency": "0s",
            "median_latency": "0s",
            "answer_count": answers,
            "analysis": {"speed_rating": "no_data", "benchmark": BENCHMARK},
        });
        assert_eq!(report(&world, session, question).await, expected);
    }
}

#[tokio::test]
async fn the_fixtures_have_the_contracts_latencies() {
    let world = seeded().await;
    let (session, question) = (id(0).parse().unwrap(), id(30).parse().unwrap());
    let body = report(&world, session, question).await;
    let expected = json!({
        "question_id": question,
        "session_id": session,
        "first_answer_latency": "0s",
        "average_latency": "2m0s",
        "median_latency": "2m0s",
        "answer_count": 5,
        "analysis": {"speed_rating": "slow", "benchmark": BENCHMARK},
    });
    assert_eq!(body, expected);
}
