//! Kafka stopped under load: no request fails, few wait, nothing is lost, and Kafka is used again when it is back.

use std::time::{Duration, Instant};

use super::{assert_none_is_missing, stored};
use crate::harness::load::{Load, Sent, acknowledged, assert_no_request_failed};
use crate::harness::private::{RECOVERY, Services};
use crate::harness::topic::Running;
use crate::harness::{PATIENCE, Setup, TestDb, Topics};

const CLIENTS: usize = 12;
const PRODUCE_DEADLINE: Duration = Duration::from_millis(1_500);
const BREAKER_OPEN: Duration = Duration::from_millis(1_000);

/// How often the breaker probes and fails, at least.
const CYCLES: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    /// Connections are refused.
    Killed,
    /// Connections are accepted, and nothing answers.
    Frozen,
}

async fn is_survived(outage: Outage) {
    let services = Services::take().await;
    let topics = Topics::at(&services.brokers().await).await;
    let db = TestDb::new().await;
    let consumer = Running::start(&topics, &db.url());
    let app = Setup::on(&db.url())
        .through(&topics)
        .with("kafka-produce-deadline-ms", PRODUCE_DEADLINE.as_millis())
        .with("kafka-breaker-open-ms", BREAKER_OPEN.as_millis())
        .start()
        .await;
    let load = Load::start(&app, CLIENTS);
    load.more(100, PATIENCE, |sent| sent.is("kafka")).await;

    let broke = Instant::now();
    match outage {
        Outage::Killed => services.kill_kafka(),
        Outage::Frozen => services.freeze_kafka(),
    }
    // The load goes on beside the breaker's probes.
    load.more(CLIENTS + 100, PATIENCE, |sent| sent.is("direct"))
        .await;
    let cycle = PRODUCE_DEADLINE + BREAKER_OPEN;
    load.more(1, PATIENCE, |sent| sent.at > broke + CYCLES * cycle)
        .await;

    match outage {
        Outage::Killed => services.start_kafka().await,
        Outage::Frozen => services.thaw_kafka(),
    }
    let back = Instant::now();
    load.more(1, PATIENCE, |sent| sent.at > back && sent.is("kafka"))
        .await;
    load.more(100, PATIENCE, |sent| sent.is("kafka")).await;
    let sent = load.stop().await;

    assert_no_request_failed(&sent);
    assert_few_waited(&sent, back - broke);
    topics.drained(RECOVERY).await;
    assert_none_is_missing(&acknowledged(&sent), &stored(&db).await);
    let rows = db.number("SELECT count(*) FROM answers").await;
    assert_eq!(
        rows,
        sent.len() as i64,
        "an event is stored twice or was never posted"
    );
    consumer.stop().await;
}

/// Only what was in flight when Kafka failed, and one probe per cycle of the breaker, may wait for the deadline.
#[track_caller]
fn assert_few_waited(sent: &[Sent], outage: Duration) {
    let slow = sent
        .iter()
        .filter(|sent| sent.took >= PRODUCE_DEADLINE.mul_f64(0.9))
        .count();
    let probes = outage.as_millis() / (PRODUCE_DEADLINE + BREAKER_OPEN).as_millis() + 2;
    // Should the machine stand still for that long, all that is in flight waits as well; were every client let through
    // in each cycle, more would.
    let standstills = 2;
    let allowed = (1 + standstills) * CLIENTS + usize::try_from(probes).unwrap();
    let all = sent.len();
    assert!(
        slow <= allowed,
        "{slow} of {all} posts waited for the deadline, {allowed} may"
    );
    assert!(
        slow >= 1,
        "the outage was not noticed: what is measured here did not happen"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_costs_no_event_and_no_request() {
    is_survived(Outage::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_broker_costs_no_event_and_no_request() {
    is_survived(Outage::Frozen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_does_not_wait_out_the_deadline() {
    const DEADLINE: Duration = Duration::from_secs(12);
    let services = Services::take().await;
    let topics = Topics::at(&services.brokers().await).await;
    let db = TestDb::new().await;
    let app = Setup::on(&db.url())
        .through(&topics)
        .with("kafka-produce-deadline-ms", DEADLINE.as_millis())
        .start()
        .await;
    let load = Load::start(&app, 150);
    load.more(300, PATIENCE, |sent| sent.is("kafka")).await;
    services.freeze_kafka();
    load.more(300, PATIENCE, |sent| sent.is("direct")).await;
    services.thaw_kafka();
    let sent = load.stop().await;

    assert_no_request_failed(&sent);
    let longest = sent.iter().map(|sent| sent.took).max().unwrap();
    assert!(
        (DEADLINE / 2..DEADLINE).contains(&longest),
        "they waited for {longest:?}"
    );
}
