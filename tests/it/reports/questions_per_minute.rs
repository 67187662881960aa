//! Contract 8.2.

use serde_json::json;
use time::Duration;
use uuid::Uuid;

use super::World;
use crate::harness::event::{NOON, a_publication};

/// The report of a session with publications at these milliseconds.
async fn report(milliseconds: &[i64]) -> serde_json::Value {
    let world = World::new().await;
    let session = Uuid::new_v4();
    let question = Uuid::new_v4();
    let publications = milliseconds.iter().map(|at| {
        a_publication()
            .in_session(session)
            .of(question)
            .at(NOON + Duration::milliseconds(*at))
    });
    world.happened(publications).await;
    let mut body = world
        .report(
            "questions-per-minute",
            &[("session_id", &session.to_string())],
        )
        .await;
    let object = body.as_object_mut().unwrap();
    assert_eq!(object.remove("session_id"), Some(json!(session)));
    assert_eq!(
        object.remove("analysis_window"),
        Some(json!("session_duration"))
    );
    body
}

#[tokio::test]
async fn an_unknown_session_has_no_pace() {
    let expected = json!({"total_questions": 0, "average_qpm": 0, "peak_qpm": 0});
    assert_eq!(report(&[]).await, expected);
}

#[tokio::test]
async fn less_than_a_minute_counts_as_a_minute() {
    let expected = json!({"total_questions": 3, "average_qpm": 3, "peak_qpm": 3});
    assert_eq!(report(&[0, 10_000, 20_000]).await, expected);
    let expected = json!({"total_questions": 1, "average_qpm": 1, "peak_qpm": 1});
    assert_eq!(report(&[0]).await, expected);
}

#[tokio::test]
async fn a_question_published_again_counts_again_and_the_average_spans_first_to_last() {
    // Seven publications in seven and a half minutes.
    let at = [0, 60_000, 120_000, 130_000, 140_000, 300_000, 450_000];
    let expected = json!({"total_questions": 7, "average_qpm": 0.93, "peak_qpm": 3});
    assert_eq!(report(&at).await, expected);
}

#[tokio::test]
async fn two_publications_exactly_60_seconds_apart_are_in_different_windows() {
    assert_eq!(report(&[0, 60_000]).await["peak_qpm"], 1);
    assert_eq!(report(&[0, 59_999]).await["peak_qpm"], 2);
    assert_eq!(
        report(&[0, 0, 60_000, 60_000, 119_999]).await["peak_qpm"],
        3
    );
}
