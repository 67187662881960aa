//! The real server with a spool, killed at any moment, on a disk that fails, and with a neighbour on the same directory.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use uuid::Uuid;

use super::{a_directory, files};
use crate::harness::event::an_answer;
use crate::harness::load::{Load, acknowledged};
use crate::harness::private::{RECOVERY, Services};
use crate::harness::program::{Launch, Program};
use crate::harness::topic::Running;
use crate::harness::{Gate, PATIENCE, TestDb, Topics, eventually};

const CLIENTS: usize = 16;

fn spooling(launch: Launch, directory: &Path) -> Launch {
    launch.with("SPOOL_DIR", directory.to_str().unwrap())
}

async fn is_drained(server: &Program) {
    eventually("the spool is empty", RECOVERY, || async {
        server.client().get("/health").await.json()["spool"] == "empty"
    })
    .await;
}

/// Everything acknowledged is stored, and nothing twice.
async fn assert_each_is_stored_once(db: &TestDb, acknowledged: &BTreeSet<Uuid>) {
    let stored: Vec<Uuid> = sqlx::query_scalar("SELECT event_id FROM answers WHERE tenant_id = 1")
        .fetch_all(&db.pool)
        .await
        .unwrap();
    let distinct: BTreeSet<Uuid> = stored.iter().copied().collect();
    assert_eq!(stored.len(), distinct.len(), "an event is stored twice");
    let missing = acknowledged.difference(&distinct).count();
    assert_eq!(missing, 0, "of {} acknowledged", acknowledged.len());
}

/// Kills a server under load, in the middle of spooling and in the middle of draining, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_spools_and_while_it_drains_it_loses_nothing_and_doubles_nothing() {
    let (db, directory, gate) = (TestDb::new().await, a_directory(), Gate::closed());
    let launch = || spooling(Launch::server(&gate.before(&db.url())), directory.path());
    let mut all = BTreeSet::new();
    for round in 0..8 {
        let mut server = launch().start().await;
        let load = Load::start(server.client(), CLIENTS);
        if round % 4 == 3 {
            // Some of what the rounds before have left is delivered, and some is not.
            gate.open_to(&db.url());
            load.more(20, PATIENCE, |sent| sent.is("direct")).await;
        } else {
            gate.close();
            load.more(100 + 37 * round, PATIENCE, |sent| sent.is("spool"))
                .await;
        }
        server.signal("KILL");
        assert!(!server.ended(PATIENCE).await.success());
        all.extend(acknowledged(&load.stop().await));
    }
    assert!(all.len() > 1_000, "{}", all.len());
    gate.open_to(&db.url());
    let server = launch().start().await;
    is_drained(&server).await;
    assert_each_is_stored_once(&db, &all).await;
    assert!(files(directory.path(), ".spool").is_empty());
    assert!(
        files(directory.path(), ".damaged").is_empty(),
        "{:#?}",
        server.log()
    );
}

/// The same with the stores themselves stopped and started, in Kafka mode.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_both_stores_stopped_nothing_is_refused_and_everything_arrives() {
    let services = Services::take().await;
    let db = services.database().await;
    let topics = Topics::at(&services.brokers().await).await;
    let consumer = Running::start(&topics, &db.url());
    let directory = a_directory();
    let launch = || {
        let launch = Launch::server(&db.url())
            .on(&topics)
            .with("KAFKA_ENABLED", "true");
        spooling(launch, directory.path())
    };
    let mut server = launch().start().await;
    let mut load = Load::start(server.client(), CLIENTS);
    load.more(100, PATIENCE, |sent| sent.is("kafka")).await;
    services.stop_postgres().await;
    services.kill_kafka();
    load.more(300, PATIENCE, |sent| sent.is("spool")).await;
    let mut all = BTreeSet::new();
    for _ in 0..2 {
        server.signal("KILL");
        server.ended(PATIENCE).await;
        let sent = load.stop().await;
        let refused = sent.iter().filter(|sent| sent.status() == Some(503));
        assert_eq!(refused.count(), 0, "the spool has room");
        all.extend(acknowledged(&sent));
        server = launch().start().await;
        load = Load::start(server.client(), CLIENTS);
        load.more(100, PATIENCE, |sent| sent.is("spool")).await;
    }
    services.start_postgres().await;
    load.more(50, RECOVERY, |sent| sent.is("direct")).await;
    is_drained(&server).await;
    services.start_kafka().await;
    load.more(50, RECOVERY, |sent| sent.is("kafka")).await;
    let sent = load.stop().await;
    assert!(sent.iter().all(|sent| sent.status() == Some(201)));
    all.extend(acknowledged(&sent));
    topics.drained(RECOVERY).await;
    assert_each_is_stored_once(&db, &all).await;
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_it_keeps_the_spool_and_says_so() {
    let (directory, gate) = (a_directory(), Gate::closed());
    let url = format!("postgres://nobody:x@{}/none", gate.address());
    let mut server = spooling(Launch::server(&url), directory.path())
        .start()
        .await;
    for _ in 0..3 {
        server.client().post_event(an_answer()).await.expect(201);
    }
    server.signal("TERM");
    assert!(server.ended(PATIENCE).await.success());
    let said = server
        .log()
        .into_iter()
        .find(|line| line.contains("stay in the spool"));
    assert!(said.unwrap().contains("events=3"));

    let server = spooling(Launch::server(&url), directory.path())
        .start()
        .await;
    assert_eq!(
        server.client().get("/health").await.json()["spool_events"],
        3
    );
}

/// Writes past a limit of the process fail as writes to a full disk do, with another number.
fn limit_file_size(server: &Program, bytes: &str) {
    let limited = Command::new("prlimit")
        .args([
            format!("--pid={}", server.pid()),
            format!("--fsize={bytes}:unlimited"),
        ])
        .status()
        .expect("prlimit is part of util-linux");
    assert!(limited.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_takes_nothing_is_a_503_and_is_used_again_when_it_does() {
    let (db, directory, gate) = (TestDb::new().await, a_directory(), Gate::closed());
    let launch = Launch::server(&gate.before(&db.url())).ignoring("XFSZ");
    let server = spooling(launch, directory.path()).start().await;
    let load = Load::start(server.client(), CLIENTS);
    load.more(200, PATIENCE, |sent| sent.is("spool")).await;
    for limit in ["0", "20000"] {
        // Zero: not even a new file can be begun. A few kilobytes: a write ends in the middle of a record.
        limit_file_size(&server, limit);
        load.more(100, PATIENCE, |sent| sent.status() == Some(503))
            .await;
        limit_file_size(&server, "unlimited");
        load.more(200, PATIENCE, |sent| sent.is("spool")).await;
    }
    let sent = load.stop().await;
    for refused in sent.iter().filter(|sent| sent.status() != Some(201)) {
        assert_eq!(refused.status(), Some(503), "{refused:?}");
        assert!(refused.retry_after.is_some());
    }
    let metrics = server.client().get("/metrics").await.text;
    let failures = metrics
        .lines()
        .find_map(|line| line.strip_prefix("ingestor_spool_failures_total "))
        .expect("failures are counted");
    assert!(failures.parse::<u64>().unwrap() >= 2, "{failures}");
    gate.open_to(&db.url());
    is_drained(&server).await;
    assert_each_is_stored_once(&db, &acknowledged(&sent)).await;
    let left = files(directory.path(), "");
    let unexpected = left.iter().filter(|file| !file.ends_with("lock"));
    assert_eq!(unexpected.count(), 0, "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_spool_under_load_costs_no_memory() {
    let (directory, gate) = (a_directory(), Gate::closed());
    let url = format!("postgres://nobody:x@{}/none", gate.address());
    let launch = Launch::server(&url).with("SPOOL_BYTES_MAX", "1000000");
    let server = spooling(launch, directory.path()).start().await;
    let load = Load::start(server.client(), CLIENTS);
    load.more(500, PATIENCE, |sent| sent.status() == Some(503))
        .await;
    let warm = server.resident_bytes();
    load.more(3_000, 4 * PATIENCE, |sent| sent.status() == Some(503))
        .await;
    let then = server.resident_bytes();
    assert!(then < 2 * warm + (32 << 20), "{warm} bytes, then {then}");
    let on_disk = files(directory.path(), ".spool");
    let on_disk: u64 = on_disk
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .sum();
    assert!((900_000..=1_000_000).contains(&on_disk), "{on_disk}");
    load.stop().await;
}

#[tokio::test]
async fn two_servers_cannot_share_a_directory_and_the_second_says_why() {
    let (directory, gate) = (a_directory(), Gate::closed());
    let url = format!("postgres://nobody:x@{}/none", gate.address());
    let first = spooling(Launch::server(&url), directory.path())
        .start()
        .await;
    let refused = async |directory: &Path| {
        let launch = spooling(Launch::server(&url), directory);
        let (status, log) = launch.run_to_its_end().await;
        assert!(!status.success());
        log
    };
    let log = refused(directory.path()).await;
    assert!(log.contains("in use by another process"), "{log}");
    let log = refused(&directory.path().join("lock")).await;
    assert!(
        log.contains("SPOOL_DIR") && log.contains("a directory"),
        "{log}"
    );
    assert_eq!(first.client().get("/livez").await.status, 200);
}
