//! Contract 8.16 and 8.17.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{World, ids};
use crate::harness::event::{CLASSROOM, QUIZ, a_publication, a_start, an_answer, an_end};

async fn report(world: &World, name: &str, key: &str, id: Uuid) -> Value {
    world.report(name, &[(key, &id.to_string())]).await
}

/// A field of each listed session.
fn each(body: &Value, field: &str) -> Value {
    body["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row[field].clone())
        .collect()
}

#[tokio::test]
async fn a_session_is_listed_alike_for_its_classroom_and_its_quiz() {
    let world = World::new().await;
    let [session, first, second] = ids();
    let [ann, ben, cem, guest] = ids();
    world.enrol(&[ann, ben, cem]).await;
    world
        .db
        .execute(&format!(
            "UPDATE classrooms SET name = 'Room' WHERE classroom_id = '{CLASSROOM}';
             INSERT INTO quizzes (quiz_id, title) VALUES ('{QUIZ}', 'Quiz')"
        ))
        .await;
    let answer = |question, student, text| {
        an_answer()
            .in_session(session)
            .of(question)
            .by(student)
            .saying(text)
    };
    world
        .happened([
            a_start().in_session(session).at_second(0),
            a_publication()
                .in_session(session)
                .of(first)
                .at_second(1)
                .with_key("B"),
            a_publication()
                .in_session(session)
                .of(second)
                .at_second(2)
                .with_key("B"),
            // The second round of a question makes it no other question.
            a_publication().in_session(session).of(second).at_second(3),
            answer(first, ann, "B"),
            answer(second, ann, "B"),
            answer(first, ben, "A"),
            answer(first, guest, "A"),
            answer(second, guest, "B"),
            an_end().in_session(session).at_second(90),
            an_end()
                .in_session(session)
                .with("timestamp", "2025-06-20T12:01:30.25Z"),
        ])
        .await;
    let row = json!({
        "session_id": session, "quiz_title": "Quiz", "classroom_name": "Room",
        "started_at": "2025-06-20T12:00:00Z", "duration": "90.250000 seconds",
        "total_students": 3, "participating_students": 2, "total_questions": 2,
        "average_accuracy": 60, "completion_rate": 33.33,
        // (60 + 66.666…) ÷ 2
        "engagement_score": 63.33,
    });
    let pagination = json!({
        "page": 1, "page_size": 50, "total_count": 1, "total_pages": 1, "has_more": false, "has_previous": false,
    });
    for (name, key, id) in [
        ("classroom-sessions", "classroom_id", CLASSROOM),
        ("quiz-sessions", "quiz_id", QUIZ),
    ] {
        let mut expected = json!({
            "pagination": pagination,
            "sessions": [row],
            "summary": {"total_sessions": 1, "page_sessions": 1},
        });
        expected[key] = json!(id);
        assert_eq!(report(&world, name, key, id).await, expected);
    }
}

#[tokio::test]
async fn the_newest_start_comes_first_and_none_at_all_last() {
    let world = World::new().await;
    let [tied, also_tied, newest, startless, ended] = ids();
    world
        .happened([
            a_start().in_session(also_tied).at_second(10),
            a_start().in_session(tied).at_second(10),
            a_start().in_session(newest).at_second(20),
            a_publication().in_session(startless).at_second(30),
            an_end().in_session(ended).at_second(40),
        ])
        .await;
    for (name, key, id) in [
        ("classroom-sessions", "classroom_id", CLASSROOM),
        ("quiz-sessions", "quiz_id", QUIZ),
    ] {
        let body = report(&world, name, key, id).await;
        assert_eq!(
            each(&body, "session_id"),
            json!([newest, tied, also_tied, startless, ended])
        );
        assert_eq!(
            each(&body, "started_at"),
            json!([
                "2025-06-20T12:00:20Z",
                "2025-06-20T12:00:10Z",
                "2025-06-20T12:00:10Z",
                null,
                null
            ])
        );
        assert_eq!(
            each(&body, "duration"),
            json!([null, null, null, null, null])
        );
    }
}

#[tokio::test]
async fn a_session_whose_classroom_nobody_is_enrolled_in_is_listed_with_zeros() {
    let world = World::new().await;
    let [session, question] = ids();
    world
        .happened([
            a_publication()
                .in_session(session)
                .of(question)
                .with_key("B"),
            an_answer().in_session(session).of(question).saying("B"),
        ])
        .await;
    let body = report(&world, "classroom-sessions", "classroom_id", CLASSROOM).await;
    let expected = json!([{
        "session_id": session, "quiz_title": "", "classroom_name": "", "started_at": null, "duration": null,
        "total_students": 0, "participating_students": 0, "total_questions": 1,
        "average_accuracy": 100, "completion_rate": 0, "engagement_score": 50,
    }]);
    assert_eq!(body["sessions"], expected);
}

#[tokio::test]
async fn nobody_completes_a_session_without_questions() {
    let world = World::new().await;
    let [ann] = ids();
    world.enrol(&[ann]).await;
    world.happened([an_answer().by(ann)]).await;
    let body = report(&world, "classroom-sessions", "classroom_id", CLASSROOM).await;
    assert_eq!(each(&body, "participating_students"), json!([1]));
    assert_eq!(each(&body, "completion_rate"), json!([0]));
}

#[tokio::test]
async fn pages_meet_and_do_not_overlap() {
    let world = World::new().await;
    // All at one time, so that the id decides.
    let sessions: [Uuid; 5] = ids();
    world
        .happened(sessions.map(|session| a_start().in_session(session)))
        .await;
    let id = CLASSROOM.to_string();
    let mut found = Vec::new();
    for page in ["1", "2", "3", "4"] {
        let params = [
            ("classroom_id", id.as_str()),
            ("page", page),
            ("page_size", "2"),
        ];
        let body = world.report("classroom-sessions", &params).await;
        assert_eq!(body["pagination"]["total_count"], 5, "page {page}");
        let rows = body["sessions"].as_array().unwrap().clone();
        assert_eq!(
            body["summary"],
            json!({"total_sessions": 5, "page_sessions": rows.len()})
        );
        found.extend(rows.into_iter().map(|row| row["session_id"].clone()));
    }
    assert_eq!(json!(found), json!(sessions));
}

#[tokio::test]
async fn an_unknown_classroom_or_quiz_has_an_empty_list() {
    let world = World::new().await;
    world.happened([a_start()]).await;
    let [id] = ids();
    for (name, key) in [
        ("classroom-sessions", "classroom_id"),
        ("quiz-sessions", "quiz_id"),
    ] {
        let body = report(&world, name, key, id).await;
        assert_eq!(
            (&body[key], &body["sessions"]),
            (&json!(id), &json!([])),
            "{name}"
        );
        assert_eq!(body["pagination"]["total_pages"], 1);
    }
}
