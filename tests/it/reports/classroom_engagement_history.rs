//! Contract 8.12.

use std::sync::LazyLock;

use serde_json::{Value, json};
use time::{Date, Duration, OffsetDateTime, Time};
use uuid::Uuid;

use super::fixtures::seeded;
use super::{World, ids};
use crate::harness::event::{CLASSROOM, Draft, a_publication, a_start, an_answer};

async fn report(world: &World, classroom: Uuid, params: &[(&str, &str)]) -> Value {
    let classroom = classroom.to_string();
    let params: Vec<_> = [("classroom_id", classroom.as_str())]
        .into_iter()
        .chain(params.iter().copied())
        .collect();
    let name = "classroom-engagement-history";
    world.settled_report(name, &params).await
}

/// The same day for a whole test, should midnight pass meanwhile.
static TODAY: LazyLock<Date> = LazyLock::new(|| OffsetDateTime::now_utc().date());

/// A minute before midnight UTC, so many days ago.
fn late_on_day(days_ago: i64) -> OffsetDateTime {
    let day = *TODAY - Duration::days(days_ago);
    day.with_time(Time::MIDNIGHT).assume_utc() + Duration::minutes(24 * 60 - 1)
}

fn date(at: OffsetDateTime) -> String {
    at.date().to_string()
}

/// A session of one question, which these students answer right two minutes after its start.
fn a_session(started_at: OffsetDateTime, students: &[Uuid]) -> Vec<Draft> {
    let [session, question] = ids();
    let publication = a_publication().in_session(session).of(question);
    let answer = |student: &Uuid| {
        let answer = an_answer().in_session(session).of(question);
        answer.by(*student).at(started_at + Duration::minutes(2))
    };
    [
        a_start().in_session(session).at(started_at),
        publication.at(started_at).with_key("B"),
    ]
    .into_iter()
    .chain(students.iter().map(answer))
    .collect()
}

#[tokio::test]
async fn each_day_has_the_figures_of_its_sessions_with_answers_after_midnight_too() {
    let world = World::new().await;
    let [ann, ben, cleo, guest] = ids();
    world.enrol(&[ann, ben, cleo]).await;
    for (days_ago, students) in [
        (3, vec![ann, guest]),
        // Two sessions on one day, in both of which Ann is active.
        (2, vec![ann]),
        (2, vec![ann, ben]),
        (9, vec![ann]),
    ] {
        world
            .happened(a_session(late_on_day(days_ago), &students))
            .await;
    }
    let [silent] = ids();
    let start = a_start().in_session(silent).at(late_on_day(5));
    world.happened([start]).await;
    let day = |days_ago, active: i64, rate: Value, accuracy: i64, questions: i64, response: i64| {
        json!({
            "date": date(late_on_day(days_ago)), "total_students": 3, "active_students": active,
            "engagement_rate": rate, "average_accuracy": accuracy, "total_questions": questions,
            "response_rate": response,
        })
    };
    let expected = json!({
        "classroom_id": CLASSROOM,
        "date_range": "168h0m0s",
        "pagination": {
            "page": 1, "page_size": 50, "total_count": 3, "total_pages": 1, "has_more": false, "has_previous": false,
        },
        "engagement_history": [
            day(2, 2, json!(66.67), 100, 2, 100),
            day(3, 1, json!(33.33), 100, 1, 100),
            day(5, 0, json!(0), 0, 0, 0),
        ],
        "summary": {"total_periods": 3, "page_periods": 3},
    });
    assert_eq!(report(&world, CLASSROOM, &[]).await, expected);
}

#[tokio::test]
async fn days_are_paged_newest_first_within_the_range() {
    let world = World::new().await;
    let [ann] = ids();
    world.enrol(&[ann]).await;
    for days_ago in [1, 4, 2, 3, 40] {
        world
            .happened(a_session(late_on_day(days_ago), &[ann]))
            .await;
    }
    for (page, days, has_more) in [
        ("1", vec![1, 2, 3], true),
        ("2", vec![4], false),
        ("3", vec![], false),
    ] {
        let params = [("date_range", "30d"), ("page", page), ("page_size", "3")];
        let body = report(&world, CLASSROOM, &params).await;
        let listed = body["engagement_history"].as_array().unwrap();
        let found: Vec<_> = listed.iter().map(|day| day["date"].clone()).collect();
        let expected: Vec<_> = days.iter().map(|days| date(late_on_day(*days))).collect();
        assert_eq!(json!(found), json!(expected), "page {page}");
        let summary = json!({"total_periods": 4, "page_periods": days.len()});
        assert_eq!(body["summary"], summary, "page {page}");
        assert_eq!(body["pagination"]["has_more"], has_more, "page {page}");
    }
}

#[tokio::test]
async fn a_classroom_without_a_roster_has_days_and_an_unknown_one_none() {
    let world = World::new().await;
    let [guest, unknown] = ids();
    world.happened(a_session(late_on_day(2), &[guest])).await;
    let body = report(&world, CLASSROOM, &[]).await;
    let expected = json!([{
        "date": date(late_on_day(2)), "total_students": 0, "active_students": 0, "engagement_rate": 0,
        "average_accuracy": 100, "total_questions": 1, "response_rate": 0,
    }]);
    assert_eq!(body["engagement_history"], expected);
    let body = report(&world, unknown, &[]).await;
    assert_eq!(body["engagement_history"], json!([]));
    assert_eq!(
        body["summary"],
        json!({"total_periods": 0, "page_periods": 0})
    );
}

#[tokio::test]
async fn the_fixtures_have_the_contracts_day() {
    let world = seeded().await;
    let body = report(&world, CLASSROOM, &[("date_range", "30d")]).await;
    let started_at = OffsetDateTime::now_utc() - Duration::minutes(30);
    let expected = json!([{
        "date": date(started_at), "total_students": 3, "active_students": 3, "engagement_rate": 100,
        "average_accuracy": 62.5, "total_questions": 2, "response_rate": 83.33,
    }]);
    assert_eq!(body["engagement_history"], expected);
    assert_eq!(body["date_range"], "720h0m0s");
}
