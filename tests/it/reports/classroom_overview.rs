//! Contract 8.19.

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{World, enrol, ids};
use crate::harness::event::{CLASSROOM, a_publication, a_start, an_answer};

async fn report(world: &World, classroom: Uuid) -> Value {
    world
        .report(
            "classroom-overview",
            &[("classroom_id", &classroom.to_string())],
        )
        .await
}

/// A whole second, so many days ago or, if negative, ahead.
fn days_ago(days: f64) -> OffsetDateTime {
    let at = OffsetDateTime::now_utc() - Duration::seconds_f64(days * 86_400.0);
    at.replace_nanosecond(0).unwrap()
}

fn text(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap()
}

#[tokio::test]
async fn active_are_the_enrolled_who_answered_in_the_last_30_days() {
    let world = World::new().await;
    let [recent, lapsed, silent, guest, away, other_room] = ids();
    world.enrol(&[recent, lapsed, silent, away]).await;
    enrol(&world.db, 1, other_room, &[away]).await;
    world
        .happened([
            an_answer().by(recent).at(days_ago(29.9)),
            an_answer().by(recent).at(days_ago(40.0)),
            an_answer().by(lapsed).at(days_ago(30.1)),
            an_answer().by(guest).at(days_ago(1.0)),
            an_answer()
                .by(away)
                .in_classroom(other_room)
                .at(days_ago(1.0)),
        ])
        .await;
    let body = report(&world, CLASSROOM).await;
    let overview = &body["overview"];
    assert_eq!(
        (&overview["total_students"], &overview["active_students"]),
        (&json!(4), &json!(1))
    );
    assert_eq!(body["summary"]["participation_rate"], 25);
}

#[tokio::test]
async fn recent_sessions_started_in_the_last_7_days() {
    let world = World::new().await;
    let publication = a_publication().at(days_ago(1.0));
    world
        .happened([
            a_start().at(days_ago(6.9)),
            a_start().at(days_ago(7.1)),
            a_start().at(days_ago(-0.5)),
            // Never started.
            publication,
        ])
        .await;
    let body = report(&world, CLASSROOM).await;
    let overview = &body["overview"];
    assert_eq!(
        (&overview["total_sessions"], &overview["recent_sessions"]),
        (&json!(4), &json!(1))
    );
    assert_eq!(body["summary"]["activity_score"], 25);
    assert_eq!(body["insights"]["activity_level"], "moderate");
}

#[tokio::test]
async fn the_last_activity_is_the_latest_past_start_publication_or_answer() {
    let world = World::new().await;
    let [session, ann] = ids();
    world.enrol(&[ann]).await;
    let last_activity =
        async || report(&world, CLASSROOM).await["overview"]["last_activity"].clone();
    // Each of a device whose clock is right, and then of one that is fast.
    let ahead = days_ago(-0.5);
    for (event, day) in [
        (a_start(), 9.0),
        (a_publication(), 8.0),
        (an_answer().by(ann), 7.0),
        (a_publication(), 6.0),
    ] {
        let at = days_ago(day);
        world.happened([event.in_session(session).at(at)]).await;
        assert_eq!(last_activity().await, text(at));
        world
            .happened([
                a_publication().in_session(session).at(ahead),
                an_answer().by(ann).in_session(session).at(ahead),
                a_start().at(ahead),
            ])
            .await;
        assert_eq!(last_activity().await, text(at));
    }
    let body = report(&world, CLASSROOM).await;
    assert_eq!(body["overview"]["active_students"], 1);
}

#[tokio::test]
async fn an_answer_that_lies_ahead_makes_nobody_active() {
    let world = World::new().await;
    let [session, question, early, ann, ben] = ids();
    world.enrol(&[ann, ben]).await;
    let answer = |question, student| an_answer().in_session(session).of(question).by(student);
    let ahead = days_ago(-0.5);
    world
        .happened([
            // Ann's only answer that counts is ahead, Ben has an old one besides.
            answer(question, ann).at(days_ago(1.0)),
            answer(question, ann).at(ahead),
            answer(question, ben).at(ahead),
            answer(early, ben).at(days_ago(31.0)),
        ])
        .await;
    let body = report(&world, CLASSROOM).await;
    assert_eq!(body["overview"]["active_students"], 0);
}

#[tokio::test]
async fn an_unknown_classroom_has_zeros_and_no_times() {
    let world = World::new().await;
    let [classroom] = ids();
    world.happened([a_start()]).await;
    let expected = json!({
        "overview": {
            "classroom_id": classroom, "classroom_name": "", "total_students": 0, "active_students": 0,
            "total_sessions": 0, "recent_sessions": 0, "last_activity": null, "created_at": null,
        },
        "insights": {
            "activity_level": "no_activity", "engagement_status": "no_students", "growth_trend": "stagnant",
        },
        "summary": {"participation_rate": 0, "activity_score": 0},
    });
    assert_eq!(report(&world, classroom).await, expected);
}

#[tokio::test]
async fn activity_and_growth_follow_recent_sessions() {
    let world = World::new().await;
    let old = |count| (0..count).map(|_| a_start().at(days_ago(20.0)));
    for (more_recent, more_old, level, growth) in [
        (0, 4, "inactive", "stagnant"),
        (1, 0, "low", "steady"),
        (1, 0, "moderate", "steady"),
        (1, 0, "moderate", "growing"),
        (1, 0, "high", "growing"),
        (1, 0, "high", "accelerating"),
        (0, 2, "moderate", "accelerating"),
    ] {
        let recent = (0..more_recent).map(|_| a_start().at(days_ago(1.0)));
        world.happened(recent.chain(old(more_old))).await;
        let insights = report(&world, CLASSROOM).await["insights"].clone();
        let found = (&insights["activity_level"], &insights["growth_trend"]);
        assert_eq!(found, (&json!(level), &json!(growth)));
    }
}

#[tokio::test]
async fn engagement_follows_participation() {
    let world = World::new().await;
    let students: [Uuid; 5] = ids();
    world.enrol(&students).await;
    let status = async || report(&world, CLASSROOM).await["insights"]["engagement_status"].clone();
    assert_eq!(status().await, "no_engagement");
    for (student, expected) in students.into_iter().zip([
        "low_engagement",
        "moderately_engaged",
        "well_engaged",
        "highly_engaged",
        "highly_engaged",
    ]) {
        world
            .happened([an_answer().by(student).at(days_ago(1.0))])
            .await;
        assert_eq!(status().await, expected);
    }
}
