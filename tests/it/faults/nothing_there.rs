//! Both stores down: a quick refusal that says when to try again, and a recovery without a restart.

use std::time::Duration;

use serde_json::json;

use super::{assert_none_is_missing, stored};
use crate::harness::event::an_answer;
use crate::harness::load::{Load, acknowledged};
use crate::harness::private::{RECOVERY, Services};
use crate::harness::topic::Running;
use crate::harness::{PATIENCE, Setup, Topics};

const PRODUCE_DEADLINE: Duration = Duration::from_secs(1);
const CLIENTS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_stores_down_is_a_quick_503_and_each_path_recovers_by_itself() {
    let services = Services::take().await;
    let db = services.database().await;
    let topics = Topics::at(&services.brokers().await).await;
    let consumer = Running::start(&topics, &db.url());
    let app = Setup::on(&db.url())
        .through(&topics)
        .with("kafka-produce-deadline-ms", PRODUCE_DEADLINE.as_millis())
        .start()
        .await;
    let load = Load::start(&app, CLIENTS);
    load.more(50, PATIENCE, |sent| sent.is("kafka")).await;

    services.stop_postgres().await;
    services.kill_kafka();
    load.more(CLIENTS, PATIENCE, |sent| sent.status() == Some(503))
        .await;
    let noticed = load.sent().len();
    load.more(300, PATIENCE, |sent| sent.status() == Some(503))
        .await;
    let while_down = load.sent().split_off(noticed);
    for refused in &while_down {
        assert_eq!(refused.status(), Some(503), "{refused:?}");
        let wait: u64 = refused
            .retry_after
            .as_ref()
            .expect("a 503 says when to try again")
            .parse()
            .unwrap();
        assert!((1..=10).contains(&wait), "{refused:?}");
    }
    // What finds the breaker open and the database paused is refused at once; only probes of either wait.
    let mut waits: Vec<Duration> = while_down.iter().map(|refused| refused.took).collect();
    waits.sort_unstable();
    assert!(
        waits[waits.len() / 2] < Duration::from_millis(200),
        "{waits:?}"
    );
    let longest = waits[waits.len() - 1];
    assert!(
        longest < PRODUCE_DEADLINE + Duration::from_secs(4),
        "{longest:?}"
    );

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
    load.more(20, Duration::from_secs(15), |sent| sent.is("direct"))
        .await;
    services.start_kafka().await;
    load.more(20, Duration::from_secs(10), |sent| sent.is("kafka"))
        .await;
    let sent = load.stop().await;
    topics.drained(RECOVERY).await;
    assert_none_is_missing(&acknowledged(&sent), &stored(&db).await);
    consumer.stop().await;
}
