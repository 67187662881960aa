//! Contract 8.3.

use serde_json::{Value, json};
use time::Duration;
use uuid::Uuid;

use super::fixtures::{id, seeded};
use super::{World, ids};
use crate::harness::event::{CLASSROOM, NOON, a_publication, an_answer};

async fn report(world: &World, student: Uuid, classroom: Uuid) -> Value {
    let (student, classroom) = (student.to_string(), classroom.to_string());
    let params = [
        ("student_id", student.as_str()),
        ("classroom_id", classroom.as_str()),
    ];
    world.settled_report("student-performance", &params).await
}

#[tokio::test]
async fn the_answers_that_count_in_sessions_of_the_classroom_are_summed_up() {
    let world = World::new().await;
    let [first_session, second_session, elsewhere] = ids();
    let [first, second, ungraded] = ids();
    let [ann, ben] = ids();
    let publish = |session, question| {
        let publication = a_publication().in_session(session);
        publication.of(question).with_key("B")
    };
    let answer = |session, question| an_answer().in_session(session).of(question).by(ann);
    let [other_classroom] = ids();
    world
        .happened([
            publish(first_session, first),
            publish(second_session, first),
            publish(second_session, second),
            publish(elsewhere, first).in_classroom(other_classroom),
            // Wrong first, right in the end.
            answer(first_session, first).saying("A").at_second(1),
            answer(first_session, first).at_second(10),
            // The same question in another session is another answer.
            answer(second_session, first).saying("A").at_second(20),
            answer(second_session, second)
                .at(NOON + Duration::microseconds(1_000_500))
                .saying(" B"),
            // Neither graded nor timed.
            answer(second_session, ungraded),
            answer(elsewhere, first).in_classroom(other_classroom),
            answer(first_session, first).by(ben),
        ])
        .await;
    let expected = json!({
        "student_id": ann,
        "classroom_id": CLASSROOM,
        "questions_attempted": 4,
        "correct_answers": 2,
        "overall_accuracy_percent": 66.67,
        // 31.0005 s ÷ 3
        "average_response_time": "10.334s",
        "average_response_time_seconds": 10.33,
        "performance_trend": "insufficient_data",
    });
    assert_eq!(report(&world, ann, CLASSROOM).await, expected);
}

#[tokio::test]
async fn the_newer_half_of_the_graded_answers_is_set_against_the_older_one() {
    let world = World::new().await;
    let ungraded = Uuid::new_v4();
    let sessions: [Uuid; 2] = ids();
    // In the order of time: right, wrong, ungraded.
    for (answers, trend) in [
        ("wwrr", "improving"),
        ("rrww", "declining"),
        ("rwwr", "stable"),
        ("wwr", "insufficient_data"),
        ("uwwru", "insufficient_data"),
        ("uwuwurur", "improving"),
        // The odd one is in the newer half.
        ("rrwrr", "declining"),
        ("wwrww", "improving"),
        ("", "insufficient_data"),
    ] {
        let [student] = ids();
        let mut events = Vec::new();
        for (place, kind) in answers.chars().enumerate() {
            let question = if kind == 'u' {
                ungraded
            } else {
                Uuid::new_v4()
            };
            // Both sessions in turn, so that neither a session nor the order of arrival decides.
            let session = sessions[place % 2];
            if kind != 'u' {
                let publication = a_publication().in_session(session);
                events.push(publication.of(question).with_key("B"));
            }
            let answer = an_answer().in_session(session).of(question).by(student);
            let text = if kind == 'r' { "B" } else { "A" };
            events.push(answer.saying(text).at_second(1 + place as i64));
        }
        events.reverse();
        world.happened(events).await;
        let body = report(&world, student, CLASSROOM).await;
        assert_eq!(body["performance_trend"], trend, "{answers}");
    }
}

#[tokio::test]
async fn answers_at_one_instant_are_ordered_by_their_event_ids() {
    let world = World::new().await;
    let [session, student] = ids();
    let questions: [Uuid; 4] = ids();
    let events: [Uuid; 4] = ids();
    for (place, question) in questions.into_iter().enumerate() {
        let text = if place < 2 { "A" } else { "B" };
        let publication = a_publication().in_session(session).of(question);
        let answer = an_answer().in_session(session).of(question).by(student);
        // The question with the greatest id has the smallest event.
        let answer = answer.named(events[3 - place]).saying(text);
        world
            .happened([answer.at_second(5), publication.with_key("B")])
            .await;
    }
    let body = report(&world, student, CLASSROOM).await;
    assert_eq!(body["performance_trend"], "declining");
}

#[tokio::test]
async fn a_student_without_answers_there_has_zeros_and_no_response_time() {
    let world = World::new().await;
    let [unknown, untimed] = ids();
    world.happened([an_answer().by(untimed)]).await;
    for (student, attempted) in [(unknown, 0), (untimed, 1)] {
        let expected = json!({
            "student_id": student,
            "classroom_id": CLASSROOM,
            "questions_attempted": attempted,
            "correct_answers": 0,
            "overall_accuracy_percent": 0,
            "average_response_time": "N/A",
            "average_response_time_seconds": null,
            "performance_trend": "insufficient_data",
        });
        assert_eq!(report(&world, student, CLASSROOM).await, expected);
    }
}

#[tokio::test]
async fn the_fixtures_have_the_contracts_performance() {
    let world = seeded().await;
    let student = id(40).parse().unwrap();
    let expected = json!({
        "student_id": student,
        "classroom_id": CLASSROOM,
        "questions_attempted": 2,
        "correct_answers": 2,
        "overall_accuracy_percent": 100,
        "average_response_time": "0s",
        "average_response_time_seconds": 0,
        "performance_trend": "insufficient_data",
    });
    assert_eq!(report(&world, student, CLASSROOM).await, expected);
}
