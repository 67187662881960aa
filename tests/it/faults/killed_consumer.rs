//! The consumer killed in the middle of its work, and started again.

use uuid::Uuid;

use crate::harness::event::{a_publication, a_start, an_answer};
use crate::harness::private::RECOVERY;
use crate::harness::program::Launch;
use crate::harness::rows::{differences, lasting_rows};
use crate::harness::{App, PATIENCE, Setup, TestDb, Topics, eventually};

const SESSIONS: usize = 30;
const ANSWERS: usize = 200;

/// The events of one session, all of them about one question.
fn session_events() -> Vec<serde_json::Value> {
    let (session, question) = (Uuid::new_v4(), Uuid::new_v4());
    let start = a_start().in_session(session);
    let publication = a_publication()
        .in_session(session)
        .of(question)
        .with_key("B");
    let answers = (0..ANSWERS).map(|second| {
        an_answer()
            .in_session(session)
            .of(question)
            .at_second(second as i64)
    });
    [start, publication]
        .into_iter()
        .chain(answers)
        .map(Into::into)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_killed_in_the_middle_of_a_load_leaves_exact_counts_after_its_restart() {
    let topics = Topics::new().await;
    let (by_kafka, direct) = (TestDb::new().await, TestDb::new().await);
    let app = App::by_kafka(&by_kafka, &topics).await;
    let reference = Setup::on(&direct.url()).start().await;
    for _ in 0..SESSIONS / 10 {
        let events: Vec<_> = (0..10).flat_map(|_| session_events()).collect();
        let body = app.post_batch(events.clone()).await.expect(201);
        assert_eq!(
            (&body["mode"], &body["processed_count"]),
            (&"kafka".into(), &events.len().into())
        );
        reference.post_batch(events).await.expect(201);
    }

    let small_batches = || {
        Launch::consumer(&by_kafka.url(), &topics)
            .with("KAFKA_BATCH_RECORDS_MAX", "20")
            .with("KAFKA_BATCH_AGE_MS", "1")
    };
    let total = (SESSIONS * ANSWERS) as i64;
    let answers = "SELECT count(*) FROM answers";
    let mut consumer = small_batches().start().await;
    eventually("a part is stored", RECOVERY, || async {
        by_kafka.number(answers).await >= total / 4
    })
    .await;
    consumer.signal("KILL");
    consumer.ended(PATIENCE).await;
    let so_far = by_kafka.number(answers).await;
    assert!(
        so_far < total,
        "{so_far} of {total}: the kill was not in the middle"
    );

    let mut consumer = small_batches().start().await;
    topics.drained(RECOVERY).await;
    consumer.signal("TERM");
    assert!(consumer.ended(PATIENCE).await.success());

    let mut rows = lasting_rows(&by_kafka.pool).await;
    rows.remove("consumer_progress");
    let different = differences(&rows, &lasting_rows(&direct.pool).await);
    assert!(different.is_empty(), "{different}");
    assert!(topics.dead_letters().await.is_empty());
}
