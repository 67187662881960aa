//! Contract 8.1.

use serde_json::json;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{World, ids};
use crate::harness::event::{Draft, a_publication, an_answer};

const REPORT: &str = "active-participants";

/// Three students within the last hour, one of them a guest, and one who answered two hours ago.
struct Lesson {
    world: World,
    session: Uuid,
    students: [Uuid; 4],
}

impl Lesson {
    async fn new() -> Self {
        let world = World::new().await;
        let [session, first, second, third] = ids();
        let students @ [ann, ben, guest, gone] = ids();
        world.enrol(&[ann, ben, gone]).await;
        let now = OffsetDateTime::now_utc();
        let ago = |minutes: i64| now - Duration::minutes(minutes);
        let answer = |student, question, minutes, text: &str| -> Draft {
            an_answer()
                .in_session(session)
                .by(student)
                .of(question)
                .at(ago(minutes))
                .saying(text)
        };
        let publish = |question| {
            a_publication()
                .in_session(session)
                .of(question)
                .at(ago(150))
                .with_key("B")
        };
        world
            .happened([
                publish(first),
                publish(second),
                publish(third),
                publish(first).at(ago(149)),
                // One right answer of three.
                answer(ann, first, 10, "B"),
                answer(ann, second, 9, "C"),
                answer(ann, third, 5, "C"),
                // The last attempt counts: right first, wrong in the end.
                answer(ben, first, 20, "B"),
                answer(ben, first, 3, "A"),
                answer(guest, first, 5, "B"),
                answer(gone, first, 120, "B"),
            ])
            .await;
        Self {
            world,
            session,
            students,
        }
    }

    async fn report(&self, params: &[(&str, &str)]) -> serde_json::Value {
        let session = self.session.to_string();
        let params: Vec<_> = [("session_id", session.as_str())]
            .into_iter()
            .chain(params.iter().copied())
            .collect();
        self.world.report(REPORT, &params).await
    }
}

#[tokio::test]
async fn newest_activity_comes_first_then_the_smaller_id_and_guests_count() {
    let lesson = Lesson::new().await;
    let [ann, ben, guest, _] = lesson.students;
    let expected = json!({
        "session_id": lesson.session,
        "time_range": "1h0m0s",
        "pagination": {
            "page": 1, "page_size": 50, "total_count": 3, "total_pages": 1, "has_more": false, "has_previous": false,
        },
        "active_participants": [
            {"student_id": ben, "accuracy": 0},
            {"student_id": ann, "accuracy": 33.33},
            {"student_id": guest, "accuracy": 100},
        ],
        "total_participants": 3,
        "page_participants": 3,
        "average_accuracy_percent": 44.44,
    });
    assert_eq!(lesson.report(&[]).await, expected);
}

#[tokio::test]
async fn the_window_decides_who_is_active() {
    let lesson = Lesson::new().await;
    for (range, echo, total) in [
        ("24h", "24h0m0s", 4),
        ("4m", "4m0s", 1),
        ("1d", "24h0m0s", 4),
        ("500ms", "500ms", 0),
        ("2h30m", "2h30m0s", 4),
    ] {
        let body = lesson.report(&[("time_range", range)]).await;
        assert_eq!(
            (&body["total_participants"], &body["time_range"]),
            (&json!(total), &json!(echo)),
            "{range}"
        );
    }
    let day = lesson.report(&[("time_range", "24h")]).await;
    // (0 + 33.33… + 100 + 100) ÷ 4
    assert_eq!(day["average_accuracy_percent"], 58.33);
    assert_eq!(
        day["active_participants"][3]["student_id"],
        json!(lesson.students[3])
    );
}

#[tokio::test]
async fn pages_do_not_overlap_and_the_average_is_over_all_of_them() {
    let lesson = Lesson::new().await;
    let [ann, ben, guest, _] = lesson.students;
    for (page, students, has_more, has_previous) in [
        ("1", vec![ben, ann], true, false),
        ("2", vec![guest], false, true),
        ("9", vec![], false, true),
    ] {
        let body = lesson.report(&[("page", page), ("page_size", "2")]).await;
        let listed: Vec<_> = body["active_participants"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["student_id"].clone())
            .collect();
        assert_eq!(json!(listed), json!(students), "page {page}");
        let pagination = json!({
            "page": page.parse::<i32>().unwrap(), "page_size": 2, "total_count": 3, "total_pages": 2,
            "has_more": has_more, "has_previous": has_previous,
        });
        assert_eq!(body["pagination"], pagination, "page {page}");
        assert_eq!(body["page_participants"], students.len());
        assert_eq!(
            (
                &body["total_participants"],
                &body["average_accuracy_percent"]
            ),
            (&json!(3), &json!(44.44))
        );
    }
}

#[tokio::test]
async fn students_without_a_graded_answer_take_part_with_accuracy_zero() {
    let world = World::new().await;
    let [session, student] = ids();
    world
        .happened([an_answer()
            .in_session(session)
            .by(student)
            .at(OffsetDateTime::now_utc())])
        .await;
    let session = session.to_string();
    let body = world.report(REPORT, &[("session_id", &session)]).await;
    assert_eq!(
        body["active_participants"],
        json!([{"student_id": student, "accuracy": 0}])
    );
}

#[tokio::test]
async fn an_unknown_session_has_no_participants() {
    let world = World::new().await;
    let session = Uuid::new_v4().to_string();
    let body = world.report(REPORT, &[("session_id", &session)]).await;
    let expected = json!({
        "session_id": session,
        "time_range": "1h0m0s",
        "pagination": {
            "page": 1, "page_size": 50, "total_count": 0, "total_pages": 1, "has_more": false, "has_previous": false,
        },
        "active_participants": [],
        "total_participants": 0,
        "page_participants": 0,
        "average_accuracy_percent": 0,
    });
    assert_eq!(body, expected);
}
