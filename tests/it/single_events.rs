//! POST /api/events, taken: contract 3.2 and 3.3, in both modes.

use serde_json::json;
use uuid::Uuid;

use crate::harness::Stand;
use crate::harness::event::{a_publication, a_start, an_answer, an_end};

#[tokio::test]
async fn each_type_of_event_is_201_with_its_mode_and_stored() {
    for stand in Stand::both().await {
        let message = match stand.mode() {
            "kafka" => "Event queued successfully",
            _ => "Event processed successfully",
        };
        for (events, event) in [a_start(), a_publication(), an_answer(), an_end()]
            .iter()
            .enumerate()
        {
            let body = stand.app.post_event(event).await.expect(201);
            let expected = json!({
                "message": message, "event_id": event.id(), "timestamp": "2025-06-20T12:00:00Z", "mode": stand.mode(),
            });
            assert_eq!(body, expected);
            assert_eq!(stand.stored().await, events as i64 + 1, "{event:?}");
        }
    }
}

#[tokio::test]
async fn every_field_of_an_event_reaches_the_database_by_either_path() {
    for stand in Stand::both().await {
        let publication = a_publication()
            .with("teacher_id", "900E8400E29B41D4A716446655440050")
            .with_key("B");
        let answer = an_answer()
            .named("test-001")
            .saying(" O(n²) \"quoted\" ")
            .with("response_time_ms", 1200)
            .with("timestamp", "2025-06-20T14:00:01.25+02:00");
        let end = an_end().with("timestamp", "2025-06-20T13:00:00Z");
        for event in [&publication, &answer, &end] {
            stand.app.post_event(event).await.expect(201);
        }
        stand.settle().await;
        let publications: (String, String, i32, String) = sqlx::query_as(
            "SELECT event_id::text, teacher_id::text, timer_sec, correct_answer FROM publications",
        )
        .fetch_one(&stand.db.pool)
        .await
        .unwrap();
        let teacher = "900e8400-e29b-41d4-a716-446655440050".to_owned();
        assert_eq!(
            publications,
            (publication.id(), teacher, 60, "B".to_owned())
        );
        let answers: (String, String, i32, String) = sqlx::query_as(
            "SELECT client_event_id, answer, response_time_ms,
                    to_char(submitted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') FROM answers",
        )
        .fetch_one(&stand.db.pool)
        .await
        .unwrap();
        let at = "2025-06-20 12:00:01.250000".to_owned();
        assert_eq!(
            answers,
            (
                "test-001".to_owned(),
                " O(n²) \"quoted\" ".to_owned(),
                1200,
                at
            )
        );
        let ended = stand.db.number(
            "SELECT count(*) FROM sessions WHERE tenant_id = 1 AND ended_at = '2025-06-20T13:00:00Z' AND started_at IS NULL",
        );
        assert_eq!(ended.await, 1);
    }
}

#[tokio::test]
async fn the_id_and_the_timestamp_are_echoed_as_sent() {
    for stand in Stand::both().await {
        for id in [
            "test-001",
            "900E8400E29B41D4A716446655440099",
            "{900e8400-e29b-41d4-a716-446655440098}",
            "ein Ereignis mit Ümläut",
            &"x".repeat(128),
        ] {
            let event = an_answer()
                .named(id)
                .with("timestamp", "2025-06-20T17:30:00.5+05:30");
            let body = stand.app.post_event(event).await.expect(201);
            assert_eq!(body["event_id"], id);
            assert_eq!(body["timestamp"], "2025-06-20T17:30:00.5+05:30");
        }
    }
}

#[tokio::test]
async fn a_replayed_event_is_201_and_stored_once() {
    for stand in Stand::both().await {
        for event in [
            a_start(),
            a_publication(),
            an_answer().named("test-001"),
            an_end(),
        ] {
            let first = stand.app.post_event(&event).await.expect(201);
            assert_eq!(first.get("duplicate"), None);
            stand.settle().await;
            let second = stand.app.post_event(&event).await.expect(201);
            let told = second
                .get("duplicate")
                .is_some_and(|duplicate| duplicate == true);
            assert_eq!(told, stand.mode() == "direct", "{second}");
        }
        assert_eq!(stand.stored().await, 4);
    }
}

#[tokio::test]
async fn the_first_copy_of_an_event_wins() {
    for stand in Stand::both().await {
        let first = an_answer().saying("first");
        stand.app.post_event(&first).await.expect(201);
        stand.settle().await;
        stand
            .app
            .post_event(first.saying("second"))
            .await
            .expect(201);
        stand.settle().await;
        let answers: Vec<String> = sqlx::query_scalar("SELECT answer FROM answers")
            .fetch_all(&stand.db.pool)
            .await
            .unwrap();
        assert_eq!(answers, ["first"]);
    }
}

#[tokio::test]
async fn the_same_event_id_in_two_sessions_names_two_events() {
    for stand in Stand::both().await {
        for _ in 0..2 {
            stand
                .app
                .post_event(an_answer().named("test-001"))
                .await
                .expect(201);
        }
        assert_eq!(stand.stored().await, 2);
    }
}

#[tokio::test]
async fn one_uuid_in_two_forms_is_one_event() {
    let stand = Stand::direct().await;
    let event = an_answer().named("900e8400-e29b-41d4-a716-446655440099");
    stand.app.post_event(&event).await.expect(201);
    let shouted = event.named("900E8400E29B41D4A716446655440099");
    assert_eq!(
        stand.app.post_event(shouted).await.expect(201)["duplicate"],
        true
    );
}

#[tokio::test]
async fn an_answer_before_its_question_before_its_session_and_after_its_end_is_stored() {
    for stand in Stand::both().await {
        let (session, question) = (Uuid::new_v4(), Uuid::new_v4());
        let answer = || an_answer().in_session(session).of(question);
        stand
            .app
            .post_event(answer().at_second(70))
            .await
            .expect(201);
        let publication = a_publication().in_session(session).of(question);
        stand
            .app
            .post_event(publication.at_second(0))
            .await
            .expect(201);
        stand
            .app
            .post_event(a_start().in_session(session).at_second(-60))
            .await
            .expect(201);
        stand
            .app
            .post_event(an_end().in_session(session).at_second(300))
            .await
            .expect(201);
        stand
            .app
            .post_event(answer().at_second(301))
            .await
            .expect(201);
        assert_eq!(stand.stored().await, 5);
        let late = stand
            .db
            .number("SELECT count(*) FROM attempts WHERE is_late")
            .await;
        assert_eq!(late, 2);
    }
}

#[tokio::test]
async fn lateness_begins_strictly_after_the_deadline_of_the_newest_round() {
    let stand = Stand::direct().await;
    let (session, question) = (Uuid::new_v4(), Uuid::new_v4());
    let publish = |second| {
        a_publication()
            .in_session(session)
            .of(question)
            .at_second(second)
    };
    let answer = |second| {
        an_answer()
            .in_session(session)
            .of(question)
            .at_second(second)
    };
    let events = [
        // The second round opens after the first answer to it came in.
        answer(100 + 60),
        answer(100 + 61),
        answer(60),
        answer(61),
        answer(-1),
        publish(100),
        publish(0),
    ];
    stand
        .app
        .post_batch(events.map(Into::into))
        .await
        .expect(201);
    let rounds: Vec<(i64, Option<i64>, Option<bool>)> = sqlx::query_as(
        "SELECT extract(epoch FROM submitted_at - '2025-06-20T12:00:00Z')::bigint, latency_us / 1000000, is_late
         FROM attempts ORDER BY 1",
    )
    .fetch_all(&stand.db.pool)
    .await
    .unwrap();
    assert_eq!(
        rounds,
        [
            (-1, None, None),
            (60, Some(60), Some(false)),
            (61, Some(61), Some(true)),
            (160, Some(60), Some(false)),
            (161, Some(61), Some(true)),
        ]
    );
}

#[tokio::test]
async fn fields_that_a_type_does_not_use_and_unknown_keys_are_ignored() {
    for stand in Stand::both().await {
        let start = a_start()
            .with("question_id", "not a uuid")
            .with("student_id", "not a uuid")
            .with("timer_sec", -5)
            .with("shoe_size", json!({"left": [42]}));
        stand.app.post_event(start).await.expect(201);
        stand
            .app
            .post_event(an_answer().with("teacher_id", "x").with("timer_sec", 0))
            .await
            .expect(201);
        stand
            .app
            .post_event(a_publication().with("student_id", "x"))
            .await
            .expect(201);
        assert_eq!(stand.stored().await, 3);
    }
}

#[tokio::test]
async fn a_publication_without_a_timer_has_no_time_limit() {
    for stand in Stand::both().await {
        stand
            .app
            .post_event(a_publication().without("timer_sec"))
            .await
            .expect(201);
        stand.settle().await;
        let untimed = stand
            .db
            .number("SELECT count(*) FROM publications WHERE timer_sec IS NULL")
            .await;
        assert_eq!(untimed, 1);
    }
}

#[tokio::test]
async fn the_record_on_the_topic_has_the_shape_of_the_contract() {
    let stand = Stand::kafka().await;
    let event = an_answer()
        .with("session_id", "900E8400E29B41D4A716446655440000")
        .named("test-001");
    stand.app.post_event(&event).await.expect(201);
    let records = stand.kafka.as_ref().unwrap().records().await;
    let record = records
        .iter()
        .map(|located| &located.record)
        .find(|record| record.key.as_deref() == Some(b"900e8400-e29b-41d4-a716-446655440000"))
        .expect("the key is the canonical session id");
    assert_eq!(
        record.headers.get_str("event_type"),
        Some("ANSWER_SUBMITTED")
    );
    let value: serde_json::Value =
        serde_json::from_slice(record.payload.as_deref().unwrap()).unwrap();
    assert_eq!(value["event_id"], "test-001");
    assert_eq!(value["tenant_id"], 1);
    assert_eq!(value["user_id"], crate::harness::client::USER_ID);
    assert_eq!(value["payload"]["timestamp"], "2025-06-20T12:00:00Z");
    assert_ne!(
        value["timestamp"], value["payload"]["timestamp"],
        "the server's own time"
    );
    assert_eq!(
        value["payload"].get("response_time_ms"),
        None,
        "what was not sent is left out"
    );
}
