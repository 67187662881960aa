//! Both stores away for long, under a load that never lets up: memory is bounded, and `Retry-After` follows the breaker.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::harness::client::{Client, token_of};
use crate::harness::event::an_answer;
use crate::harness::load::Load;
use crate::harness::program::Launch;
use crate::harness::{Gate, PATIENCE, Reply};
use analytics_ingestor::auth::Role;

/// Long enough for several values of `Retry-After` between two probes.
const BREAKER_OPEN_SECONDS: u64 = 4;
const SINGLES: usize = 16;
const BATCHES: usize = 4;
const WARM_UP: Duration = Duration::from_secs(8);
const OUTAGE: Duration = Duration::from_secs(25);

/// How both stores are away.
#[derive(Debug, Clone, Copy)]
enum Away {
    /// Connections are refused.
    Refusing,
    /// Connections are accepted, and nothing answers on them.
    Silent,
}

/// Posts batches of events one after the other, for events are held in batches, too.
async fn post_batches(client: Client, until: CancellationToken) {
    let token = token_of(1, Role::Writer);
    while !until.is_cancelled() {
        let body: Value = (0..200).map(|_| an_answer().json()).collect();
        let request = client.post("/api/events/batch").bearer_auth(&token);
        let reply = Reply::of(request.json(&body)).await;
        assert_eq!(reply.status, 503);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn is_borne(how: Away) {
    let [database, broker] = match how {
        Away::Refusing => [Gate::closed(), Gate::closed()],
        Away::Silent => [Gate::silent(), Gate::silent()],
    };
    let server = Launch::server(&format!("postgres://nobody:x@{}/none", database.address()))
        .with("KAFKA_ENABLED", "true")
        .with("KAFKA_BROKERS", &broker.address().to_string())
        .with(
            "KAFKA_BREAKER_OPEN_MS",
            &(BREAKER_OPEN_SECONDS * 1_000).to_string(),
        )
        .start()
        .await;
    let stop = CancellationToken::new();
    let batches: Vec<_> = (0..BATCHES)
        .map(|_| tokio::spawn(post_batches(server.client().clone(), stop.clone())))
        .collect();
    let load = Load::start(server.client(), SINGLES);
    let began = Instant::now();
    load.more(1, PATIENCE, |sent| sent.at > began + WARM_UP)
        .await;
    let warm = server.resident_bytes();
    let mut most = warm;
    while began.elapsed() < WARM_UP + OUTAGE {
        tokio::time::sleep(Duration::from_millis(200)).await;
        most = most.max(server.resident_bytes());
    }
    let sent = load.stop().await;
    stop.cancel();
    for batches in batches {
        batches.await.unwrap();
    }

    let count = sent.len();
    assert!(count > 1_000, "{count} posts are no load");
    println!(
        "{how:?}: {count} posts refused, {} MiB warm, {} MiB at most",
        warm >> 20,
        most >> 20
    );
    // What is allocated differs from second to second; what grows with the posts would pass any bound.
    assert!(
        most < 2 * warm + (64 << 20),
        "memory grew from {warm} to {most} bytes over {count} posts"
    );
    let mut waits = BTreeSet::new();
    for refused in &sent {
        assert_eq!(refused.status(), Some(503), "{refused:?}");
        let wait = refused.retry_after.as_ref().expect("a 503 says when");
        waits.insert(wait.parse::<u64>().expect("it is a number of seconds"));
    }
    assert!(
        waits
            .iter()
            .all(|wait| (1..=BREAKER_OPEN_SECONDS).contains(wait)),
        "{waits:?}"
    );
    assert!(
        waits.len() >= 3,
        "it does not follow the breaker: {waits:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_refuse_connections_cost_no_memory() {
    is_borne(Away::Refusing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_never_answer_cost_no_memory() {
    is_borne(Away::Silent).await;
}
