//! Too much at once: bounded queues answer 503 with `Retry-After`, and what was taken is kept.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{assert_none_is_missing, stored};
use crate::harness::client::token_of;
use crate::harness::event::an_answer;
use crate::harness::load::{Load, acknowledged};
use crate::harness::{PATIENCE, Reply, Setup, TestDb, eventually};
use analytics_ingestor::auth::Role;

const QUEUE: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_answers_503_at_once_and_what_it_holds_is_stored() {
    let db = TestDb::new().await;
    let app = Setup::on(&db.url())
        .with("direct-queue-events-max", QUEUE)
        // A post that waited for the database would not be answered in this test.
        .with("database-write-timeout-ms", 10 * PATIENCE.as_millis())
        .start()
        .await;
    app.post_event(an_answer()).await.expect(201);
    let mut blocker = db.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE answers IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *blocker)
        .await
        .unwrap();

    let load = Load::start(&app, 4 * QUEUE);
    load.more(100, PATIENCE, |sent| sent.status() == Some(503))
        .await;
    let refused = load.sent();
    assert!(
        refused.iter().all(|sent| sent.status() == Some(503)),
        "nothing can be stored now"
    );
    for refused in &refused {
        assert_eq!(refused.retry_after.as_deref(), Some("1"));
    }

    blocker.rollback().await.unwrap();
    load.more(QUEUE, PATIENCE, |sent| sent.is("direct")).await;
    let sent = load.stop().await;
    assert_none_is_missing(&acknowledged(&sent), &stored(&db).await);
    assert_eq!(
        db.number("SELECT count(*) FROM answers").await,
        acknowledged(&sent).len() as i64 + 1
    );
}

#[tokio::test]
async fn a_batch_larger_than_the_queue_is_taken_when_the_queue_is_empty() {
    let db = TestDb::new().await;
    let app = Setup::on(&db.url())
        .with("direct-queue-events-max", QUEUE)
        .start()
        .await;
    let body = app
        .post_batch((0..10 * QUEUE).map(|_| an_answer().json()))
        .await
        .expect(201);
    assert_eq!(body["processed_count"], 10 * QUEUE);
}

#[tokio::test]
async fn bodies_share_one_memory_budget_and_a_request_beyond_it_is_503() {
    let db = TestDb::new().await;
    let app = Setup::on(&db.url())
        .with("http-body-memory-bytes-max", 100 * 1024)
        .start()
        .await;
    let batch_of = |kib: usize| format!("[]{}", " ".repeat(kib * 1024 - 2));
    let post = async |kib| Reply::of(app.batch(1).body(batch_of(kib))).await;
    post(80).await.expect(201);
    let reply = post(120).await;
    reply.refuses(503, "overloaded", None);
    assert_eq!(reply.header("retry-after"), Some("1"));

    // A client that has sent most of its body holds memory until it sends the rest or leaves.
    let mut slow = half_sent(app.base(), 80 * 1024).await;
    eventually("the slow client's bytes are counted", PATIENCE, || async {
        post(80).await.status == 503
    })
    .await;
    post(10).await.expect(201);
    slow.write_all(b"[]").await.unwrap();
    let mut answer = [0; 12];
    slow.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 201");
    post(80).await.expect(201);

    let slow = half_sent(app.base(), 80 * 1024).await;
    eventually("the slow client's bytes are counted", PATIENCE, || async {
        post(80).await.status == 503
    })
    .await;
    drop(slow);
    eventually("a client that left holds nothing", PATIENCE, || async {
        post(80).await.status == 201
    })
    .await;
}

/// A batch request that lacks the last two bytes of its body.
async fn half_sent(base: &str, bytes: usize) -> TcpStream {
    let address = base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/events/batch HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Length: {bytes}\r\n\r\n",
        token_of(1, Role::Writer)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
        .write_all(" ".repeat(bytes - 2).as_bytes())
        .await
        .unwrap();
    stream
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let db = TestDb::new().await;
    let app = Setup::on(&db.url())
        .with("http-body-timeout-ms", 200)
        .start()
        .await;
    let mut slow = half_sent(app.base(), 1024).await;
    let mut answer = [0; 12];
    slow.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}
