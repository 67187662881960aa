//! The analytics pipeline of live quizzes.

pub mod event;
pub mod tenant;
