//! What must hold while something is broken: services stopped, processes killed, records that are no events, too much
//! at once.

mod database_away;
mod fencing;
mod kafka_away;
mod killed_consumer;
mod long_outage;
mod nothing_there;
mod overload;
mod poison;
mod rebalances;
mod replay;
mod rolling_consumers;
mod rolling_restart;
mod stopping;
mod stuck;

use std::collections::BTreeSet;
use std::time::Duration;

use uuid::Uuid;

use crate::harness::TestDb;
use crate::harness::load::Sent;

/// The answers in the database, each of which is one event.
async fn stored(db: &TestDb) -> BTreeSet<Uuid> {
    let ids: Vec<Uuid> = sqlx::query_scalar("SELECT event_id FROM answers WHERE tenant_id = 1")
        .fetch_all(&db.pool)
        .await
        .unwrap();
    ids.into_iter().collect()
}

/// How many answers there are; each is one event, so more than events would be doubles.
async fn rows(db: &TestDb) -> usize {
    let rows = db.number("SELECT count(*) FROM answers WHERE tenant_id = 1");
    rows.await.try_into().unwrap()
}

/// Whether every acknowledged event is there; says how many are not.
#[track_caller]
fn assert_none_is_missing(acknowledged: &BTreeSet<Uuid>, stored: &BTreeSet<Uuid>) {
    let missing = acknowledged.difference(stored).count();
    assert_eq!(
        missing,
        0,
        "acknowledged events that are not stored, of {}",
        acknowledged.len()
    );
}

/// One post at a time finds out for all the others whether a store is back: hardly any refusal takes as long as `finding_out`
/// does. A share and no number, as a machine that stands still for that long makes every client wait once.
#[track_caller]
fn assert_few_refusals_waited(refused: &[&Sent], finding_out: Duration) {
    let slow = refused
        .iter()
        .filter(|sent| sent.took >= finding_out.mul_f64(0.9))
        .count();
    let all = refused.len();
    assert!(slow * 10 <= all, "{slow} of {all} refusals waited");
}
