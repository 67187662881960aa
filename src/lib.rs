//! The analytics pipeline of live quizzes.

pub mod auth;
pub mod config;
pub mod event;
pub mod metrics;
pub mod shutdown;
pub mod sink;
pub mod store;
pub mod telemetry;
pub mod tenant;
