//! What a quiz is, and what becomes of its questions.

use serde_json::{Value, json};

use super::{World, ids, quiz_of, quiz_path};
use crate::harness::event::{QUIZ, a_publication, a_start, an_answer};
use crate::harness::rows::{differences, exact_rows};

#[tokio::test]
async fn a_quiz_is_answered_as_it_was_given_and_in_the_order_given() {
    let world = World::new().await;
    let [quiz, first, second, third] = ids();
    let body = json!({
        "title": "Sorting – Grüße 🙂", "description": "Three questions",
        "questions": [
            {"question_id": third, "correct_answer": " O(n log n) "},
            {"question_id": first},
            {"question_id": second, "correct_answer": "B", "points": 3},
        ],
        "colour": "blue",
    });
    let expected = json!({
        "quiz_id": quiz, "title": "Sorting – Grüße 🙂", "description": "Three questions",
        "questions": [
            {"question_id": third, "correct_answer": " O(n log n) "},
            {"question_id": first, "correct_answer": null},
            {"question_id": second, "correct_answer": "B"},
        ],
    });
    assert_eq!(world.put(&quiz_path(quiz), &body).await, expected);
    // What was read can be put again.
    assert_eq!(world.put(&quiz_path(quiz), &expected).await, expected);
}

#[tokio::test]
async fn a_quiz_is_replaced_as_a_whole() {
    let world = World::new().await;
    let [quiz, stays, goes, comes] = ids();
    let before = json!({"title": "Old", "description": "Old", "questions": [
        {"question_id": stays, "correct_answer": "A"}, {"question_id": goes, "correct_answer": "B"}]});
    world.put(&quiz_path(quiz), &before).await;
    let after =
        json!({"title": "New", "questions": [{"question_id": comes}, {"question_id": stays}]});
    let expected = json!({"quiz_id": quiz, "title": "New", "description": null, "questions": [
        {"question_id": comes, "correct_answer": null}, {"question_id": stays, "correct_answer": null}]});
    assert_eq!(world.put(&quiz_path(quiz), &after).await, expected);
    let empty = json!({"title": "New", "questions": []});
    assert_eq!(
        world.put(&quiz_path(quiz), &empty).await["questions"],
        json!([])
    );
}

#[tokio::test]
async fn the_same_quiz_again_touches_no_row() {
    let world = World::new().await;
    let [quiz, first, second, answered] = ids();
    let body = quiz_of(&[(second, Some("B")), (first, None), (answered, Some("C"))]);
    world.happened([an_answer().of(answered)]).await;
    world.put(&quiz_path(quiz), &body).await;
    let before = exact_rows(&world.db.pool).await;
    world.put(&quiz_path(quiz), &body).await;
    let after = exact_rows(&world.db.pool).await;
    assert_eq!(differences(&before, &after), "");
}

#[tokio::test]
async fn every_form_of_an_id_names_the_same_quiz_and_question() {
    let world = World::new().await;
    let [quiz, question] = ids();
    let expected = json!({"quiz_id": quiz, "title": "Sorting", "description": null,
                          "questions": [{"question_id": question, "correct_answer": null}]});
    for (quiz, question) in [
        (quiz.to_string(), question.to_string()),
        (quiz.simple().to_string(), question.simple().to_string()),
        (
            format!("%7B{quiz}%7D"),
            format!("{{{}}}", question.to_string().to_uppercase()),
        ),
        (quiz.urn().to_string(), question.urn().to_string()),
    ] {
        let path = format!("/api/quizzes/{quiz}");
        let body = json!({"title": "Sorting", "questions": [{"question_id": question}]});
        assert_eq!(world.put(&path, &body).await, expected, "{path}");
    }
}

#[tokio::test]
async fn a_quiz_is_unknown_until_an_event_names_it_and_then_waits_for_its_title() {
    let world = World::new().await;
    let path = quiz_path(QUIZ);
    let [question] = ids();
    world
        .app
        .entry_as(1, &path)
        .await
        .refuses(404, "not_found", None);
    world
        .happened([a_start(), a_publication().of(question).with_key("A")])
        .await;
    // The question is the events' word, not the catalogue's.
    let stub = json!({"quiz_id": QUIZ, "title": "", "description": null, "questions": []});
    assert_eq!(world.entry(&path).await, stub);
    world.put_key(QUIZ, question, None).await;
    assert_eq!(world.entry(&path).await["title"], "Sorting");
}

#[tokio::test]
async fn a_removed_question_keeps_its_answers_and_falls_back_to_what_its_events_say() {
    let world = World::new().await;
    let [quiz, question, never_used] = ids();
    world
        .happened([
            a_publication().of(question).at_second(0),
            an_answer().of(question).saying("A").at_second(5),
        ])
        .await;
    let listed = quiz_of(&[(question, Some("A")), (never_used, Some("A"))]);
    world.put(&quiz_path(quiz), &listed).await;
    let body = world.analysis(question).await;
    assert_eq!(
        (&body["quiz_id"], world.correct(question).await),
        (&json!(quiz), json!(1))
    );

    world.put(&quiz_path(quiz), &quiz_of(&[])).await;
    let body = world.analysis(question).await;
    assert_eq!(
        body["quiz_id"],
        json!(QUIZ),
        "the quiz of its first session"
    );
    assert_eq!(body["answer_distribution"], json!({"A": 1}));
    assert_eq!(
        body["performance_metrics"]["difficulty_rating"], "Unrated",
        "the catalogue's key went with it"
    );
    assert_eq!(world.analysis(never_used).await["quiz_id"], Value::Null);
}

#[tokio::test]
async fn a_question_belongs_to_the_quiz_that_listed_it_last() {
    let world = World::new().await;
    let [first, second, moving, staying] = ids();
    world.happened([an_answer().of(moving).saying("B")]).await;
    let both = quiz_of(&[(moving, Some("A")), (staying, Some("A"))]);
    world.put(&quiz_path(first), &both).await;
    assert_eq!(world.correct(moving).await, 0);

    world.put_key(second, moving, Some("B")).await;
    assert_eq!(world.correct(moving).await, 1);
    assert_eq!(world.analysis(moving).await["quiz_id"], json!(second));
    assert_eq!(
        world.entry(&quiz_path(first)).await["questions"],
        json!([{"question_id": staying, "correct_answer": "A"}])
    );
    // The first quiz, put again without it, takes nothing away from the second.
    world.put_key(first, staying, Some("A")).await;
    assert_eq!(world.correct(moving).await, 1);
}
