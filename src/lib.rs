//! The analytics pipeline of live quizzes: events in by HTTP, through Kafka or straight into PostgreSQL, reports out.
//!
//! Data flows one way, and a module only imports from those to its right:
//!
//! ```text
//! write   bin → http → sink → store, kafka-toolkit → event        bin → consumer → store → event
//! read    bin → http → report → PostgreSQL                        bin → ctl → replay → consumer → store
//! ```
//!
//! - [`event`]: what an event is; pure rules, from client JSON and from the topic's envelope.
//! - [`catalogue`]: what quizzes and classrooms are, with their keys and rosters; pure rules.
//! - [`store`]: PostgreSQL; the schema, the connections, the one door for events, catalogue, accounts, tenants.
//! - [`sink`]: where accepted events go; direct, Kafka, and when one stands in for the other.
//! - [`spool`]: a log on the local disk, for what no store takes at the moment.
//! - [`consumer`]: from the topic into PostgreSQL; what a batch of records means.
//! - [`completeness`]: whether every record of the topic has come to one of its ends; [`offsets`]: sets of offsets.
//! - [`replay`]: events from the topic into PostgreSQL once more, beside the consumers.
//! - [`refresh`]: keeps the stored figures of sessions up with their facts, in the background.
//! - [`report`]: the reports, one file each, and what they share.
//! - [`auth`]: who may do what; tokens, scopes, roles, passwords, the rules of an account.
//! - [`http`]: the API; routes, extractors, the one map from errors to answers.
//! - [`ctl`]: the operator's tool, one subcommand a file.
//! - [`tenant`]: the tenant that every row and every query belongs to.
//! - [`config`], [`metrics`], [`telemetry`], [`shutdown`]: settings, metric names, logs, signals.
//!
//! `docs/ARCHITECTURE.md` walks an event, a poison message and a report through it.

pub mod auth;
pub mod catalogue;
pub mod completeness;
pub mod config;
pub mod consumer;
pub mod ctl;
pub mod event;
pub mod http;
pub mod metrics;
pub mod offsets;
pub mod refresh;
pub mod replay;
pub mod report;
pub mod shutdown;
pub mod sink;
pub mod spool;
pub mod store;
pub mod telemetry;
pub mod tenant;
