//! Contract 8.11.

use serde_json::{Value, json};
use uuid::Uuid;

use super::fixtures::{id, seeded};
use super::{World, enrol, ids};
use crate::harness::event::{CLASSROOM, a_publication, an_answer};

const REPORT: &str = "student-performance-list";

async fn report(world: &World, classroom: Uuid, params: &[(&str, &str)]) -> Value {
    let classroom = classroom.to_string();
    let params: Vec<_> = [("classroom_id", classroom.as_str())]
        .into_iter()
        .chain(params.iter().copied())
        .collect();
    world.settled_report(REPORT, &params).await
}

async fn name(world: &World, student: Uuid, name: &str) {
    let statement = format!("UPDATE students SET name = '{name}' WHERE student_id = '{student}'");
    world.db.execute(&statement).await;
}

/// A row of a student who has not answered.
fn idle(student: Uuid, name: &str) -> Value {
    json!({
        "student_id": student, "student_name": name, "questions_attempted": 0, "correct_answers": 0,
        "overall_accuracy": 0, "average_response_time": "N/A",
    })
}

#[tokio::test]
async fn the_roster_is_listed_with_what_each_did_in_this_classroom() {
    let world = World::new().await;
    let [session, elsewhere, other_classroom] = ids();
    let [first, second] = ids();
    let [ann, ben, guest] = ids();
    world.enrol(&[ann, ben]).await;
    enrol(&world.db, 1, other_classroom, &[ann]).await;
    name(&world, ann, "Ann").await;
    name(&world, ben, "Ben").await;
    let publish = |session, question| {
        let publication = a_publication().in_session(session);
        publication.of(question).with_key("B")
    };
    let answer = |student, question| {
        let answer = an_answer().in_session(session);
        answer.by(student).of(question)
    };
    world
        .happened([
            publish(session, first),
            publish(session, second),
            publish(elsewhere, first).in_classroom(other_classroom),
            answer(ann, first).at_second(20),
            answer(ann, second).at_second(41).saying("C"),
            answer(ann, first)
                .in_session(elsewhere)
                .in_classroom(other_classroom),
            answer(guest, first),
        ])
        .await;
    let expected = json!({
        "classroom_id": CLASSROOM,
        "pagination": {
            "page": 1, "page_size": 50, "total_count": 2, "total_pages": 1, "has_more": false, "has_previous": false,
        },
        "students": [
            {
                "student_id": ann, "student_name": "Ann", "questions_attempted": 2, "correct_answers": 1,
                "overall_accuracy": 50, "average_response_time": "30.5s",
            },
            idle(ben, "Ben"),
        ],
        "summary": {"total_students": 2, "page_students": 2},
    });
    assert_eq!(report(&world, CLASSROOM, &[]).await, expected);
}

#[tokio::test]
async fn names_are_ordered_by_code_point_then_id_and_pages_do_not_overlap() {
    let world = World::new().await;
    let students = ids();
    let [nameless, other_zoe, zoe, emile, umut, anna] = students;
    world.enrol(&students).await;
    for (student, text) in [
        (zoe, "Zoe"),
        (other_zoe, "Zoe"),
        (emile, "Émile"),
        (umut, "Umut"),
        (anna, "anna"),
    ] {
        name(&world, student, text).await;
    }
    // `Unknown` sorts as it is shown, between `Umut` and `Zoe`.
    let rows = [
        idle(umut, "Umut"),
        idle(nameless, "Unknown"),
        idle(other_zoe, "Zoe"),
        idle(zoe, "Zoe"),
        idle(anna, "anna"),
        idle(emile, "Émile"),
    ];
    for (page, listed, has_more) in [
        ("1", &rows[..4], true),
        ("2", &rows[4..], false),
        ("3", &[], false),
    ] {
        let body = report(&world, CLASSROOM, &[("page", page), ("page_size", "4")]).await;
        assert_eq!(body["students"], json!(listed), "page {page}");
        let summary = json!({"total_students": 6, "page_students": listed.len()});
        assert_eq!(body["summary"], summary, "page {page}");
        assert_eq!(body["pagination"]["total_pages"], 2);
        assert_eq!(body["pagination"]["has_more"], has_more, "page {page}");
    }
}

#[tokio::test]
async fn an_unknown_classroom_has_no_students() {
    let world = World::new().await;
    let classroom = Uuid::new_v4();
    let expected = json!({
        "classroom_id": classroom,
        "pagination": {
            "page": 1, "page_size": 50, "total_count": 0, "total_pages": 1, "has_more": false, "has_previous": false,
        },
        "students": [],
        "summary": {"total_students": 0, "page_students": 0},
    });
    assert_eq!(report(&world, classroom, &[]).await, expected);
}

#[tokio::test]
async fn the_fixtures_have_the_contracts_rows() {
    let world = seeded().await;
    let student = |digits| -> Uuid { id(digits).parse().unwrap() };
    let row = |digits, name, attempted, correct, accuracy, mean| {
        json!({
            "student_id": id(digits), "student_name": name, "questions_attempted": attempted,
            "correct_answers": correct, "overall_accuracy": accuracy, "average_response_time": mean,
        })
    };
    let expected = json!([
        row(40, "Alice Smith", 2, 2, 100, "0s"),
        row(41, "Bob Jones", 1, 0, 0, "1m0s"),
        row(42, "Charlie Brown", 2, 2, 100, "2m0s"),
    ]);
    let body = report(&world, CLASSROOM, &[]).await;
    assert_eq!(body["students"], expected);
    let body = report(&world, id(22).parse().unwrap(), &[]).await;
    assert_eq!(body["students"], json!([idle(student(45), "Frank Miller")]));
}
