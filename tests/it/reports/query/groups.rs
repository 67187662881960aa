//! Labels with limits, and what keeps groups apart.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{World, a_publication, a_start, an_answer, an_end, enrol, ids};
use crate::harness::event::CLASSROOM;

async fn answers_by(world: &World, dimension: &str) -> Value {
    let rows = world
        .rows(json!({"measures": ["total_answers"], "dimensions": [dimension]}))
        .await;
    let pairs = rows.as_array().unwrap().iter();
    pairs
        .map(|row| json!([row[dimension], row["total_answers"]]))
        .collect()
}

/// So many right and wrong answers of one student, each to a question of its own.
async fn answered(world: &World, right: usize, wrong: usize) -> Uuid {
    let [student, session] = ids();
    let texts = [("B", right), ("A", wrong)];
    let texts = texts
        .into_iter()
        .flat_map(|(text, count)| std::iter::repeat_n(text, count));
    let events: Vec<_> = texts
        .flat_map(|text| {
            let [question] = ids();
            [
                a_publication()
                    .in_session(session)
                    .of(question)
                    .with_key("B"),
                an_answer()
                    .in_session(session)
                    .of(question)
                    .by(student)
                    .saying(text)
                    .at_second(5),
            ]
        })
        .collect();
    world.happened(events).await;
    student
}

#[tokio::test]
async fn performance_has_its_limits() {
    let world = World::new().await;
    for (right, wrong) in [(9, 1), (8, 1), (3, 1), (2, 1), (3, 2), (4, 3)] {
        answered(&world, right, wrong).await;
    }
    // 90 %; 88.89 % and 75 %; 66.67 % and 60 %; 57.14 %
    let expected = json!([
        ["Average", 8],
        ["Excellent", 10],
        ["Good", 13],
        ["Needs Improvement", 7]
    ]);
    assert_eq!(answers_by(&world, "performance_level").await, expected);
}

#[tokio::test]
async fn performance_is_measured_over_what_the_other_filters_leave() {
    let world = World::new().await;
    let student = answered(&world, 1, 1).await;
    let levels = async |filters: Value| {
        let body = json!({"measures": ["total_answers"], "dimensions": ["performance_level"], "filters": filters});
        let rows = world.rows(body).await;
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row["performance_level"].clone())
            .collect::<Value>()
    };
    assert_eq!(levels(json!({})).await, json!(["Needs Improvement"]));
    assert_eq!(
        levels(json!({"answer_option": "B"})).await,
        json!(["Excellent"])
    );
    assert_eq!(
        levels(json!({"answer_option": "B", "performance_level": "Excellent"})).await,
        json!(["Excellent"])
    );
    assert_eq!(
        levels(json!({"answer_option": "A", "performance_level": "Excellent"})).await,
        json!([])
    );
    // Without the dimension, the filter picks the same answers.
    let body = json!({"measures": ["total_answers"], "filters": {"performance_level": "Needs Improvement"}});
    assert_eq!(world.rows(body).await, json!([{"total_answers": 2}]));
    assert_ne!(student, Uuid::nil());
}

#[tokio::test]
async fn engagement_has_its_limits() {
    let world = World::new().await;
    let [session, unpublished] = ids();
    let questions: [Uuid; 20] = ids();
    let publish = |question| a_publication().in_session(session).of(question);
    world.happened(questions.map(publish)).await;
    for answered in [15, 14, 8, 7] {
        let [student] = ids();
        let answer = |question| an_answer().in_session(session).of(question).by(student);
        world
            .happened(
                questions[..answered]
                    .iter()
                    .map(|question| answer(*question)),
            )
            .await;
        // Not published, so no more engaged.
        world.happened([answer(unpublished)]).await;
    }
    // 75 %; 70 % and 40 %; 35 %
    let expected = json!([["High", 16], ["Low", 8], ["Medium", 24]]);
    assert_eq!(answers_by(&world, "engagement_level").await, expected);
}

#[tokio::test]
async fn a_session_in_which_nothing_was_published_engages_nobody() {
    let world = World::new().await;
    world.happened([an_answer()]).await;
    assert_eq!(
        answers_by(&world, "engagement_level").await,
        json!([["Low", 1]])
    );
}

#[tokio::test]
async fn the_length_of_a_session_has_its_limits() {
    let world = World::new().await;
    for (answers, seconds) in [(1, 1_799), (2, 1_800), (4, 3_599), (8, 3_600)] {
        let [session] = ids();
        world
            .happened([
                a_start().in_session(session),
                an_end().in_session(session).at_second(seconds),
            ])
            .await;
        world
            .happened((0..answers).map(|_| an_answer().in_session(session)))
            .await;
    }
    // Its length is not known, and it does not go on either.
    let [never_started] = ids();
    world
        .happened([
            an_end().in_session(never_started),
            an_answer().in_session(never_started),
        ])
        .await;
    let expected = json!([["Long", 8], ["Medium", 6], ["Short", 1], ["Unknown", 1]]);
    assert_eq!(
        answers_by(&world, "session_duration_category").await,
        expected
    );
}

#[tokio::test]
async fn difficulty_has_its_limits_and_looks_at_all_sessions_and_the_last_word() {
    let world = World::new().await;
    for (right, wrong) in [(4, 1), (3, 1), (3, 2), (1, 1), (2, 3), (1, 2)] {
        let [question, elsewhere, student] = ids();
        world
            .happened([a_publication().of(question).with_key("B")])
            .await;
        let answers = |count, text: &'static str| {
            (0..count).map(move |_| an_answer().of(question).saying(text))
        };
        world
            .happened(answers(right, "B").chain(answers(wrong - 1, "A")))
            .await;
        let changed = |text: &str| {
            an_answer()
                .in_session(elsewhere)
                .of(question)
                .by(student)
                .saying(text)
        };
        world
            .happened([changed("B").at_second(1), changed("A").at_second(2)])
            .await;
    }
    // 80 %; 75 % and 60 %; 50 % and 40 %; 33.33 %
    let expected = json!([["Easy", 5], ["Hard", 7], ["Medium", 9], ["Very Hard", 3]]);
    assert_eq!(answers_by(&world, "difficulty_level").await, expected);
    let body = json!({"dimensions": ["difficulty_level"], "filters": {"answer_option": "A"}});
    assert_eq!(world.query(body).await["count"], 4);
}

#[tokio::test]
async fn the_timer_has_its_limits() {
    let world = World::new().await;
    for seconds in [29, 30, 59, 60] {
        let [session, question] = ids();
        world
            .happened([
                a_publication()
                    .in_session(session)
                    .of(question)
                    .with("timer_sec", seconds),
                an_answer().in_session(session).of(question),
            ])
            .await;
    }
    let expected = json!([["Fast", 1], ["Medium", 2], ["Slow", 1]]);
    assert_eq!(
        answers_by(&world, "timer_duration_category").await,
        expected
    );
}

#[tokio::test]
async fn namesakes_stay_apart_in_the_order_of_their_ids_and_rooms_of_one_name_do_not() {
    let world = World::new().await;
    let [one, two, other_room] = ids();
    world.enrol(&[one, two]).await;
    enrol(&world.db, 1, other_room, &[two]).await;
    world
        .db
        .execute("UPDATE students SET name = 'Kim'; UPDATE classrooms SET name = 'Art'")
        .await;
    let by_two = an_answer().by(two);
    world
        .happened([
            an_answer().by(two),
            an_answer().by(one),
            by_two.in_classroom(other_room),
        ])
        .await;
    assert_eq!(
        answers_by(&world, "student_name").await,
        json!([["Kim", 1], ["Kim", 2]])
    );
    assert_eq!(
        answers_by(&world, "classroom_name").await,
        json!([["Art", 3]])
    );
    assert_ne!(other_room, CLASSROOM);
}

#[tokio::test]
async fn what_has_no_name_yet_has_an_empty_one_and_a_student_is_unknown() {
    let world = World::new().await;
    world.happened([an_answer()]).await;
    for (dimension, name) in [
        ("classroom_name", ""),
        ("quiz_title", ""),
        ("student_name", "Unknown"),
    ] {
        assert_eq!(answers_by(&world, dimension).await, json!([[name, 1]]));
    }
}
