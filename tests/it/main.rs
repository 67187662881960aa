//! The tests that need services: real PostgreSQL, real Apache Kafka, real HTTP. One file a behaviour.

mod harness;

mod accounts;
mod tokens;
