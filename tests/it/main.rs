//! The tests that need services: real PostgreSQL, real Apache Kafka, real HTTP. One file a behaviour.

mod harness;

mod accounts;
mod batches;
mod convergence;
mod ctl;
mod faults;
mod garbage;
mod ground_rules;
mod operations;
mod refused_events;
mod reports;
mod single_events;
mod store_writes;
mod tokens;
