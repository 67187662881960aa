//! After a refresh: everything is stored, nothing is behind, and what is stored is what the definition says.

use std::collections::BTreeMap;

use analytics_ingestor::store::figures::refresh_stale;
use fastrand::Rng;
use uuid::Uuid;

use super::world::{assert_all_stored, session, some_events, stale, write, wrong};
use crate::harness::TestDb;
use crate::harness::event::{a_publication, an_answer};

#[tokio::test]
async fn the_stored_figures_follow_any_facts_that_come() {
    for seed in 0..5 {
        let db = TestDb::new().await;
        let mut rng = Rng::with_seed(seed);
        for _ in 0..6 {
            let count = rng.usize(1..60);
            write(&db, &some_events(&mut rng, count)).await;
            assert_eq!(wrong(&db).await, Vec::<String>::new(), "stale, seed {seed}");
            let behind = stale(&db).await;
            assert_eq!(refresh_stale(&db.pool, 100).await.unwrap() as i64, behind);
            assert_all_stored(&db).await;
        }
    }
}

#[tokio::test]
async fn a_refresh_takes_as_many_as_it_is_told_and_those_first_that_wait_longest() {
    let db = TestDb::new().await;
    for number in 0..5 {
        write(&db, &[an_answer().in_session(session(number)).parse(1)]).await;
    }
    write(&db, &[an_answer().in_session(session(0)).parse(1)]).await;
    assert_eq!(refresh_stale(&db.pool, 3).await.unwrap(), 3);
    let left: Vec<Uuid> =
        sqlx::query_scalar("SELECT session_id FROM stale_sessions ORDER BY session_id")
            .fetch_all(&db.pool)
            .await
            .unwrap();
    assert_eq!(left, [session(3), session(4)]);
}

/// Every stored row of a tenant, and where this copy of it lies.
async fn stored_rows(db: &TestDb, tenant: i32) -> BTreeMap<String, String> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT concat_ws(' ', of, session_id, key), place FROM (
             SELECT 'figures' AS of, tenant_id, session_id, NULL AS key, format('%s %s', xmin, ctid) AS place
             FROM stored_session_figures
             UNION ALL
             SELECT 'question', tenant_id, session_id, question_id, format('%s %s', xmin, ctid)
             FROM stored_session_questions
             UNION ALL
             SELECT 'student', tenant_id, session_id, student_id, format('%s %s', xmin, ctid)
             FROM stored_session_students) AS stored
         WHERE tenant_id = $1",
    )
    .bind(tenant)
    .fetch_all(&db.pool)
    .await
    .unwrap();
    rows.into_iter().collect()
}

#[tokio::test]
async fn a_refresh_writes_only_the_rows_that_changed() {
    let db = TestDb::new().await;
    let mut rng = Rng::with_seed(1);
    write(&db, &some_events(&mut rng, 300)).await;
    refresh_stale(&db.pool, 100).await.unwrap();
    let before = stored_rows(&db, 1).await;

    let (of, question, student) = (session(0), Uuid::from_u128(8), Uuid::from_u128(9));
    let answer = an_answer().in_session(of).of(question).by(student);
    write(&db, &[answer.parse(1)]).await;
    assert_eq!(refresh_stale(&db.pool, 100).await.unwrap(), 1);
    assert_all_stored(&db).await;
    let mut after = stored_rows(&db, 1).await;
    after.retain(|row, place| before.get(row) != Some(place));
    let written: Vec<String> = after.into_keys().collect();
    let expected = [
        format!("figures {of}"),
        format!("question {of} {question}"),
        format!("student {of} {student}"),
    ];
    assert_eq!(written, expected);
}

#[tokio::test]
async fn rows_whose_facts_are_gone_are_deleted() {
    let db = TestDb::new().await;
    let mut rng = Rng::with_seed(2);
    write(&db, &some_events(&mut rng, 300)).await;
    refresh_stale(&db.pool, 100).await.unwrap();
    db.execute(
        "DELETE FROM answers WHERE student_id = '00000000-0000-0003-0000-000000000001';
         DELETE FROM answers WHERE question_id = '00000000-0000-0002-0000-000000000002';
         DELETE FROM publications WHERE question_id = '00000000-0000-0002-0000-000000000002';
         SELECT outdate_sessions(array_agg(tenant_id), array_agg(session_id)) FROM sessions",
    )
    .await;
    let gone = "SELECT (SELECT count(*) FROM stored_session_students
                        WHERE student_id = '00000000-0000-0003-0000-000000000001')
                     + (SELECT count(*) FROM stored_session_questions
                        WHERE question_id = '00000000-0000-0002-0000-000000000002')";
    assert!(db.number(gone).await > 0);
    refresh_stale(&db.pool, 100).await.unwrap();
    assert_eq!(db.number(gone).await, 0);
    assert_all_stored(&db).await;
}

#[tokio::test]
async fn a_session_that_was_deleted_leaves_nothing_stored_even_if_its_facts_stay() {
    let db = TestDb::new().await;
    let lost = session(1);
    for number in 0..3 {
        let publication = a_publication().in_session(session(number));
        let answer = an_answer().in_session(session(number));
        write(&db, &[publication.parse(1), answer.parse(1)]).await;
    }
    refresh_stale(&db.pool, 100).await.unwrap();
    write(&db, &[an_answer().in_session(lost).parse(1)]).await;
    db.execute(&format!("DELETE FROM sessions WHERE session_id = '{lost}'"))
        .await;
    assert_eq!(refresh_stale(&db.pool, 100).await.unwrap(), 1);
    assert_eq!(stale(&db).await, 0);
    for table in ["figures", "questions", "students"] {
        let of = |session| {
            format!("SELECT count(*) FROM stored_session_{table} WHERE session_id = '{session}'")
        };
        assert_eq!(db.number(&of(lost)).await, 0, "{table}");
        assert!(db.number(&of(session(0))).await > 0, "{table}");
    }

    // It comes back with versions that have been used before.
    write(&db, &[an_answer().in_session(lost).parse(1)]).await;
    assert_eq!(refresh_stale(&db.pool, 100).await.unwrap(), 1);
    assert_all_stored(&db).await;
}
