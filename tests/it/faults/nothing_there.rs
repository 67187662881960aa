//! Both stores down: a quick refusal that says when to try again, and a recovery without a restart.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{assert_few_refusals_waited, assert_none_is_missing, stored};
use crate::harness::event::an_answer;
use crate::harness::load::{Load, acknowledged};
use crate::harness::private::{RECOVERY, Services};
use crate::harness::topic::Running;
use crate::harness::{PATIENCE, Setup, Topics};

const PRODUCE_DEADLINE: Duration = Duration::from_secs(1);
const CLIENTS: usize = 24;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_stores_down_is_a_quick_503_and_each_path_recovers_by_itself() {
    let services = Services::take().await;
    let db = services.database().await;
    let topics = Topics::at(&services.brokers().await).await;
    let consumer = Running::start(&topics, &db.url());
    let setup = || {
        Setup::on(&db.url())
            .through(&topics)
            .with("kafka-produce-deadline-ms", PRODUCE_DEADLINE.as_millis())
    };
    let app = setup().start().await;
    let load = Load::start(&app, CLIENTS);
    load.more(50, PATIENCE, |sent| sent.is("kafka")).await;

    services.stop_postgres().await;
    services.kill_kafka();
    load.more(2 * CLIENTS, PATIENCE, |sent| sent.status() == Some(503))
        .await;
    assert_refusals_are_quick(&load).await;

    // A server that starts now has nothing to start with, and waits for it.
    let late = setup().start().await;
    assert_eq!(late.get("/livez").await.status, 200);
    late.post_event(an_answer()).await.expect(503);

    let batch = app
        .post_batch([an_answer().json(), an_answer().without("answer").json()])
        .await;
    let body = batch.expect(503);
    let statuses: Vec<_> = body["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| &result["status"])
        .collect();
    assert_eq!(statuses, ["unavailable", "invalid"]);
    assert!(batch.header("retry-after").is_some());
    assert_eq!(app.get("/readyz").await.status, 503);
    let health = app.get("/health").await.expect(200);
    assert_eq!(
        json!([health["kafka"], health["database"]]),
        json!(["down", "down"])
    );

    services.start_postgres().await;
    load.more(20, PATIENCE, |sent| sent.is("direct")).await;
    services.start_kafka().await;
    load.more(20, PATIENCE, |sent| sent.is("kafka")).await;
    let sent = load.stop().await;
    assert_eq!(
        late.post_event(an_answer()).await.expect(201)["mode"],
        "kafka"
    );
    topics.drained(RECOVERY).await;
    assert_none_is_missing(&acknowledged(&sent), &stored(&db).await);
    consumer.stop().await;
}

/// Every refusal says when to try again, and hardly any waits.
async fn assert_refusals_are_quick(load: &Load) {
    let (began, lasts) = (Instant::now(), Duration::from_secs(5));
    load.more(1, PATIENCE, |sent| sent.at > began + lasts).await;
    let sent = load.sent();
    let refused: Vec<_> = sent.iter().filter(|sent| sent.at >= began).collect();
    for refused in &refused {
        assert_eq!(refused.status(), Some(503), "{refused:?}");
        let wait = refused
            .retry_after
            .as_ref()
            .expect("a 503 says when to try again");
        let wait: u64 = wait.parse().expect("it is a number of seconds");
        assert!((1..=10).contains(&wait), "{refused:?}");
    }
    assert_few_refusals_waited(&refused, PRODUCE_DEADLINE);
}
