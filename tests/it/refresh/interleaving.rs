//! A writer, a second refresher or the end of the process between any two steps of a refresh.

use analytics_ingestor::store::figures::refresh_stale;
use analytics_ingestor::store::{self, Purpose};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use tokio::time::timeout;

use super::altered::{BEFORE_CLEARING, BEFORE_STORING, Gate};
use super::world::{assert_all_stored, session, stale, write, wrong};
use crate::harness::event::{a_publication, an_answer};
use crate::harness::{PATIENCE, TestDb, eventually};

const NOTHING: [String; 0] = [];

/// A database with two sessions that are behind.
async fn two_sessions() -> TestDb {
    let db = TestDb::new().await;
    for number in 0..2 {
        let publication = a_publication().in_session(session(number)).with_key("A");
        let answer = an_answer().in_session(session(number));
        write(&db, &[publication.parse(1), answer.parse(1)]).await;
    }
    db
}

/// A pool as the programs use it for refreshing.
fn pool(db: &TestDb) -> PgPool {
    store::connect_lazy(&db.config(), Purpose::Refresh).expect("the URL is well formed")
}

/// How many sessions a refresh brings up, which must not wait for anybody.
async fn refresh(db: &TestDb) -> usize {
    let pool = pool(db);
    let refreshing = timeout(PATIENCE, refresh_stale(&pool, 100)).await;
    refreshing.expect("it waits for nobody").unwrap()
}

/// Runs statements on a connection that has a transaction open.
async fn run(connection: &mut PgConnection, statements: String) -> Result<(), sqlx::Error> {
    let run = sqlx::raw_sql(AssertSqlSafe(statements));
    run.execute(connection).await.map(|_| ())
}

async fn marked(db: &TestDb, number: u8) -> bool {
    let of = session(number);
    let query = format!("SELECT count(*) FROM stale_sessions WHERE session_id = '{of}'");
    db.number(&query).await == 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fact_that_comes_after_the_figures_were_computed_leaves_its_session_behind() {
    let db = two_sessions().await;
    db.execute("UPDATE stale_sessions SET since = now() - interval '1 hour'")
        .await;
    let gate = Gate::before(&db, BEFORE_CLEARING).await;
    let pool = pool(&db);
    let refreshing = tokio::spawn(async move { refresh_stale(&pool, 100).await });
    gate.reached().await;
    assert_eq!(wrong(&db).await, NOTHING);
    write(&db, &[an_answer().in_session(session(0)).parse(1)]).await;
    gate.open().await;
    assert_eq!(refreshing.await.unwrap().unwrap(), 2);

    assert!(marked(&db, 0).await);
    assert!(!marked(&db, 1).await);
    assert_eq!(wrong(&db).await, NOTHING);
    let restarted =
        "SELECT count(*) FROM stale_sessions WHERE since > now() - interval '30 minutes'";
    assert_eq!(
        db.number(restarted).await,
        1,
        "it is behind since then only"
    );
    assert_eq!(refresh(&db).await, 1);
    assert_all_stored(&db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fact_that_comes_after_the_lock_is_among_the_figures() {
    let db = two_sessions().await;
    let gate = Gate::before(&db, BEFORE_STORING).await;
    let pool = pool(&db);
    let refreshing = tokio::spawn(async move { refresh_stale(&pool, 100).await });
    gate.reached().await;
    write(&db, &[an_answer().in_session(session(0)).parse(1)]).await;
    assert_eq!(wrong(&db).await, NOTHING);
    gate.open().await;
    assert_eq!(refreshing.await.unwrap().unwrap(), 2);
    assert_all_stored(&db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_is_killed_has_done_nothing_wherever_it_was() {
    for place in [BEFORE_STORING, BEFORE_CLEARING] {
        let db = two_sessions().await;
        let gate = Gate::before(&db, place).await;
        let pool = pool(&db);
        let refreshing = tokio::spawn(async move { refresh_stale(&pool, 100).await });
        let pid = gate.reached().await;
        db.execute(&format!("SELECT pg_terminate_backend({pid})"))
            .await;
        assert!(refreshing.await.unwrap().is_err(), "{place}");
        assert_eq!(stale(&db).await, 2, "{place}");
        let stored = "SELECT (SELECT count(*) FROM stored_session_figures)
                           + (SELECT count(*) FROM stored_session_questions)
                           + (SELECT count(*) FROM stored_session_students)";
        assert_eq!(db.number(stored).await, 0, "{place}");
        assert_eq!(wrong(&db).await, NOTHING, "{place}");
        gate.open().await;
        assert_eq!(refresh(&db).await, 2, "{place}");
        assert_all_stored(&db).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_has_not_committed_is_neither_waited_for_nor_forgotten() {
    let db = two_sessions().await;
    let mut writer = db.pool.begin().await.unwrap();
    let of = session(0);
    let insert = format!(
        "INSERT INTO answers (session_id, event_id, question_id, student_id, answer, submitted_at)
             VALUES ('{of}', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'A', now());
             SELECT outdate_sessions('{{1}}', '{{{of}}}')"
    );
    run(&mut writer, insert).await.unwrap();
    assert_eq!(refresh(&db).await, 2);
    assert!(marked(&db, 0).await);
    assert!(!marked(&db, 1).await);
    assert_eq!(wrong(&db).await, NOTHING);
    writer.commit().await.unwrap();
    assert!(marked(&db, 0).await);
    assert_eq!(wrong(&db).await, NOTHING);
    assert_eq!(refresh(&db).await, 1);
    assert_all_stored(&db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_another_refresher_holds_is_left_to_it() {
    let db = two_sessions().await;
    let mut other = db.pool.begin().await.unwrap();
    let of = session(0);
    let hold = format!("SELECT refresh_sessions('{{1}}', '{{{of}}}')");
    run(&mut other, hold).await.unwrap();
    assert_eq!(refresh(&db).await, 1);
    assert!(marked(&db, 0).await, "the other has not committed");
    assert!(!marked(&db, 1).await);
    assert_eq!(wrong(&db).await, NOTHING);
    other.rollback().await.unwrap();
    assert_eq!(refresh(&db).await, 1);
    assert_all_stored(&db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_meets_a_mark_about_to_go_makes_a_new_one() {
    let db = two_sessions().await;
    let mut refresher = db.pool.begin().await.unwrap();
    let of = session(0);
    let hold = format!("SELECT refresh_sessions('{{1}}', '{{{of}}}')");
    run(&mut refresher, hold).await.unwrap();
    let late = an_answer().in_session(of).parse(1);
    let writer = db.writer(1);
    let writing = tokio::spawn(async move { writer.write_batch(&[late], None).await });
    let waiting = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("the writer waits for the commit", PATIENCE, || async {
        db.number(waiting).await == 1
    })
    .await;
    refresher.commit().await.unwrap();
    writing.await.unwrap().expect("the database takes events");
    assert!(marked(&db, 0).await);
    assert_eq!(wrong(&db).await, NOTHING);
    assert_eq!(refresh(&db).await, 2);
    assert_all_stored(&db).await;
}

#[tokio::test]
async fn a_snapshot_that_is_older_than_the_lock_is_refused() {
    let db = two_sessions().await;
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let mut transaction = db.pool.begin().await.unwrap();
        let begin = format!("SET TRANSACTION ISOLATION LEVEL {level}");
        run(&mut transaction, begin).await.unwrap();
        let refresh = "SELECT refresh_sessions('{}', '{}')".to_owned();
        assert!(run(&mut transaction, refresh).await.is_err(), "{level}");
    }
}
