//! What the tests stand on: databases, topics, the application, its programs, and waiting for a condition.
//!
//! Owns everything that a test makes and must leave behind as it was. Judges nothing: that is the tests' work.

pub(crate) mod app;
pub(crate) mod cleanup;
pub(crate) mod client;
pub(crate) mod database;
pub(crate) mod event;
pub(crate) mod gate;
pub(crate) mod load;
pub(crate) mod port;
pub(crate) mod private;
pub(crate) mod program;
pub(crate) mod rows;
pub(crate) mod samples;
pub(crate) mod stand;
pub(crate) mod stream;
pub(crate) mod topic;
pub(crate) mod wait;

pub(crate) use app::{App, Setup};
pub(crate) use client::Reply;
pub(crate) use database::TestDb;
pub(crate) use gate::Gate;
pub(crate) use stand::Stand;
pub(crate) use topic::Topics;
pub(crate) use wait::{PATIENCE, eventually};
