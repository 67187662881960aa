//! `ctl rebuild`: which sessions, with whom, and what it waits for.

use std::collections::BTreeSet;

use analytics_ingestor::store::figures::refresh_stale;
use serde_json::json;
use uuid::Uuid;

use super::Ctl;
use crate::harness::event::{a_publication, a_start, an_answer};
use crate::harness::program::Launch;
use crate::harness::{PATIENCE, TestDb, eventually};
use crate::refresh::world::{assert_all_stored, id, session, stale, write};

/// Sessions 0 to 5: by turns of two classrooms and of three quizzes, an hour apart from noon, the last two not started.
async fn six_sessions(db: &TestDb) {
    for number in 0..6 {
        let draft = if number < 4 { a_start() } else { an_answer() };
        let event = draft
            .in_session(session(number))
            .in_classroom(id(5, number % 2))
            .with("quiz_id", id(4, number % 3))
            .at_second(i64::from(number) * 3_600)
            .parse(if number == 3 { 2 } else { 1 });
        write(db, &[event]).await;
    }
    refresh_stale(&db.pool, 100).await.unwrap();
}

async fn moved(db: &TestDb) -> BTreeSet<Uuid> {
    let moved: Vec<Uuid> =
        sqlx::query_scalar("SELECT session_id FROM stored_session_figures WHERE of_version > 1")
            .fetch_all(&db.pool)
            .await
            .unwrap();
    moved.into_iter().collect()
}

#[tokio::test]
async fn only_the_sessions_that_are_asked_for_are_rebuilt() {
    let (classroom, quiz) = (id(5, 1).to_string(), id(4, 0).to_string());
    let (two, four) = ("2025-06-20T14:00:00Z", "2025-06-20T18:00:00+02:00");
    for (arguments, numbers) in [
        (vec![], vec![0, 1, 2, 3, 4, 5]),
        (vec!["--tenant", "1"], vec![0, 1, 2, 4, 5]),
        (vec!["--tenant", "2"], vec![3]),
        (vec!["--classroom", &classroom], vec![1, 3, 5]),
        (vec!["--quiz", &quiz], vec![0, 3]),
        (vec!["--quiz", &quiz, "--tenant", "1"], vec![0]),
        (vec!["--classroom", &classroom, "--quiz", &quiz], vec![3]),
        (vec!["--since", two], vec![2, 3, 4, 5]),
        (vec!["--until", two], vec![0, 1]),
        (vec!["--since", two, "--until", four], vec![2, 3]),
        (vec!["--tenant", "9"], vec![]),
    ] {
        let db = TestDb::new().await;
        six_sessions(&db).await;
        let command = ["rebuild", "--json"].iter().chain(&arguments).copied();
        let answer = Ctl::new(command).on(&db).run().await.answers(0);
        let count = numbers.len();
        let expected = json!({"sessions": count, "failed": 0, "failures": []});
        assert_eq!(answer, expected, "{arguments:?}");
        let expected: BTreeSet<Uuid> = numbers.into_iter().map(session).collect();
        assert_eq!(moved(&db).await, expected, "{arguments:?}");
        assert_all_stored(&db).await;
    }
}

#[tokio::test]
async fn a_time_that_is_none_is_wrong_use() {
    for argument in ["--since", "--until"] {
        let db = TestDb::new().await;
        let ran = Ctl::new(["rebuild", argument, "yesterday"]).on(&db).run();
        let ran = ran.await;
        ran.exits(2);
        assert!(ran.stderr.contains("2025-06-20T12:00:00Z"), "{ran:?}");
    }
}

#[tokio::test]
async fn it_shares_the_work_with_a_server() {
    let db = TestDb::new().await;
    six_sessions(&db).await;
    let _server = Launch::server(&db.url())
        .with("REFRESH_QUIET_MS", "0")
        .start()
        .await;
    for _ in 0..5 {
        let answer = Ctl::new(["rebuild"]).on(&db).run().await;
        assert_eq!(answer.exits(0), "rebuilt the figures of 6 sessions\n");
        assert_all_stored(&db).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_waits_for_a_session_that_another_refresher_is_at() {
    let db = TestDb::new().await;
    six_sessions(&db).await;
    let of = session(2);
    let lock = format!("SELECT pg_advisory_lock(uuid_hash_extended('{of}', 1))");
    let mut other = db.pool.acquire().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(lock))
        .execute(&mut *other)
        .await
        .unwrap();
    let rebuilding = Ctl::new(["rebuild"]).on(&db).start();
    eventually("all others are rebuilt", PATIENCE, || async {
        moved(&db).await.len() == 5 && stale(&db).await == 1
    })
    .await;
    sqlx::query("SELECT pg_advisory_unlock_all()")
        .execute(&mut *other)
        .await
        .unwrap();
    let answer = rebuilding.end().await;
    assert_eq!(answer.exits(0), "rebuilt the figures of 6 sessions\n");
    assert_eq!(moved(&db).await.len(), 6);
    assert_all_stored(&db).await;
}

#[tokio::test]
async fn a_session_whose_figures_cannot_be_computed_is_named_and_all_others_are_rebuilt() {
    let db = TestDb::new().await;
    six_sessions(&db).await;
    let (of, question) = (session(1), Uuid::from_u128(7));
    let events = [a_publication(), an_answer(), an_answer()]
        .map(|draft| draft.in_session(of).of(question).parse(1));
    write(&db, &events).await;
    // A latency past all bounds, which no events that are let in can have.
    db.execute(&format!(
        "UPDATE publications SET published_at = '0001-01-01' WHERE question_id = '{question}';
         UPDATE answers SET submitted_at = '294000-01-01' WHERE question_id = '{question}'"
    ))
    .await;
    let ran = Ctl::new(["rebuild", "--json"]).on(&db).run().await;
    let answer = ran.answers(1);
    assert_eq!(
        (&answer["sessions"], &answer["failed"]),
        (&json!(5), &json!(1))
    );
    let failure = &answer["failures"][0];
    assert_eq!(failure["session_id"], json!(of));
    assert!(
        failure["error"].as_str().unwrap().contains("bigint"),
        "{failure}"
    );
    assert_eq!(moved(&db).await.len(), 5);
    assert_eq!(stale(&db).await, 1);
}
