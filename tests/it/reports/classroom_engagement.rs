//! Contract 8.4.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::fixtures::{id, seeded};
use super::{World, ids};
use crate::harness::event::{CLASSROOM, Draft, a_publication, a_start, an_answer, an_end};

async fn report(world: &World, classroom: Uuid, range: &str) -> Value {
    let classroom = classroom.to_string();
    let params = [("classroom_id", classroom.as_str()), ("date_range", range)];
    world.settled_report("classroom-engagement", &params).await
}

fn hours_ago(hours: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc() - Duration::hours(hours)
}

/// A session of one question with key B, and one answer of each of these students.
fn a_session(started_at: OffsetDateTime, answers: &[(Uuid, &str)]) -> Vec<Draft> {
    let [session, question] = ids();
    let at = started_at + Duration::MINUTE;
    let publication = a_publication().in_session(session).of(question);
    let answer = |(student, text): &(Uuid, &str)| {
        let answer = an_answer().in_session(session).of(question);
        answer.by(*student).saying(text).at(at)
    };
    [
        a_start().in_session(session).at(started_at),
        publication.at(at).with_key("B"),
    ]
    .into_iter()
    .chain(answers.iter().map(answer))
    .collect()
}

#[tokio::test]
async fn sessions_of_the_window_count_with_what_their_roster_answered() {
    let world = World::new().await;
    let [session, first, second, unpublished, elsewhere] = ids();
    let [ann, ben, cleo, dan, guest] = ids();
    world.enrol(&[ann, ben, cleo, dan]).await;
    let now = OffsetDateTime::now_utc();
    let publish = |question| {
        let publication = a_publication().in_session(session);
        publication.of(question).at(hours_ago(30)).with_key("B")
    };
    let answer = |student, question| {
        let answer = an_answer().in_session(session).of(question);
        answer.by(student).at(hours_ago(29))
    };
    world
        .happened([
            a_start().in_session(session).at(hours_ago(31)),
            publish(first),
            publish(second),
            publish(first).at(hours_ago(28)),
            answer(ann, first),
            answer(ann, second).saying("A"),
            answer(ben, first),
            answer(ben, unpublished),
            answer(guest, first),
            answer(guest, second).saying("A"),
        ])
        .await;
    // Another of them, in which Ann is active again and Cleo for the first time.
    let again = [(ann, "B"), (cleo, "A")];
    world.happened(a_session(hours_ago(3), &again)).await;
    // Before the window, in the future, without a start, and of another classroom.
    world
        .happened(a_session(now - Duration::days(9), &[(dan, "A")]))
        .await;
    world
        .happened(a_session(hours_ago(-3), &[(dan, "A")]))
        .await;
    let stray = || an_answer().by(dan).saying("A").at(hours_ago(2));
    world
        .happened([
            stray().of(first),
            stray().of(first).in_classroom(elsewhere),
            a_start().in_classroom(elsewhere).at(hours_ago(2)),
            an_end().at(hours_ago(1)),
        ])
        .await;
    let expected = json!({
        "classroom_id": CLASSROOM,
        "date_range": "168h0m0s",
        "total_students": 4,
        "active_students": 3,
        "engagement_rate_percent": 75,
        // Four of seven: Ann 1 of 2, Ben 1, the guest 1 of 2; Ann 1, Cleo 0.
        "average_accuracy_percent": 57.14,
        "total_questions": 3,
        // Ann 2 of 2, Ben 1 of 2; Ann and Cleo 1 of 1 each.
        "response_rate_percent": 83.33,
        // Nine days ago one of four was active, and wrong.
        "trends": {"engagement": "increasing", "accuracy": "increasing"},
    });
    assert_eq!(report(&world, CLASSROOM, "7d").await, expected);
}

#[tokio::test]
async fn of_a_session_that_the_window_cuts_only_the_answers_inside_count() {
    let world = World::new().await;
    let [session, first, second] = ids();
    let [ann, ben, cleo, dan] = ids();
    world.enrol(&[ann, ben, cleo, dan]).await;
    let minutes_ago = |minutes| OffsetDateTime::now_utc() - Duration::minutes(minutes);
    let publish = |question| {
        let publication = a_publication().in_session(session);
        publication.of(question).at(minutes_ago(95)).with_key("B")
    };
    let answer = |student, question, minutes| {
        let answer = an_answer().in_session(session).of(question);
        answer.by(student).at(minutes_ago(minutes))
    };
    world
        .happened([
            a_start().in_session(session).at(minutes_ago(50)),
            publish(first),
            publish(second),
            // One answer before the window, one inside, one replaced by an answer still to come.
            answer(ann, first, 90).saying("A"),
            answer(ann, second, 30),
            answer(ben, first, 90),
            answer(cleo, first, 40),
            answer(cleo, first, -60).saying("A"),
            answer(cleo, second, 20),
            answer(dan, first, -60),
        ])
        .await;
    let body = report(&world, CLASSROOM, "1h").await;
    let found = [
        "active_students",
        "average_accuracy_percent",
        "total_questions",
        "response_rate_percent",
    ]
    .map(|name| &body[name]);
    // Ann and Cleo, each right at one of two questions.
    assert_eq!(json!(found), json!([2, 100, 2, 50]));
    let body = report(&world, CLASSROOM, "2h").await;
    // Ann right at one of two, Ben and Cleo right at one.
    let found = ["active_students", "average_accuracy_percent"].map(|name| &body[name]);
    assert_eq!(json!(found), json!([3, 75]));
}

#[tokio::test]
async fn the_trends_compare_with_the_window_before() {
    let ten: [Uuid; 10] = ids();
    let right_and_wrong = |right: usize, wrong: usize| -> Vec<(Uuid, &str)> {
        let texts = std::iter::repeat_n("B", right).chain(std::iter::repeat_n("A", wrong));
        ten.into_iter().zip(texts).collect()
    };
    for (before, current, engagement, accuracy) in [
        (Some((5, 5)), (4, 6), "stable", "decreasing"),
        (Some((2, 2)), (5, 5), "increasing", "stable"),
        (Some((3, 6)), (4, 4), "decreasing", "increasing"),
        (Some((0, 0)), (0, 0), "stable", "stable"),
        (None, (1, 1), "insufficient_data", "insufficient_data"),
    ] {
        let world = World::new().await;
        world.enrol(&ten).await;
        if let Some((right, wrong)) = before {
            let answers = right_and_wrong(right, wrong);
            world.happened(a_session(hours_ago(36), &answers)).await;
        }
        // Two windows back, which is nobody's concern.
        world
            .happened(a_session(hours_ago(60), &right_and_wrong(10, 0)))
            .await;
        let answers = right_and_wrong(current.0, current.1);
        world.happened(a_session(hours_ago(12), &answers)).await;
        let body = report(&world, CLASSROOM, "1d").await;
        let expected = json!({"engagement": engagement, "accuracy": accuracy});
        assert_eq!(body["trends"], expected, "{before:?} {current:?}");
    }
}

#[tokio::test]
async fn nothing_in_the_window_is_zero_with_a_roster_or_without() {
    let world = World::new().await;
    let [unknown, guest] = ids();
    world.enrol(&[Uuid::new_v4()]).await;
    let [empty] = ids();
    let session = a_session(hours_ago(1), &[(guest, "B")]);
    let session = session.into_iter().map(|event| event.in_classroom(empty));
    world.happened(session).await;
    for (classroom, students, accuracy, questions) in
        [(CLASSROOM, 1, 0, 0), (unknown, 0, 0, 0), (empty, 0, 100, 1)]
    {
        let expected = json!({
            "classroom_id": classroom,
            "date_range": "24h0m0s",
            "total_students": students,
            "active_students": 0,
            "engagement_rate_percent": 0,
            "average_accuracy_percent": accuracy,
            "total_questions": questions,
            "response_rate_percent": 0,
            "trends": {"engagement": "insufficient_data", "accuracy": "insufficient_data"},
        });
        assert_eq!(report(&world, classroom, "24h").await, expected);
    }
}

#[tokio::test]
async fn the_fixtures_have_the_contracts_engagement() {
    let world = seeded().await;
    for (classroom, students, active, engagement, accuracy, questions, response) in [
        (20, 3, 3, 100, json!(62.5), 2, json!(83.33)),
        (22, 1, 0, 0, json!(0), 0, json!(0)),
        (23, 2, 0, 0, json!(0), 0, json!(0)),
    ] {
        let expected = json!({
            "classroom_id": id(classroom),
            "date_range": "168h0m0s",
            "total_students": students,
            "active_students": active,
            "engagement_rate_percent": engagement,
            "average_accuracy_percent": accuracy,
            "total_questions": questions,
            "response_rate_percent": response,
            "trends": {"engagement": "insufficient_data", "accuracy": "insufficient_data"},
        });
        let classroom = id(classroom).parse().unwrap();
        assert_eq!(report(&world, classroom, "7d").await, expected);
    }
}
