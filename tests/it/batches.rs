//! POST /api/events/batch: contract 3.4 and 12.3.

use serde_json::{Value, json};

use crate::harness::client::USER_ID;
use crate::harness::event::{Draft, a_publication, a_start, an_answer, an_end};
use crate::harness::{Reply, Stand};

fn one_of_each() -> Vec<Draft> {
    vec![
        a_start(),
        a_publication(),
        an_answer().named("test-001"),
        an_end(),
    ]
}

fn json_of(events: &[Draft]) -> Vec<Value> {
    events.iter().map(Value::from).collect()
}

#[tokio::test]
async fn an_array_is_201_with_a_result_per_event_in_its_order() {
    for stand in Stand::both().await {
        let events = one_of_each();
        let body = stand.app.post_batch(json_of(&events)).await.expect(201);
        let results: Vec<Value> = events
            .iter()
            .map(
                |event| json!({"event_id": event.id(), "status": "accepted", "mode": stand.mode()}),
            )
            .collect();
        let expected = json!({
            "message": "Batch events processed", "user_id": USER_ID, "processed_count": 4, "total_events": 4,
            "mode": stand.mode(), "results": results,
        });
        assert_eq!(body, expected);
        assert_eq!(stand.stored().await, 4);
    }
}

#[tokio::test]
async fn an_empty_array_is_a_valid_batch() {
    for stand in Stand::both().await {
        let body = stand.app.post_batch([]).await.expect(201);
        let expected = json!({
            "message": "Batch events processed", "user_id": USER_ID, "processed_count": 0, "total_events": 0,
            "mode": stand.mode(), "results": [],
        });
        assert_eq!(body, expected);
    }
}

#[tokio::test]
async fn a_body_that_is_no_array_is_400_and_stores_nothing() {
    for stand in Stand::both().await {
        let event = an_answer().json();
        for (body, code) in [
            (event.to_string(), "not_an_array"),
            (json!({"events": [event]}).to_string(), "not_an_array"),
            ("null".to_owned(), "not_an_array"),
            (String::new(), "broken_json"),
            (format!("[{event}"), "broken_json"),
            (format!("[{event},]"), "broken_json"),
            (format!("[{event}]]"), "broken_json"),
        ] {
            let reply = Reply::of(stand.app.batch(1).body(body.clone())).await;
            assert_eq!(reply.status, 400, "{body}: {reply:?}");
            reply.refuses(400, code, None);
        }
        assert_eq!(stand.stored().await, 0);
    }
}

#[tokio::test]
async fn an_element_that_lacks_a_common_field_fails_the_whole_batch_with_its_place() {
    for stand in Stand::both().await {
        let batch = [
            an_answer().json(),
            an_answer().without("session_id").json(),
            an_answer().with("student_id", "nope").json(),
            an_answer().with("timestamp", "").json(),
            json!(5),
        ];
        let reply = stand.app.post_batch(batch).await;
        let error = "[1]: session_id is required\n[3]: timestamp is required\n[4]: an event must be a JSON object";
        assert_eq!(reply.expect(400)["error"], error);
        assert_eq!(stand.stored().await, 0);
    }
}

#[tokio::test]
async fn every_other_fault_is_the_elements_own_and_the_rest_go_through() {
    for stand in Stand::both().await {
        let good = [an_answer(), an_answer()];
        let bad = [
            an_answer().named("no-student").without("student_id"),
            an_answer().named("bad-uuid").with("session_id", "nope"),
            an_answer()
                .named("unknown")
                .with("event_type", "QUIZ_DANCED"),
        ];
        let batch = [&bad[0], &good[0], &bad[1], &good[1], &bad[2]];
        let body = stand
            .app
            .post_batch(batch.map(Value::from))
            .await
            .expect(201);
        assert_eq!(
            (&body["processed_count"], &body["total_events"]),
            (&json!(2), &json!(5))
        );
        let errors = json!([
            "Event no-student: student_id is required",
            "Event bad-uuid: session_id must be a UUID",
            "Event unknown: unknown event type: QUIZ_DANCED",
        ]);
        assert_eq!(body["errors"], errors);
        let expected = json!([
            {"event_id": "no-student", "status": "invalid", "code": "missing_field", "error": "student_id is required"},
            {"event_id": good[0].id(), "status": "accepted", "mode": stand.mode()},
            {"event_id": "bad-uuid", "status": "invalid", "code": "invalid_uuid", "error": "session_id must be a UUID"},
            {"event_id": good[1].id(), "status": "accepted", "mode": stand.mode()},
            {"event_id": "unknown", "status": "invalid", "code": "unknown_event_type",
             "error": "unknown event type: QUIZ_DANCED"},
        ]);
        assert_eq!(body["results"], expected);
        assert_eq!(stand.stored().await, 2);
    }
}

#[tokio::test]
async fn a_batch_of_which_everything_is_refused_is_still_201() {
    for stand in Stand::both().await {
        let body = stand
            .app
            .post_batch([an_answer().without("answer").json()])
            .await
            .expect(201);
        assert_eq!(
            (&body["processed_count"], &body["mode"]),
            (&json!(0), &json!(stand.mode()))
        );
        assert_eq!(body["errors"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_repeated_event_counts_as_processed_and_the_direct_path_says_duplicate() {
    for stand in Stand::both().await {
        let event = an_answer();
        let body = stand
            .app
            .post_batch([&event, &event].map(Value::from))
            .await
            .expect(201);
        assert_eq!(body["processed_count"], 2);
        let statuses: Vec<_> = body["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|result| &result["status"])
            .collect();
        let second = if stand.mode() == "direct" {
            "duplicate"
        } else {
            "accepted"
        };
        assert_eq!(statuses, ["accepted", second]);
        assert_eq!(body.get("errors"), None);
        assert_eq!(stand.stored().await, 1);
    }
}
