//! Group offsets set back with Kafka's own tool: the topic is read again and no row changes.

use uuid::Uuid;

use crate::harness::event::{a_publication, a_start, an_answer, an_end};
use crate::harness::rows::{differences, exact_rows};
use crate::harness::topic::Running;
use crate::harness::{App, PATIENCE, TestDb, Topics};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_set_back_to_the_beginning_change_no_row() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    let app = App::by_kafka(&db, &topics).await;
    let mut events = Vec::new();
    for _ in 0..20 {
        let (session, question) = (Uuid::new_v4(), Uuid::new_v4());
        events.push(a_start().in_session(session));
        events.push(
            a_publication()
                .in_session(session)
                .of(question)
                .with_key("B"),
        );
        events.extend((0..20).map(|_| an_answer().in_session(session).of(question)));
        events.push(an_end().in_session(session).at_second(600));
    }
    let body = app
        .post_batch(events.iter().map(Into::into))
        .await
        .expect(201);
    assert_eq!(body["mode"], "kafka");
    let consumer = Running::start(&topics, &db.url());
    topics.drained(PATIENCE).await;
    consumer.stop().await;
    let mut before = exact_rows(&db.pool).await;
    assert_eq!(before["answers"].len(), 400);

    topics
        .reset_offsets(&topics.events, &["--to-earliest"])
        .await;
    assert_eq!(
        topics.lag().await,
        events.len() as i64,
        "everything is to be read again"
    );
    let consumer = Running::start(&topics, &db.url());
    topics.drained(PATIENCE).await;
    consumer.stop().await;
    let mut after = exact_rows(&db.pool).await;
    for rows in [&mut before, &mut after] {
        assert!(!rows.remove("consumer_progress").unwrap().is_empty());
    }
    let different = differences(&before, &after);
    assert!(different.is_empty(), "{different}");
}
