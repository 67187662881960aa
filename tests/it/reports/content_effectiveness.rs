//! Contract 8.5.

use serde_json::{Value, json};
use uuid::Uuid;

use super::fixtures::{id, seeded};
use super::{World, enrol, ids};
use crate::harness::event::{QUIZ, a_publication, a_start, an_answer};

const WELL: &str = "The content is doing well";
const REVIEW: &str = "Review the questions that students find hard";
const REVISE: &str = "Revise the content: its questions and how it is presented";
const INTERACTIVE: &str = "Make the session more interactive, so that more students answer";
const LOW_ACCURACY: &str = "Look at the questions with the lowest accuracy first";

async fn report(world: &World, quiz: Uuid) -> Value {
    let quiz = quiz.to_string();
    let params = [("quiz_id", quiz.as_str())];
    world.settled_report("content-effectiveness", &params).await
}

#[tokio::test]
async fn students_are_engaged_where_they_are_enrolled_and_each_answer_counts_once() {
    let world = World::new().await;
    let [
        here,
        there,
        silent,
        other_classroom,
        silent_classroom,
        other_quiz,
    ] = ids();
    let [first, second] = ids();
    let [ann, ben, cleo, dan, unheard] = ids();
    world.enrol(&[ann, ben, cleo]).await;
    // Cleo is on both rosters, and a student all the same.
    enrol(&world.db, 1, other_classroom, &[cleo, dan]).await;
    enrol(&world.db, 1, silent_classroom, &[unheard]).await;
    let publish = |session, question| {
        let publication = a_publication().in_session(session);
        publication.of(question).with_key("B")
    };
    let answer = |student, question| {
        let answer = an_answer().in_session(here);
        answer.by(student).of(question)
    };
    world
        .happened([
            a_start().in_session(here),
            a_start().in_session(there).in_classroom(other_classroom),
            // Without a publication: its roster and its answers are out of it.
            a_start().in_session(silent).in_classroom(silent_classroom),
            publish(here, first),
            publish(here, second),
            publish(here, first).at_second(60),
            publish(there, first),
            answer(ann, first),
            answer(ann, second).saying("A"),
            answer(cleo, first),
            // A guest there, not active here: right, and not engaged.
            answer(ben, first).in_session(there),
            answer(unheard, first).in_session(silent).saying("A"),
            answer(ben, first)
                .in_session(Uuid::new_v4())
                .with("quiz_id", other_quiz),
        ])
        .await;
    let expected = json!({
        "quiz_id": QUIZ,
        "total_questions": 2,
        // 3 of 4
        "average_accuracy": 75,
        // Ann and Cleo of four
        "overall_engagement": 50,
        "effectiveness_score": 62.5,
        "recommendations": REVIEW,
        "content_analysis": {
            "difficulty_level": "moderate", "engagement_level": "moderate",
            "optimization_suggestions": [INTERACTIVE],
        },
    });
    assert_eq!(report(&world, QUIZ).await, expected);
}

#[tokio::test]
async fn the_labels_and_the_advice_follow_accuracy_and_engagement() {
    let world = World::new().await;
    let students: [Uuid; 20] = ids();
    world.enrol(&students).await;
    // Of 20 students so many answer, so many of them right.
    for (active, right, difficulty, engagement, advice, tips) in [
        (20, 16, "easy", "high", WELL, vec![]),
        (20, 15, "moderate", "high", WELL, vec![]),
        (20, 14, "moderate", "high", WELL, vec![]),
        (20, 12, "moderate", "high", WELL, vec![LOW_ACCURACY]),
        (20, 11, "hard", "high", REVIEW, vec![LOW_ACCURACY]),
        (15, 15, "easy", "high", WELL, vec![]),
        (14, 14, "easy", "moderate", WELL, vec![INTERACTIVE]),
        (10, 10, "easy", "moderate", REVIEW, vec![INTERACTIVE]),
        (
            10,
            6,
            "moderate",
            "moderate",
            REVISE,
            vec![INTERACTIVE, LOW_ACCURACY],
        ),
        (9, 9, "easy", "low", REVIEW, vec![INTERACTIVE]),
        (1, 0, "hard", "low", REVISE, vec![INTERACTIVE, LOW_ACCURACY]),
    ] {
        let [session, question, quiz] = ids();
        let publication = a_publication().in_session(session).of(question);
        world
            .happened([publication.with_key("B").with("quiz_id", quiz)])
            .await;
        let answers = students.iter().take(active).enumerate();
        let answers = answers.map(|(place, student)| {
            let text = if place < right { "B" } else { "A" };
            let answer = an_answer().in_session(session).of(question).by(*student);
            answer.saying(text).with("quiz_id", quiz)
        });
        world.happened(answers).await;
        let body = report(&world, quiz).await;
        let analysis = json!({
            "difficulty_level": difficulty, "engagement_level": engagement, "optimization_suggestions": tips,
        });
        assert_eq!(
            (&body["content_analysis"], &body["recommendations"]),
            (&analysis, &json!(advice)),
            "{active} active, {right} right: {body}"
        );
    }
}

#[tokio::test]
async fn without_graded_answers_or_a_session_there_is_no_difficulty() {
    let world = World::new().await;
    let [session, question, quiz, unknown] = ids();
    let publication = a_publication().in_session(session).of(question);
    let answer = an_answer().in_session(session).of(question);
    world
        .happened([
            publication.with("quiz_id", quiz),
            answer.with("quiz_id", quiz),
        ])
        .await;
    for (quiz, questions) in [(quiz, 1), (unknown, 0)] {
        let expected = json!({
            "quiz_id": quiz,
            "total_questions": questions,
            "average_accuracy": 0,
            "overall_engagement": 0,
            "effectiveness_score": 0,
            "recommendations": REVISE,
            "content_analysis": {
                "difficulty_level": "no_data", "engagement_level": "low",
                "optimization_suggestions": [INTERACTIVE, LOW_ACCURACY],
            },
        });
        assert_eq!(report(&world, quiz).await, expected);
    }
}

#[tokio::test]
async fn the_quiz_of_a_session_is_the_one_that_its_start_names() {
    let world = World::new().await;
    let [session, started_with] = ids();
    world.happened([a_publication().in_session(session)]).await;
    assert_eq!(report(&world, QUIZ).await["total_questions"], 1);
    let start = a_start().in_session(session).at_second(60);
    world.happened([start.with("quiz_id", started_with)]).await;
    assert_eq!(report(&world, QUIZ).await["total_questions"], 0);
    assert_eq!(report(&world, started_with).await["total_questions"], 1);
}

#[tokio::test]
async fn the_fixtures_have_the_contracts_effectiveness() {
    let world = seeded().await;
    let expected = json!({
        "quiz_id": id(10),
        "total_questions": 2,
        "average_accuracy": 62.5,
        "overall_engagement": 100,
        "effectiveness_score": 81.25,
        "recommendations": WELL,
        "content_analysis": {
            "difficulty_level": "moderate", "engagement_level": "high",
            "optimization_suggestions": [LOW_ACCURACY],
        },
    });
    assert_eq!(report(&world, QUIZ).await, expected);
}
