//! What a session's events make of the session: contract 3.2.

use uuid::Uuid;

use crate::harness::Stand;
use crate::harness::event::{QUIZ, a_start, an_answer, an_end};

#[tokio::test]
async fn an_event_that_names_only_unknown_things_leaves_stubs_for_them() {
    let stand = Stand::direct().await;
    stand.app.post_event(an_answer()).await.expect(201);
    for (table, what) in [
        ("quizzes", "title = ''"),
        ("classrooms", "name = ''"),
        ("students", "name IS NULL"),
        ("questions", "quiz_id IS NULL AND correct_answer IS NULL"),
        ("sessions", "started_at IS NULL AND ended_at IS NULL"),
    ] {
        let query = format!("SELECT count(*) FROM {table} WHERE tenant_id = 1 AND {what}");
        assert_eq!(stand.db.number(&query).await, 1, "{table}");
    }
}

#[tokio::test]
async fn of_several_starts_the_earliest_names_the_session_whatever_the_order() {
    let stand = Stand::direct().await;
    let (early, late) = (Uuid::from_u128(0xea), Uuid::from_u128(0x1a));
    let start = |session, classroom, second| {
        a_start()
            .in_session(session)
            .in_classroom(classroom)
            .at_second(second)
    };
    for backwards in [false, true] {
        let session = Uuid::new_v4();
        let mut events = [
            an_answer()
                .in_session(session)
                .in_classroom(Uuid::from_u128(0xbad))
                .at_second(-500),
            start(session, early, 10),
            start(session, late, 20),
        ];
        if backwards {
            events.reverse();
        }
        for event in events {
            stand.app.post_event(event).await.expect(201);
        }
        let query = format!(
            "SELECT count(*) FROM sessions WHERE session_id = '{session}' AND classroom_id = '{early}'
                AND started_at = '2025-06-20T12:00:10Z' AND quiz_id = '{QUIZ}'"
        );
        assert_eq!(stand.db.number(&query).await, 1, "backwards: {backwards}");
    }
}

#[tokio::test]
async fn of_two_starts_at_one_instant_the_smaller_event_id_wins() {
    let stand = Stand::direct().await;
    for order in [[1_u128, 2], [2, 1]] {
        let session = Uuid::new_v4();
        for id in order {
            let start = a_start()
                .named(Uuid::from_u128(id))
                .in_classroom(Uuid::from_u128(id));
            stand
                .app
                .post_event(start.in_session(session))
                .await
                .expect(201);
        }
        let winner = Uuid::from_u128(1);
        let query = format!(
            "SELECT count(*) FROM sessions WHERE session_id = '{session}' AND classroom_id = '{winner}'"
        );
        assert_eq!(stand.db.number(&query).await, 1, "{order:?}");
    }
}

#[tokio::test]
async fn the_latest_end_counts() {
    let stand = Stand::direct().await;
    let session = Uuid::new_v4();
    for second in [10, 30, 20] {
        stand
            .app
            .post_event(an_end().in_session(session).at_second(second))
            .await
            .expect(201);
    }
    let query = "SELECT count(*) FROM sessions WHERE ended_at = '2025-06-20T12:00:30Z'";
    assert_eq!(stand.db.number(query).await, 1);
}
