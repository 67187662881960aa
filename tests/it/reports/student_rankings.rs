//! Contract 8.18a and b.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{World, enrol, ids};
use crate::harness::event::{CLASSROOM, Draft, a_publication, an_answer};

async fn of_classroom(world: &World) -> Value {
    let id = CLASSROOM.to_string();
    world
        .report("classroom-student-rankings", &[("classroom_id", &id)])
        .await
}

async fn of_session(world: &World, session: Uuid) -> Value {
    world
        .report(
            "session-student-rankings",
            &[("session_id", &session.to_string())],
        )
        .await
}

/// Fields of each place.
fn each<const N: usize>(body: &Value, fields: [&str; N]) -> Value {
    body["rankings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| Value::from(fields.map(|field| row[field].clone()).to_vec()))
        .collect()
}

/// So many right and wrong answers of a student to questions of their own, each a second after its publication.
fn answers(session: Uuid, student: Uuid, right: usize, wrong: usize) -> Vec<Draft> {
    (0..right + wrong)
        .flat_map(|number| {
            let question = Uuid::new_v4();
            let text = if number < right { "B" } else { "A" };
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
                    .at_second(1),
            ]
        })
        .collect()
}

#[tokio::test]
async fn equals_share_a_rank_and_the_answers_decide_after_accuracy() {
    let world = World::new().await;
    let [session] = ids();
    let [half, half_of_more, also_half, all, none, silent] = ids();
    world
        .enrol(&[half, half_of_more, also_half, all, none, silent])
        .await;
    for (student, right, wrong) in [
        (half, 1, 1),
        (half_of_more, 2, 2),
        (also_half, 1, 1),
        (all, 1, 0),
        (none, 0, 1),
    ] {
        world
            .happened(answers(session, student, right, wrong))
            .await;
    }
    let fields = [
        "student_id",
        "accuracy_rate",
        "questions_attempted",
        "rank",
        "percentile",
    ];
    let expected = json!([
        [all, 100, 1, 1, 100],
        [half_of_more, 50, 4, 2, 80],
        [half, 50, 2, 3, 60],
        [also_half, 50, 2, 3, 60],
        [none, 0, 1, 5, 20],
        [silent, 0, 0, 6, 0],
    ]);
    assert_eq!(each(&of_classroom(&world).await, fields), expected);
    let expected = json!([
        [all, 100, 1, 1, 100],
        [half_of_more, 50, 4, 2, 75],
        [half, 50, 2, 3, 50],
        [also_half, 50, 2, 3, 50],
        [none, 0, 1, 5, 0],
    ]);
    assert_eq!(each(&of_session(&world, session).await, fields), expected);
}

#[tokio::test]
async fn within_a_rank_the_faster_come_first_then_names_then_ids() {
    let world = World::new().await;
    let [session, question, untimed] = ids();
    let [zoe, slow, unknown, also_unknown, adam, early] = ids();
    world
        .enrol(&[zoe, slow, unknown, also_unknown, adam, early])
        .await;
    for (student, name) in [
        (zoe, "Zoe"),
        (slow, "Aaron"),
        (adam, "adam"),
        (early, "Abe"),
    ] {
        world
            .db
            .execute(&format!(
                "UPDATE students SET name = '{name}' WHERE student_id = '{student}'"
            ))
            .await;
    }
    let answer = |student: Uuid, second| {
        an_answer()
            .in_session(session)
            .of(question)
            .by(student)
            .at_second(second)
    };
    world
        .happened([
            a_publication()
                .in_session(session)
                .of(question)
                .with_key("B")
                .at_second(0),
            answer(zoe, 10),
            answer(unknown, 10),
            answer(also_unknown, 10),
            answer(adam, 10),
            answer(slow, 11),
            // Without a round there is no latency.
            a_publication()
                .in_session(Uuid::new_v4())
                .of(untimed)
                .with_key("B"),
            an_answer().in_session(session).of(untimed).by(early),
        ])
        .await;
    let fields = [
        "student_id",
        "student_name",
        "rank",
        "average_response_time_seconds",
    ];
    let expected = json!([
        // By code point: capitals before small letters.
        [unknown, "Unknown", 1, 10],
        [also_unknown, "Unknown", 1, 10],
        [zoe, "Zoe", 1, 10],
        [adam, "adam", 1, 10],
        [slow, "Aaron", 1, 11],
        [early, "Abe", 1, 0],
    ]);
    assert_eq!(each(&of_session(&world, session).await, fields), expected);
    assert_eq!(each(&of_classroom(&world).await, fields), expected);
}

#[tokio::test]
async fn a_classroom_ranks_its_roster_over_its_own_sessions() {
    let world = World::new().await;
    let [first, second, elsewhere, other_room] = ids();
    let [ann, guest] = ids();
    world.enrol(&[ann]).await;
    enrol(&world.db, 1, other_room, &[ann]).await;
    world.happened(answers(first, ann, 1, 0)).await;
    world.happened(answers(second, ann, 0, 2)).await;
    world.happened(answers(first, guest, 5, 0)).await;
    let away = answers(elsewhere, ann, 7, 0)
        .into_iter()
        .map(|event| event.in_classroom(other_room));
    world.happened(away).await;
    let expected = json!({
        "classroom_id": CLASSROOM,
        "pagination": {
            "page": 1, "page_size": 50, "total_count": 1, "total_pages": 1, "has_more": false, "has_previous": false,
        },
        "rankings": [{
            "student_id": ann, "student_name": "Unknown",
            "questions_attempted": 3, "correct_answers": 1, "accuracy_rate": 33.33,
            "average_response_time_seconds": 1, "rank": 1, "percentile": 100, "sessions_participated": 2,
        }],
        "summary": {"total_students": 1, "page_students": 1},
    });
    assert_eq!(of_classroom(&world).await, expected);
    let fields = ["student_id", "rank", "percentile", "sessions_participated"];
    let expected = json!([[guest, 1, 100, 1], [ann, 2, 0, 1]]);
    assert_eq!(each(&of_session(&world, first).await, fields), expected);
}

#[tokio::test]
async fn equal_fractions_are_equal_whatever_their_denominators() {
    let world = World::new().await;
    let [session] = ids();
    let [third, ungraded] = ids();
    world.happened(answers(session, third, 1, 2)).await;
    // Two of six graded and none of two ungraded: the same accuracy, and more answers.
    let mut events = answers(session, ungraded, 2, 4);
    events.extend((0..2).map(|_| an_answer().in_session(session).by(ungraded)));
    world.happened(events).await;
    let fields = ["student_id", "questions_attempted", "accuracy_rate", "rank"];
    let expected = json!([[ungraded, 8, 33.33, 1], [third, 3, 33.33, 2]]);
    assert_eq!(each(&of_session(&world, session).await, fields), expected);
}

#[tokio::test]
async fn pages_carry_on_the_ranks() {
    let world = World::new().await;
    let [session, question] = ids();
    let students: [Uuid; 5] = ids();
    world
        .happened([a_publication()
            .in_session(session)
            .of(question)
            .with_key("B")])
        .await;
    let answer = |student: Uuid| an_answer().in_session(session).of(question).by(student);
    world.happened(students.map(answer)).await;
    let id = session.to_string();
    let mut found = Vec::new();
    for page in ["1", "2", "3", "4"] {
        let params = [
            ("session_id", id.as_str()),
            ("page", page),
            ("page_size", "2"),
        ];
        let body = world.report("session-student-rankings", &params).await;
        assert_eq!(body["pagination"]["total_count"], 5, "page {page}");
        let rows = body["rankings"].as_array().unwrap().clone();
        assert_eq!(
            body["summary"],
            json!({"total_students": 5, "page_students": rows.len()})
        );
        for row in rows {
            assert_eq!((&row["rank"], &row["percentile"]), (&json!(1), &json!(100)));
            found.push(row["student_id"].clone());
        }
    }
    assert_eq!(json!(found), json!(students));
}

#[tokio::test]
async fn an_unknown_classroom_or_session_ranks_nobody() {
    let world = World::new().await;
    let [session] = ids();
    for body in [
        of_classroom(&world).await,
        of_session(&world, session).await,
    ] {
        assert_eq!(body["rankings"], json!([]));
        assert_eq!(
            body["summary"],
            json!({"total_students": 0, "page_students": 0})
        );
        assert_eq!(body["pagination"]["total_pages"], 1);
    }
}
