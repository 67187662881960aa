//! The analytics pipeline of live quizzes: events in by HTTP, through Kafka or straight into PostgreSQL, reports out.
//!
//! Data flows one way, and a module only imports from those to its right:
//!
//! ```text
//! write   bin → http → sink → store, kafka-toolkit → event        bin → consumer → store → event
//! read    bin → http → report → PostgreSQL
//! ```
//!
//! `docs/ARCHITECTURE.md` walks an event, a poison message and a report through it.

/// Who may do what: tokens, scopes, roles, passwords, the rules of an account.
pub mod auth;
/// Every setting of every program, and nothing else that reads the environment.
pub mod config;
/// From the topic into PostgreSQL: what a batch of records means.
pub mod consumer;
/// The operator's tool: one subcommand a file.
pub mod ctl;
/// What an event is: pure rules, from client JSON and from the topic's envelope.
pub mod event;
/// The HTTP API: routes, extractors, the one map from errors to answers.
pub mod http;
/// Every metric: names, help, labels.
pub mod metrics;
/// The reports, one file each, and what they share.
pub mod report;
/// Signals turned into a token that everything long-running watches.
pub mod shutdown;
/// Where accepted events go: direct, Kafka, and when one stands in for the other.
pub mod sink;
/// PostgreSQL: the schema, the connections, the one door for events, accounts and tenants.
pub mod store;
/// Logs and metrics of a process, installed once.
pub mod telemetry;
/// The tenant that every row and every query belongs to.
pub mod tenant;
