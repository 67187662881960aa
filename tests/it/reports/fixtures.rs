//! The figures of contract 10 on fixture set A.

use analytics_ingestor::store::fixtures;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::World;
use crate::harness::event::{CLASSROOM, QUIZ, a_publication};

/// The id of a row of the fixtures.
pub(super) fn id(digits: u8) -> String {
    format!("900e8400-e29b-41d4-a716-4466554400{digits:02}")
}

/// An application over the fixtures.
pub(super) async fn seeded() -> World {
    let world = World::new().await;
    let mut connection = world.db.pool.acquire().await.unwrap();
    fixtures::replace(&mut connection).await.unwrap();
    world
}

async fn response_rate(world: &World, question: u8) -> Value {
    world
        .report(
            "response-rate",
            &[("session_id", &id(0)), ("question_id", &id(question))],
        )
        .await
}

/// Further reports that another publication of an old question leaves alone.
async fn lasting(world: &World) -> Vec<Value> {
    let (session, question) = (id(0), id(30));
    let params = [
        ("session_id", session.as_str()),
        ("question_id", question.as_str()),
    ];
    let mut bodies = Vec::new();
    for name in ["latency-analysis", "completion-rate", "dropoff-analysis"] {
        bodies.push(world.report(name, &params).await);
    }
    bodies
}

async fn analysis(world: &World) -> Value {
    world
        .report("question-analysis", &[("question_id", &id(30))])
        .await
}

async fn pace(world: &World) -> Value {
    let body = world
        .report("questions-per-minute", &[("session_id", &id(0))])
        .await;
    json!([
        body["total_questions"],
        body["average_qpm"],
        body["peak_qpm"]
    ])
}

#[tokio::test]
async fn active_participants_of_a_day() {
    let world = seeded().await;
    let session = id(0);
    let params = [("session_id", session.as_str()), ("time_range", "24h")];
    let body = world.report("active-participants", &params).await;
    let expected: Vec<Value> = [(44, 0), (42, 100), (40, 100), (45, 0), (43, 100), (41, 0)]
        .map(|(student, accuracy)| json!({"student_id": id(student), "accuracy": accuracy}))
        .into();
    assert_eq!(body["active_participants"], json!(expected));
    assert_eq!(
        (
            &body["total_participants"],
            &body["average_accuracy_percent"]
        ),
        (&json!(6), &json!(50))
    );

    let params = [params[0], params[1], ("page_size", "1")];
    let body = world.report("active-participants", &params).await;
    assert_eq!(
        (
            &body["page_participants"],
            &body["average_accuracy_percent"]
        ),
        (&json!(1), &json!(50))
    );
    assert_eq!(body["pagination"]["total_pages"], 6);
}

#[tokio::test]
async fn questions_per_minute_response_rate_and_question_analysis() {
    let world = seeded().await;
    assert_eq!(pace(&world).await, json!([2, 0.4, 1]));
    for (question, answered, rate, level) in [
        (30, 3, json!(100), "excellent"),
        (31, 2, json!(66.67), "moderate"),
    ] {
        let body = response_rate(&world, question).await;
        assert_eq!(
            (&body["students_received"], &body["students_answered"]),
            (&json!(3), &json!(answered))
        );
        assert_eq!(
            (
                &body["response_rate"],
                &body["analysis"]["engagement_level"]
            ),
            (&rate, &json!(level))
        );
    }
    let expected = json!({
        "question_id": id(30),
        "quiz_id": QUIZ,
        "usage_stats": {"total_attempts": 5, "correct_attempts": 3, "usage_count": 1},
        "performance_metrics": {"accuracy_rate": 60, "average_response_time": 120, "difficulty_rating": "Medium"},
        "answer_distribution": {"O(n log n)": 3, "O(n)": 1, "O(n²)": 1},
        "insights": {"difficulty_level": "challenging", "response_quality": "very_slow", "effectiveness": "effective"},
    });
    assert_eq!(analysis(&world).await, expected);
}

#[tokio::test]
async fn after_the_kafka_scripts_publication_only_the_pace_moves() {
    let world = seeded().await;
    let before = [
        response_rate(&world, 30).await,
        response_rate(&world, 31).await,
        analysis(&world).await,
        json!(lasting(&world).await),
    ];
    let publication = a_publication()
        .named(id(99))
        .with("session_id", id(0))
        .with("question_id", id(30))
        .with("quiz_id", QUIZ)
        .in_classroom(CLASSROOM)
        .at(OffsetDateTime::now_utc());
    world.happened([publication]).await;
    let after = [
        response_rate(&world, 30).await,
        response_rate(&world, 31).await,
        analysis(&world).await,
        json!(lasting(&world).await),
    ];
    assert_eq!(before, after);
    // Three publications from T − 25 min to about T.
    assert_eq!(pace(&world).await, json!([3, 0.12, 1]));
}
