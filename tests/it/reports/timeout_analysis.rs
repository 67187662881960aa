//! Contract 8.8.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::fixtures::{id, seeded};
use super::{World, ids};
use crate::harness::event::{Draft, a_publication, a_start, an_answer, an_end};

const MORE_TIME: &str = "Give more time for this question, or make it simpler";
const WATCH: &str = "Watch this question: some students run out of time";
const FINE: &str = "The time for this question is fine";

async fn report(world: &World, session: Uuid, question: Uuid) -> Value {
    let (session, question) = (session.to_string(), question.to_string());
    let params = [
        ("session_id", session.as_str()),
        ("question_id", question.as_str()),
    ];
    world.report("timeout-analysis", &params).await
}

/// Students, timeouts, skipped and pending.
async fn counts(world: &World, session: Uuid, question: Uuid) -> [i64; 4] {
    let body = report(world, session, question).await;
    [
        "total_students",
        "timeout_count",
        "skipped_count",
        "pending_count",
    ]
    .map(|name| body[name].as_i64().unwrap())
}

/// Five students on the roster and a guest. The question was published a minute after another one.
struct Lesson {
    world: World,
    session: Uuid,
    question: Uuid,
}

impl Lesson {
    async fn with(publish: impl Fn(Draft) -> Draft) -> Self {
        let world = World::new().await;
        let [session, question, other] = ids();
        let [ann, ben, cleo, dan, eve, guest] = ids();
        world.enrol(&[ann, ben, cleo, dan, eve]).await;
        let published = |question| a_publication().in_session(session).of(question);
        let answer = |student, question| {
            let answer = an_answer().in_session(session);
            answer.by(student).of(question)
        };
        world
            .happened([
                published(other).at_second(0),
                publish(published(question).at_second(60)),
                answer(ann, question).at_second(61),
                // Late, and an answer all the same.
                answer(eve, question).at_second(10_000),
                // Present after the question came, at that very moment.
                answer(ben, other).at_second(60),
                // Gone before it came.
                answer(cleo, other).at_second(59),
                answer(guest, other).at_second(70),
            ])
            .await;
        Self {
            world,
            session,
            question,
        }
    }

    async fn counts(&self) -> [i64; 4] {
        counts(&self.world, self.session, self.question).await
    }
}

#[tokio::test]
async fn after_the_deadline_the_absent_have_skipped_the_question_or_run_out_of_time() {
    let lesson = Lesson::with(|publication| publication).await;
    let expected = json!({
        "question_id": lesson.question,
        "session_id": lesson.session,
        "total_students": 5,
        "timeout_count": 2,
        "skipped_count": 1,
        "pending_count": 0,
        "timeout_rate": 40,
        "skipped_rate": 20,
        "analysis": {"difficulty_indicator": "high_difficulty", "recommendation": MORE_TIME},
    });
    let body = report(&lesson.world, lesson.session, lesson.question).await;
    assert_eq!(body, expected);
}

#[tokio::test]
async fn while_the_last_round_is_open_all_the_absent_are_pending() {
    let lesson = Lesson::with(|publication| publication).await;
    let again = |seconds_ago| {
        a_publication()
            .in_session(lesson.session)
            .of(lesson.question)
            .at(OffsetDateTime::now_utc() - Duration::seconds(seconds_ago))
    };
    lesson
        .world
        .happened([again(10).with("timer_sec", 5)])
        .await;
    assert_eq!(lesson.counts().await, [5, 2, 1, 0], "closed again");
    lesson
        .world
        .happened([again(5).with("timer_sec", 3_600)])
        .await;
    assert_eq!(lesson.counts().await, [5, 0, 0, 3], "open");
}

#[tokio::test]
async fn a_question_without_a_time_limit_is_open_until_the_session_ends() {
    let lesson = Lesson::with(|publication| publication.without("timer_sec")).await;
    assert_eq!(lesson.counts().await, [5, 0, 0, 3]);
    let end = || an_end().in_session(lesson.session);
    lesson.world.happened([end().at_second(20_000)]).await;
    assert_eq!(lesson.counts().await, [5, 2, 1, 0]);
    let later = OffsetDateTime::now_utc() + Duration::hours(1);
    lesson.world.happened([end().at(later)]).await;
    assert_eq!(lesson.counts().await, [5, 0, 0, 3], "it has yet to end");
}

#[tokio::test]
async fn nobody_misses_a_question_that_was_never_published_or_an_unknown_session() {
    let world = World::new().await;
    let [session, question, elsewhere, unknown, student] = ids();
    world.enrol(&[student]).await;
    world
        .happened([
            a_start().in_session(session),
            a_publication().in_session(elsewhere).of(question),
        ])
        .await;
    for (session, question) in [
        (session, question),
        (elsewhere, unknown),
        (unknown, question),
    ] {
        assert_eq!(counts(&world, session, question).await, [0, 0, 0, 0]);
    }
}

#[tokio::test]
async fn the_labels_follow_the_rates() {
    let world = World::new().await;
    let students: [Uuid; 20] = ids();
    world.enrol(&students).await;
    let [session, question, other] = ids();
    let publish = |question| a_publication().in_session(session).of(question);
    world.happened([publish(question), publish(other)]).await;
    for (answered, student) in students.into_iter().enumerate() {
        // Of 20 students each is 5 %.
        let (indicator, recommendation) = match 20 - answered {
            6.. => ("high_difficulty", MORE_TIME),
            4..=5 => ("moderate_difficulty", MORE_TIME),
            3 => ("moderate_difficulty", WATCH),
            2 => ("appropriate_difficulty", WATCH),
            _ => ("appropriate_difficulty", FINE),
        };
        let body = report(&world, session, question).await;
        assert_eq!(body["timeout_rate"], 100 - 5 * answered);
        let expected = json!({"difficulty_indicator": indicator, "recommendation": recommendation});
        assert_eq!(body["analysis"], expected, "{answered} of 20");
        let answer = an_answer().in_session(session).of(question).by(student);
        world.happened([answer]).await;
    }
}

#[tokio::test]
async fn those_who_skip_make_a_question_difficult_and_its_time_no_shorter() {
    let world = World::new().await;
    let students: [Uuid; 3] = ids();
    world.enrol(&students).await;
    let [session, question, other] = ids();
    let publish = |question| a_publication().in_session(session).of(question);
    let answer = |student| an_answer().in_session(session).of(other).by(student);
    world
        .happened([publish(question), publish(other).at_second(10)])
        .await;
    world
        .happened(students.map(|student| answer(student).at_second(11)))
        .await;
    let body = report(&world, session, question).await;
    assert_eq!(
        (&body["skipped_rate"], &body["analysis"]),
        (
            &json!(100),
            &json!({"difficulty_indicator": "high_difficulty", "recommendation": FINE})
        )
    );
}

#[tokio::test]
async fn the_fixtures_have_the_contracts_timeouts() {
    let world = seeded().await;
    let session = id(0).parse().unwrap();
    let of = |question| report(&world, session, id(question).parse().unwrap());
    let figures = |body: Value| {
        [
            "total_students",
            "timeout_count",
            "skipped_count",
            "timeout_rate",
            "skipped_rate",
            "pending_count",
        ]
        .map(|name| body[name].clone())
    };
    assert_eq!(json!(figures(of(30).await)), json!([3, 0, 0, 0, 0, 0]));
    let second = of(31).await;
    assert_eq!(
        second["analysis"]["difficulty_indicator"],
        "high_difficulty"
    );
    assert_eq!(json!(figures(second)), json!([3, 1, 0, 33.33, 0, 0]));
}
