//! The refresher of the programs: whom it refreshes when, whom it makes way for, and what it says about it.

use std::time::Duration;

use analytics_ingestor::config::RefreshConfig;
use analytics_ingestor::refresh::Refresher;
use analytics_ingestor::store::figures::{Due, get_backlog, list_due, refresh_stale};
use uuid::Uuid;

use super::world::{assert_all_stored, session, write};
use crate::harness::client::Client;
use crate::harness::event::{a_publication, an_answer};
use crate::harness::private::{RECOVERY, Services};
use crate::harness::program::Launch;
use crate::harness::{PATIENCE, TestDb, Topics, eventually};

const AT_ONCE: RefreshConfig = RefreshConfig {
    refresh_enabled: true,
    refresh_quiet_ms: 0,
    refresh_stale_max_ms: 0,
};

fn start(db: &TestDb, config: RefreshConfig) -> Refresher {
    let refresher = Refresher::start(&db.config(), config).expect("the URL is well formed");
    refresher.expect("it is switched on")
}

async fn answer_in(db: &TestDb, number: u8) {
    write(db, &[an_answer().in_session(session(number)).parse(1)]).await;
}

async fn is_stale(db: &TestDb, number: u8) -> bool {
    let of = session(number);
    let query = format!("SELECT count(*) FROM stale_sessions WHERE session_id = '{of}'");
    db.number(&query).await > 0
}

/// Makes a session look as if it had been behind, and quiet, for so many seconds.
async fn age(db: &TestDb, number: u8, behind: i64, quiet: i64) {
    let of = session(number);
    db.execute(&format!(
        "UPDATE stale_sessions SET since = now() - interval '{behind} s', touched_at = now() - interval '{quiet} s'
         WHERE session_id = '{of}'"
    ))
    .await;
}

#[tokio::test]
async fn a_session_is_due_when_it_is_quiet_or_has_been_behind_for_long() {
    let db = TestDb::new().await;
    // In thousands of seconds, which no pause of this test comes near.
    for (number, behind, quiet) in [(0, 1, 1), (1, 15, 5), (2, 40, 1), (3, 60, 1), (4, 3, 3)] {
        answer_in(&db, number).await;
        age(&db, number, behind * 1_000, quiet * 1_000).await;
    }
    let stale = Duration::from_secs(30_000);
    let after = |quiet| Due { quiet, stale };
    let thousand = |thousand: u64| Some(Duration::from_secs(thousand * 1_000));
    for (due, without, expected) in [
        (after(thousand(2)), vec![], vec![3, 2, 1, 4]),
        (after(thousand(4)), vec![], vec![3, 2, 1]),
        (after(None), vec![], vec![3, 2]),
        (after(None), vec![3], vec![2]),
        (after(thousand(2)), vec![2, 1], vec![3, 4]),
    ] {
        let keys = |numbers: Vec<u8>| -> Vec<(i32, Uuid)> {
            numbers.into_iter().map(|n| (1, session(n))).collect()
        };
        let listed = list_due(&db.pool, due, &keys(without), 10).await.unwrap();
        assert_eq!(listed, keys(expected), "{due:?}");
    }
    let of_two = list_due(&db.pool, after(thousand(2)), &[], 2)
        .await
        .unwrap();
    assert_eq!(of_two, [(1, session(3)), (1, session(2))]);
}

#[tokio::test]
async fn a_session_counts_as_behind_from_the_first_fact_that_is_not_stored() {
    let db = TestDb::new().await;
    let nobody = get_backlog(&db.pool).await.unwrap();
    assert_eq!((nobody.sessions, nobody.oldest_seconds), (0, 0.0));
    answer_in(&db, 0).await;
    age(&db, 0, 100, 100).await;
    answer_in(&db, 0).await;
    answer_in(&db, 1).await;
    let behind = get_backlog(&db.pool).await.unwrap();
    assert_eq!(behind.sessions, 2);
    assert!((100.0..4_000.0).contains(&behind.oldest_seconds));

    refresh_stale(&db.pool, 10).await.unwrap();
    answer_in(&db, 0).await;
    let behind = get_backlog(&db.pool).await.unwrap();
    assert_eq!(behind.sessions, 1);
    assert!(behind.oldest_seconds < 100.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_an_event_is_written_only_what_has_been_behind_for_long_is_refreshed() {
    let db = TestDb::new().await;
    for number in 0..3 {
        answer_in(&db, number).await;
    }
    let writing = db.write_pool(1);
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&writing)
        .await
        .unwrap();
    assert!(!get_backlog(&db.pool).await.unwrap().is_writing);
    let write = tokio::spawn(async move {
        let slow = sqlx::query("SELECT pg_sleep(3600)").execute(&writing).await;
        assert!(slow.is_err(), "it is cancelled");
    });
    eventually("a write is seen", PATIENCE, || async {
        get_backlog(&db.pool).await.unwrap().is_writing
    })
    .await;
    let refresher = start(
        &db,
        RefreshConfig {
            refresh_stale_max_ms: 90_000,
            ..AT_ONCE
        },
    );
    // The second one is found by a later look, which would have found whatever else the first one listed.
    for late in [1, 2] {
        age(&db, late, 100, 100).await;
        eventually("the late session is refreshed", PATIENCE, || async {
            !is_stale(&db, late).await
        })
        .await;
    }
    assert!(is_stale(&db, 0).await);

    db.execute(&format!("SELECT pg_cancel_backend({pid})"))
        .await;
    write.await.unwrap();
    eventually("the quiet session is refreshed", PATIENCE, || async {
        !is_stale(&db, 0).await
    })
    .await;
    assert_all_stored(&db).await;
    refresher.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_whose_figures_cannot_be_computed_does_not_keep_the_others_behind() {
    let db = TestDb::new().await;
    let question = Uuid::from_u128(7);
    let mut events = vec![a_publication()];
    events.extend([an_answer(), an_answer()]);
    let drafts = events.into_iter();
    let events: Vec<_> = drafts
        .map(|draft| draft.in_session(session(0)).of(question).parse(1))
        .collect();
    write(&db, &events).await;
    // A latency past all bounds, which no events that are let in can have.
    db.execute("UPDATE publications SET published_at = '0001-01-01'")
        .await;
    db.execute("UPDATE answers SET submitted_at = '294000-01-01'")
        .await;
    for number in 1..4 {
        answer_in(&db, number).await;
    }
    age(&db, 0, 1_000, 1_000).await;
    assert!(refresh_stale(&db.pool, 10).await.is_err());

    let refresher = start(&db, AT_ONCE);
    eventually("the others are refreshed", PATIENCE, || async {
        get_backlog(&db.pool).await.unwrap().sessions == 1
    })
    .await;
    assert!(is_stale(&db, 0).await);
    refresher.stop().await;
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let db = TestDb::new().await;
    let off = RefreshConfig {
        refresh_enabled: false,
        ..AT_ONCE
    };
    assert!(Refresher::start(&db.config(), off).unwrap().is_none());
}

/// The value of a metric without labels.
async fn metric(client: &Client, name: &str) -> Option<f64> {
    let metrics = client.get("/metrics").await;
    let line = metrics
        .text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|value| value.parse().expect("a metric is a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_and_consumer_refresh_and_count_what_they_did() {
    let topics = Topics::new().await;
    for is_server in [true, false] {
        let db = TestDb::new().await;
        let launch = if is_server {
            Launch::server(&db.url())
        } else {
            Launch::consumer(&db.url(), &topics)
        };
        let mut program = launch.with("REFRESH_QUIET_MS", "0").start().await;
        for number in 0..3 {
            answer_in(&db, number).await;
        }
        eventually("all is refreshed", PATIENCE, || async {
            metric(program.client(), "ingestor_refresh_sessions_total").await == Some(3.0)
        })
        .await;
        assert_all_stored(&db).await;
        eventually("nothing is behind", PATIENCE, || async {
            metric(program.client(), "ingestor_refresh_sessions_behind").await == Some(0.0)
        })
        .await;
        for (name, expected) in [
            ("ingestor_refresh_oldest_seconds", Some(0.0)),
            ("ingestor_refresh_sessions_postponed_total", Some(0.0)),
        ] {
            assert_eq!(metric(program.client(), name).await, expected, "{name}");
        }
        let groups = metric(program.client(), "ingestor_refresh_seconds_count").await;
        assert!(groups >= Some(1.0), "{groups:?}");
        program.signal("TERM");
        assert!(program.ended(PATIENCE).await.success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_away_is_waited_for_and_said_once() {
    let services = Services::take().await;
    let db = services.database().await;
    let server = Launch::server(&db.url())
        .with("REFRESH_QUIET_MS", "0")
        .start()
        .await;
    let said = |part: &str| {
        let log = server.log();
        log.iter().filter(|line| line.contains(part)).count()
    };
    answer_in(&db, 0).await;
    eventually("it refreshes", PATIENCE, || async {
        !is_stale(&db, 0).await
    })
    .await;
    services.stop_postgres().await;
    eventually("it misses the database", PATIENCE, || async {
        said("are not refreshed") > 0
    })
    .await;
    services.start_postgres().await;
    answer_in(&db, 1).await;
    eventually("it refreshes again", RECOVERY, || async {
        said("refreshed again") > 0 && !is_stale(&db, 1).await
    })
    .await;
    assert_eq!((said("are not refreshed"), said("refreshed again")), (1, 1));
    assert_all_stored(&db).await;
}

const LOAD: &str =
    "INSERT INTO answers (session_id, event_id, question_id, student_id, answer, submitted_at)
     SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'A', now()
     FROM generate_series(1, 20000)";

/// A database whose server analyzes no answers by itself, and a refresher that has looked at it.
async fn without_analysis() -> (TestDb, Refresher) {
    let db = TestDb::new().await;
    db.execute("ALTER TABLE answers SET (autovacuum_enabled = off)")
        .await;
    let refresher = start(&db, AT_ONCE);
    answer_in(&db, 0).await;
    eventually("it has looked at small tables", PATIENCE, || async {
        !is_stale(&db, 0).await
    })
    .await;
    assert!(!is_load_known(&db).await);
    (db, refresher)
}

async fn is_load_known(db: &TestDb) -> bool {
    let known =
        "SELECT count(*) FROM pg_class WHERE oid = 'answers'::regclass AND reltuples > 19000";
    db.number(known).await == 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_grows_before_the_server_analyzes_it_is_analyzed() {
    let (db, refresher) = without_analysis().await;
    db.execute(LOAD).await;
    eventually("the planner knows them", PATIENCE, || is_load_known(&db)).await;
    refresher.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_was_analyzed_in_the_middle_of_its_load_is_analyzed_again() {
    let (db, refresher) = without_analysis().await;
    let mut load = db.pool.begin().await.unwrap();
    sqlx::raw_sql(LOAD).execute(&mut *load).await.unwrap();
    eventually("it is analyzed", PATIENCE, || async {
        let analyzed = "SELECT count(pg_stat_get_last_analyze_time('answers'::regclass))";
        db.number(analyzed).await == 1
    })
    .await;
    load.commit().await.unwrap();
    assert!(!is_load_known(&db).await);
    eventually("the planner knows them", PATIENCE, || is_load_known(&db)).await;
    refresher.stop().await;
}
