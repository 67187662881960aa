//! The analytics pipeline of live quizzes.

pub mod auth;
pub mod config;
pub mod consumer;
pub mod event;
pub mod http;
pub mod metrics;
pub mod report;
pub mod shutdown;
pub mod sink;
pub mod store;
pub mod telemetry;
pub mod tenant;
