//! Contract 8.14.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{World, ids};
use crate::harness::event::{QUIZ, a_publication, an_answer};

async fn report(world: &World, question: Uuid) -> Value {
    world
        .report(
            "question-analysis",
            &[("question_id", &question.to_string())],
        )
        .await
}

/// A question with key B, published twice in one session and once in another, and five attempts at it.
async fn five_attempts() -> (World, Uuid) {
    let world = World::new().await;
    let [first, second, question] = ids();
    let publish = |session| a_publication().in_session(session).of(question);
    let answer = |session| an_answer().in_session(session).of(question);
    world
        .happened([
            publish(first).at_second(0).with_key("B"),
            publish(first).at_second(100),
            publish(second).at_second(0),
            answer(first).at_second(10).saying("B"),
            // Trimmed for grading, and listed as sent; timed against the second round.
            answer(first).at_second(110).saying(" B "),
            answer(first).at_second(20).saying("C"),
            answer(second).at_second(5).saying("B"),
            // Before the question was published: graded, and without a latency.
            answer(second).at_second(-1).saying("b"),
        ])
        .await;
    (world, question)
}

fn correct(body: &Value) -> &Value {
    &body["usage_stats"]["correct_attempts"]
}

#[tokio::test]
async fn attempts_are_counted_once_however_often_the_question_was_published() {
    let (world, question) = five_attempts().await;
    let expected = json!({
        "question_id": question,
        "quiz_id": QUIZ,
        "usage_stats": {"total_attempts": 5, "correct_attempts": 3, "usage_count": 2},
        // (10 + 10 + 20 + 5) ÷ 4 s
        "performance_metrics": {"accuracy_rate": 60, "average_response_time": 11.25, "difficulty_rating": "Medium"},
        "answer_distribution": {"B": 2, " B ": 1, "C": 1, "b": 1},
        "insights": {"difficulty_level": "challenging", "response_quality": "moderate", "effectiveness": "effective"},
    });
    assert_eq!(report(&world, question).await, expected);
}

#[tokio::test]
async fn the_catalogues_key_beats_the_one_that_a_publication_carries() {
    let (world, question) = five_attempts().await;
    world
        .db
        .execute(&format!(
            "UPDATE questions SET correct_answer = 'C' WHERE question_id = '{question}';
             SELECT outdate_sessions(array_agg(tenant_id), array_agg(session_id)) FROM sessions"
        ))
        .await;
    assert_eq!(correct(&report(&world, question).await), 1);
    // A later publication with another key changes nothing any more.
    world
        .happened([a_publication().of(question).at_second(500).with_key("b")])
        .await;
    assert_eq!(correct(&report(&world, question).await), 1);
}

#[tokio::test]
async fn without_a_catalogue_the_key_of_the_newest_publication_that_carries_one_is_in_force() {
    let (world, question) = five_attempts().await;
    world
        .happened([a_publication().of(question).at_second(-50).with_key("C")])
        .await;
    assert_eq!(correct(&report(&world, question).await), 3, "an older key");
    world
        .happened([a_publication().of(question).at_second(50).with_key("C")])
        .await;
    assert_eq!(correct(&report(&world, question).await), 1, "a newer key");
    world
        .happened([a_publication().of(question).at_second(60)])
        .await;
    assert_eq!(
        correct(&report(&world, question).await),
        1,
        "a newer publication without a key"
    );
}

#[tokio::test]
async fn of_two_keys_at_one_instant_that_of_the_greater_event_id_is_in_force() {
    let world = World::new().await;
    let [question] = ids();
    for (number, key) in [(2_u128, "B"), (1, "A"), (3, "C")] {
        let publication = a_publication()
            .of(question)
            .named(Uuid::from_u128(number))
            .with_key(key);
        world
            .happened([publication, an_answer().of(question).saying(key)])
            .await;
    }
    let body = report(&world, question).await;
    assert_eq!(
        (correct(&body), &body["answer_distribution"]),
        (&json!(1), &json!({"A": 1, "B": 1, "C": 1}))
    );
}

#[tokio::test]
async fn answers_without_a_key_count_and_are_not_graded() {
    let world = World::new().await;
    let [session, question] = ids();
    world
        .happened([
            a_publication().in_session(session).of(question),
            an_answer().in_session(session).of(question).at_second(70),
        ])
        .await;
    let expected = json!({
        "question_id": question,
        "quiz_id": QUIZ,
        "usage_stats": {"total_attempts": 1, "correct_attempts": 0, "usage_count": 1},
        "performance_metrics": {"accuracy_rate": 0, "average_response_time": 70, "difficulty_rating": "Unrated"},
        "answer_distribution": {"B": 1},
        "insights": {"difficulty_level": "no_data", "response_quality": "very_slow", "effectiveness": "needs_more_data"},
    });
    assert_eq!(report(&world, question).await, expected);
}

#[tokio::test]
async fn an_unknown_question_has_no_quiz_and_zeros() {
    let world = World::new().await;
    let [question] = ids();
    let expected = json!({
        "question_id": question,
        "quiz_id": null,
        "usage_stats": {"total_attempts": 0, "correct_attempts": 0, "usage_count": 0},
        "performance_metrics": {"accuracy_rate": 0, "average_response_time": 0, "difficulty_rating": "Unrated"},
        "answer_distribution": {},
        "insights": {"difficulty_level": "no_data", "response_quality": "no_data", "effectiveness": "needs_more_data"},
    });
    assert_eq!(report(&world, question).await, expected);
}

#[tokio::test]
async fn the_quiz_is_the_catalogues_else_that_of_the_session_of_the_earliest_event() {
    let world = World::new().await;
    let [question, early, late, quiz, catalogue] = ids();
    world
        .happened([
            an_answer().of(question).in_session(late).at_second(10),
            a_publication()
                .of(question)
                .in_session(early)
                .at_second(5)
                .with("quiz_id", quiz),
        ])
        .await;
    assert_eq!(report(&world, question).await["quiz_id"], json!(quiz));
    world
        .db
        .execute(&format!(
            "INSERT INTO quizzes (quiz_id) VALUES ('{catalogue}');
             UPDATE questions SET quiz_id = '{catalogue}' WHERE question_id = '{question}'"
        ))
        .await;
    assert_eq!(report(&world, question).await["quiz_id"], json!(catalogue));
}

#[tokio::test]
async fn the_labels_follow_accuracy_and_attempts() {
    let world = World::new().await;
    // Correct and wrong attempts, then rating, level and effectiveness.
    for (right, wrong, labels) in [
        (10, 0, ["Easy", "too_easy", "highly_effective"]),
        (9, 1, ["Easy", "too_easy", "highly_effective"]),
        (8, 2, ["Easy", "appropriate", "highly_effective"]),
        (7, 3, ["Medium", "appropriate", "highly_effective"]),
        (7, 2, ["Medium", "appropriate", "effective"]),
        (5, 5, ["Hard", "challenging", "effective"]),
        (4, 6, ["Hard", "too_difficult", "needs_improvement"]),
        (3, 7, ["Very Hard", "too_difficult", "needs_improvement"]),
        (1, 3, ["Very Hard", "too_difficult", "needs_more_data"]),
        (4, 0, ["Easy", "too_easy", "needs_more_data"]),
    ] {
        let [question] = ids();
        let answers = |count, text: &'static str| {
            (0..count).map(move |_| an_answer().of(question).saying(text))
        };
        world
            .happened([a_publication().of(question).with_key("B")])
            .await;
        world
            .happened(answers(right, "B").chain(answers(wrong, "A")))
            .await;
        let body = report(&world, question).await;
        let found = [
            &body["performance_metrics"]["difficulty_rating"],
            &body["insights"]["difficulty_level"],
            &body["insights"]["effectiveness"],
        ];
        assert_eq!(
            found,
            labels.map(Value::from).each_ref(),
            "{right} right, {wrong} wrong"
        );
    }
}
