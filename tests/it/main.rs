//! The tests that need services: real PostgreSQL, real Apache Kafka, real HTTP. One file a behaviour.
//!
//! `DATABASE_URL` names the PostgreSQL server, on which each test makes a database of its own, and `KAFKA_BROKERS` the
//! broker (localhost:9092 by default). Tests that stop services start a second PostgreSQL and a second Kafka for it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't go on should stop where it is"
)]

mod harness;

mod accounts;
mod batch_bodies;
mod batches;
mod catalogue;
mod convergence;
mod ctl;
mod docs;
mod faults;
mod garbage;
mod ground_rules;
mod operations;
mod oracle;
mod poisoned_batches;
mod refresh;
mod refused_events;
mod reports;
mod sessions;
mod single_events;
mod spool;
mod store_writes;
mod tokens;
