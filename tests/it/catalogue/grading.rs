//! What a changed key does: it regrades the answers to that question, and nothing else.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::{World, ids, quiz_of, quiz_path, refresh};
use crate::harness::event::{a_publication, an_answer};
use crate::harness::{PATIENCE, eventually};

/// The lock under which keys change, of tenant 1: every writer of answers holds it shared.
const KEY_LOCK: &str = "1801812339, 1";

/// The version of each session.
async fn versions(world: &World) -> BTreeMap<Uuid, i64> {
    sqlx::query_as("SELECT session_id, facts_version FROM sessions")
        .fetch_all(&world.db.pool)
        .await
        .unwrap()
        .into_iter()
        .collect()
}

/// Right answers to a question, by the figures that reports read.
async fn correct_by_figures(world: &World, question: Uuid) -> i64 {
    let query = format!(
        "SELECT coalesce(sum(attempts_correct), 0) FROM session_questions WHERE question_id = '{question}'"
    );
    world.db.number(&query).await
}

#[tokio::test]
async fn a_changed_key_regrades_the_answers_to_that_question_at_once() {
    let world = World::new().await;
    let [quiz, question, other] = ids();
    let answers = [
        ("A", question),
        ("B", question),
        ("B", question),
        ("A", other),
    ];
    world
        .happened(answers.map(|(text, question)| an_answer().of(question).saying(text)))
        .await;
    for (key, correct, rating) in [
        (Some("A"), 1, "Very Hard"),
        (Some("B"), 2, "Medium"),
        (Some(" B\t"), 2, "Medium"),
        (Some("b"), 0, "Very Hard"),
        (None, 0, "Unrated"),
    ] {
        let body = quiz_of(&[(question, key), (other, Some("A"))]);
        world.put(&quiz_path(quiz), &body).await;
        let analysis = world.analysis(question).await;
        assert_eq!(
            (
                &analysis["usage_stats"]["correct_attempts"],
                &analysis["performance_metrics"]["difficulty_rating"]
            ),
            (&json!(correct), &json!(rating)),
            "{key:?}"
        );
        assert_eq!(
            correct_by_figures(&world, question).await,
            correct,
            "{key:?}"
        );
        assert_eq!(world.correct(other).await, 1, "{key:?}");
        refresh(&world).await;
    }
}

#[tokio::test]
async fn only_sessions_with_an_answer_to_a_question_whose_key_in_force_changes_are_outdated() {
    let world = World::new().await;
    let [
        quiz,
        question,
        other,
        with_answer,
        only_published,
        elsewhere,
    ] = ids();
    world
        .happened([
            a_publication()
                .in_session(with_answer)
                .of(question)
                .with_key("A"),
            an_answer().in_session(with_answer).of(question),
            a_publication().in_session(only_published).of(question),
            an_answer().in_session(elsewhere).of(other),
        ])
        .await;
    // What is put, and whether it changes a key in force: "A" by a publication for the first, none for the other.
    for (title, key, other_key, outdated) in [
        (
            "the catalogue says what the publication says",
            Some("A"),
            None,
            &[][..],
        ),
        ("only the title", Some("A"), None, &[]),
        ("another key", Some("B"), None, &[with_answer]),
        ("the same again", Some("B"), None, &[]),
        (
            "the publication's key is in force again",
            None,
            None,
            &[with_answer],
        ),
        ("and again from the catalogue", Some("A"), None, &[]),
        ("no key of the catalogue's", None, None, &[]),
        ("a first key", None, Some("A"), &[elsewhere]),
        ("the key is gone", None, None, &[elsewhere]),
        ("both", Some("C"), Some("C"), &[with_answer, elsewhere]),
    ] {
        let before = versions(&world).await;
        let mut body = quiz_of(&[(question, key), (other, other_key)]);
        body["title"] = json!(title);
        world.put(&quiz_path(quiz), &body).await;
        let after = versions(&world).await;
        let moved: Vec<Uuid> = after
            .into_iter()
            .filter(|(session, version)| before[session] != *version)
            .map(|(session, _)| session)
            .collect();
        assert_eq!(moved, outdated, "{title}");
    }
    // Leaving the list takes both keys away; the publication's is in force for the first.
    let before = versions(&world).await;
    world.put(&quiz_path(quiz), &quiz_of(&[])).await;
    let after = versions(&world).await;
    let moved =
        [with_answer, only_published, elsewhere].map(|session| after[&session] - before[&session]);
    assert_eq!(moved, [1, 0, 1]);
}

#[tokio::test]
async fn stored_figures_follow_a_changed_key() {
    let world = World::new().await;
    let [quiz, question, first, second] = ids();
    world
        .happened([
            an_answer().in_session(first).of(question).saying("A"),
            an_answer().in_session(second).of(question).saying("B"),
        ])
        .await;
    refresh(&world).await;
    assert_eq!(correct_by_figures(&world, question).await, 0);
    world.put_key(quiz, question, Some("A")).await;
    assert_eq!(correct_by_figures(&world, question).await, 1);
}

#[tokio::test]
async fn a_quiz_without_a_changed_key_waits_for_no_writer_and_one_with_a_changed_key_does() {
    let world = World::new().await;
    let [quiz, question, published] = ids();
    world
        .happened([
            an_answer().of(question),
            a_publication().of(published).with_key("A"),
        ])
        .await;
    world.put_key(quiz, question, Some("A")).await;

    let mut writer = PgConnection::connect(&world.db.url()).await.unwrap();
    let hold = format!("SELECT pg_advisory_lock_shared({KEY_LOCK})");
    sqlx::query(sqlx::AssertSqlSafe(hold))
        .execute(&mut writer)
        .await
        .unwrap();
    let unchanged = json!({"title": "Other", "description": "Other", "questions": [
        {"question_id": published, "correct_answer": "A"}, {"question_id": question, "correct_answer": "A"}]});
    world.put(&quiz_path(quiz), &unchanged).await;

    let put_changed = world.put_key(quiz, question, Some("B"));
    let waits = async {
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock'
                       AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        eventually("the change waits", PATIENCE, || async {
            world.db.number(waiting).await == 1
        })
        .await;
        assert_eq!(world.correct(question).await, 0, "nothing has changed yet");
        let release = format!("SELECT pg_advisory_unlock_shared({KEY_LOCK})");
        sqlx::query(sqlx::AssertSqlSafe(release))
            .execute(&mut writer)
            .await
            .unwrap();
    };
    tokio::join!(put_changed, waits);
    assert_eq!(world.correct(question).await, 1);
}
