//! Contract 8.15.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{World, ids};
use crate::harness::event::{QUIZ, a_publication, an_answer};

async fn report(world: &World, quiz: Uuid) -> Value {
    world
        .report("quiz-questions-list", &[("quiz_id", &quiz.to_string())])
        .await
}

/// The ids of the listed questions.
fn listed(body: &Value) -> Value {
    body["questions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["question_id"].clone())
        .collect()
}

#[tokio::test]
async fn each_question_has_its_attempts_of_all_sessions_also_of_another_quizs() {
    let world = World::new().await;
    let [first, second, asked, other_quiz] = ids();
    let answer = |session| an_answer().in_session(session).of(asked);
    let [ann] = ids();
    world
        .happened([
            a_publication().in_session(first).of(asked).with_key("B"),
            // Two attempts of one student.
            answer(first).by(ann).saying("B").at_second(10),
            answer(first).by(ann).saying("A").at_second(20),
            a_publication()
                .in_session(second)
                .of(asked)
                .with("quiz_id", other_quiz)
                .at_second(100),
            a_publication()
                .in_session(second)
                .of(asked)
                .with("quiz_id", other_quiz)
                .at_second(200),
            answer(second).saying("B").at_second(205),
        ])
        .await;
    let expected = json!({
        "quiz_id": QUIZ,
        "pagination": {
            "page": 1, "page_size": 50, "total_count": 1, "total_pages": 1, "has_more": false, "has_previous": false,
        },
        "questions": [{
            "question_id": asked, "quiz_id": QUIZ,
            "total_attempts": 3, "correct_attempts": 2, "accuracy_rate": 66.67,
            // (10 + 20 + 5) ÷ 3 s
            "average_response_time_seconds": 11.67,
            "difficulty_rating": "Medium", "answer_distribution": {"A": 1, "B": 2}, "usage_count": 2,
        }],
        "summary": {"total_questions": 1, "page_questions": 1},
    });
    assert_eq!(report(&world, QUIZ).await, expected);
    assert_eq!(listed(&report(&world, other_quiz).await), json!([]));
}

#[tokio::test]
async fn the_catalogues_questions_are_listed_unused_and_keep_to_their_quiz() {
    let world = World::new().await;
    let [answered, moved, unused, quiz] = ids();
    world
        .happened([an_answer().of(answered), a_publication().of(moved)])
        .await;
    assert_eq!(
        listed(&report(&world, QUIZ).await),
        json!([answered, moved])
    );
    world
        .db
        .execute(&format!(
            "INSERT INTO quizzes (quiz_id) VALUES ('{quiz}');
             INSERT INTO questions (question_id, quiz_id) VALUES ('{unused}', '{quiz}');
             UPDATE questions SET quiz_id = '{quiz}' WHERE question_id = '{moved}'"
        ))
        .await;
    assert_eq!(listed(&report(&world, QUIZ).await), json!([answered]));
    let body = report(&world, quiz).await;
    assert_eq!(listed(&body), json!([moved, unused]));
    assert_eq!(body["questions"][0]["usage_count"], 1);
    assert_eq!(body["questions"][1]["difficulty_rating"], "Unrated");
}

#[tokio::test]
async fn an_earlier_event_moves_a_question_that_the_catalogue_does_not_know() {
    let world = World::new().await;
    let [question, quiz] = ids();
    world
        .happened([a_publication().of(question).at_second(0)])
        .await;
    assert_eq!(listed(&report(&world, QUIZ).await), json!([question]));
    let earlier = an_answer().of(question).with("quiz_id", quiz).at_second(-1);
    world.happened([earlier]).await;
    assert_eq!(listed(&report(&world, QUIZ).await), json!([]));
    assert_eq!(listed(&report(&world, quiz).await), json!([question]));
}

#[tokio::test]
async fn pages_meet_and_do_not_overlap() {
    let world = World::new().await;
    let questions: [Uuid; 5] = ids();
    world
        .happened(questions.map(|question| a_publication().of(question)))
        .await;
    let quiz = QUIZ.to_string();
    let mut found = Vec::new();
    for page in ["1", "2", "3", "4"] {
        let params = [
            ("quiz_id", quiz.as_str()),
            ("page", page),
            ("page_size", "2"),
        ];
        let body = world.report("quiz-questions-list", &params).await;
        assert_eq!(body["pagination"]["total_count"], 5, "page {page}");
        let rows = body["questions"].as_array().unwrap().clone();
        assert_eq!(
            body["summary"],
            json!({"total_questions": 5, "page_questions": rows.len()})
        );
        found.extend(rows.into_iter().map(|row| row["question_id"].clone()));
    }
    assert_eq!(json!(found), json!(questions));
}

#[tokio::test]
async fn a_quiz_without_questions_has_an_empty_list() {
    let world = World::new().await;
    let [quiz] = ids();
    world.happened([a_publication()]).await;
    let expected = json!({
        "quiz_id": quiz,
        "pagination": {
            "page": 1, "page_size": 50, "total_count": 0, "total_pages": 1, "has_more": false, "has_previous": false,
        },
        "questions": [],
        "summary": {"total_questions": 0, "page_questions": 0},
    });
    assert_eq!(report(&world, quiz).await, expected);
}
