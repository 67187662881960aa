//! What a classroom is, and how its roster shows in reports.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{World, classroom_of, classroom_path, ids};
use crate::harness::event::{CLASSROOM, a_publication, an_answer};
use crate::harness::rows::{differences, exact_rows};

#[tokio::test]
async fn a_classroom_is_answered_as_it_was_given_and_in_the_order_given() {
    let world = World::new().await;
    let [classroom, ann, ben] = ids();
    let body = json!({"name": "7b", "teacher": "x", "students": [
        {"student_id": ben, "name": "Ben Özil", "age": 12}, {"student_id": ann}]});
    let expected = json!({"classroom_id": classroom, "name": "7b", "students": [
        {"student_id": ben, "name": "Ben Özil"}, {"student_id": ann, "name": null}]});
    let path = classroom_path(classroom);
    assert_eq!(world.put(&path, &body).await, expected);
    assert_eq!(world.put(&path, &expected).await, expected);
}

#[tokio::test]
async fn the_same_classroom_again_touches_no_row() {
    let world = World::new().await;
    let [ann, ben] = ids();
    world.happened([an_answer().by(ann)]).await;
    let path = classroom_path(CLASSROOM);
    let body = classroom_of(&[(ben, Some("Ben")), (ann, None)]);
    world.put(&path, &body).await;
    let before = exact_rows(&world.db.pool).await;
    world.put(&path, &body).await;
    let after = exact_rows(&world.db.pool).await;
    assert_eq!(differences(&before, &after), "");
}

#[tokio::test]
async fn a_classroom_is_unknown_until_an_event_names_it_and_then_waits_for_its_name() {
    let world = World::new().await;
    let path = classroom_path(CLASSROOM);
    world
        .app
        .entry_as(1, &path)
        .await
        .refuses(404, "not_found", None);
    world.happened([an_answer()]).await;
    // A student who answers is a guest until the roster says otherwise.
    let stub = json!({"classroom_id": CLASSROOM, "name": "", "students": []});
    assert_eq!(world.entry(&path).await, stub);
}

#[tokio::test]
async fn a_name_that_is_not_given_leaves_the_stored_one_in_every_classroom() {
    let world = World::new().await;
    let [first, second, ann, ben] = ids();
    let names = async |classroom| {
        let entry = world.entry(&classroom_path(classroom)).await;
        let students = entry["students"].as_array().unwrap().clone();
        students
            .into_iter()
            .map(|student| student["name"].clone())
            .collect::<Vec<Value>>()
    };
    let put = async |classroom: Uuid, students: &[(Uuid, Option<&str>)]| {
        world
            .put(&classroom_path(classroom), &classroom_of(students))
            .await;
    };
    put(first, &[(ann, Some("Ann")), (ben, None)]).await;
    put(second, &[(ann, None), (ben, Some("Ben"))]).await;
    assert_eq!(names(first).await, [json!("Ann"), json!("Ben")]);
    put(second, &[(ann, Some("")), (ben, Some("Benedict"))]).await;
    assert_eq!(names(first).await, [json!("Ann"), json!("Benedict")]);
    // Off the roster, the name stays for when the student comes back.
    put(first, &[]).await;
    put(first, &[(ann, None)]).await;
    assert_eq!(names(first).await, [json!("Ann")]);
}

#[tokio::test]
async fn a_roster_is_replaced_as_a_whole_and_shows_at_once_in_sessions_of_the_past() {
    let world = World::new().await;
    let [session, question, ann, ben, guest] = ids();
    world
        .happened([
            a_publication().in_session(session).of(question),
            an_answer().in_session(session).of(question).by(ann),
            an_answer().in_session(session).of(question).by(guest),
        ])
        .await;
    let (session, question) = (session.to_string(), question.to_string());
    let params = [
        ("session_id", session.as_str()),
        ("question_id", question.as_str()),
    ];
    for (roster, received, answered) in [
        (&[ann, ben][..], 2, 1),
        (&[ben], 1, 0),
        (&[ann, ben, guest], 3, 2),
        (&[], 0, 0),
    ] {
        let students: Vec<_> = roster.iter().map(|student| (*student, None)).collect();
        world
            .put(&classroom_path(CLASSROOM), &classroom_of(&students))
            .await;
        let body = world.app.report("response-rate", &params).await.expect(200);
        assert_eq!(
            (&body["students_received"], &body["students_answered"]),
            (&json!(received), &json!(answered))
        );
    }
    assert_eq!(
        world.db.number("SELECT count(*) FROM answers").await,
        2,
        "a roster changes no facts"
    );
}
