//! The generic query of contract 9: measures by dimensions over the answers that filters leave.
//!
//! A request is read into closed enums (`measure`, `dimension`) and bound values (`parse`); no text of the
//! caller's reaches the SQL. One statement, hence one snapshot, answers it, made of four steps:
//!
//! 1. `cells`: sums over the answers that share the dimensions and whatever else is counted distinctly. They come from
//!    the answers, or from the sessions' figures where these tell as much: the four `grain`s have the same columns.
//!    `filters` say which answers, `join` and `tables` hold what may have to be looked up for them.
//! 2. `part` and `part_sql`: from cells to `figure`s per group, each part with the set that it counts over (answers, students,
//!    sessions, pairs of session and student, …). Every figure is defined once, whatever grain it is fed from.
//! 3. `measure`: from figures to measures, exact until each is rounded once.
//! 4. `statement` puts the text together, `answer` runs it and writes the rows.

mod answer;
mod cells;
mod dimension;
mod figure;
mod filters;
mod grain;
mod join;
mod measure;
mod parse;
mod part;
mod part_sql;
mod statement;
mod tables;

pub use self::answer::{QueryAnswer, QueryError, answer};
pub use self::parse::{InvalidQuery, Query, Request};

/// Most rows in an answer.
pub const ROWS_MAX: i64 = 10_000;
