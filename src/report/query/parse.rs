//! From the request's JSON to a query that cannot be wrong.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::dimension::{Dimension, Value};
use super::measure::Measure;

/// Longest text of the caller's that a refusal quotes, in characters.
const QUOTED_CHARS_MAX: usize = 100;

/// The body of a request, as it is echoed in the answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Request {
    #[serde(default)]
    measures: Option<Vec<String>>,
    #[serde(default)]
    dimensions: Option<Vec<String>>,
    #[serde(default)]
    filters: Option<BTreeMap<String, String>>,
    #[serde(default)]
    time_range: Option<TimeRange>,
    /// 0 where the request has none.
    #[serde(default, deserialize_with = "zero_for_null")]
    limit: i64,
    #[serde(default)]
    order_by: Option<Vec<OrderBy>>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct TimeRange {
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    end: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct OrderBy {
    #[serde(default)]
    field: String,
    #[serde(default)]
    order: String,
}

fn zero_for_null<'de, D: serde::Deserializer<'de>>(limit: D) -> Result<i64, D::Error> {
    Option::deserialize(limit).map(Option::unwrap_or_default)
}

/// Why a request is no query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuery {
    /// The body cannot be read.
    #[error("{0}")]
    Format(String),
    /// Nothing is asked for.
    #[error("no measures or dimensions")]
    Empty,
    /// Nothing of what is asked for is known.
    #[error("no valid measures or dimensions specified")]
    NothingKnown,
    /// A filter names no dimension.
    #[error("unknown filter {0:?}")]
    UnknownFilter(String),
    /// A filter's value is none of its dimension's.
    #[error("filter {name}: {value:?} is not {expected}")]
    FilterValue {
        /// The dimension.
        name: &'static str,
        /// What was sent.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// An end of the time range is no timestamp.
    #[error("time_range.{end} is not an RFC 3339 timestamp")]
    NotATimestamp {
        /// `start` or `end`.
        end: &'static str,
    },
    /// The time range ends before it starts.
    #[error("time_range.start is after time_range.end")]
    TimeRangeReversed,
    /// The rows are to be ordered by something that is not in them.
    #[error("order_by field {0:?} is not a selected measure or dimension")]
    OrderNotSelected(String),
    /// A direction other than `ASC` and `DESC`.
    #[error("order_by order {0:?} is neither ASC nor DESC")]
    OrderDirection(String),
}

/// What a row shows and can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Dimension(Dimension),
    Measure(Measure),
}

/// A query that can be answered.
#[derive(Debug)]
pub struct Query {
    pub(super) request: Request,
    /// Each once, in the order asked for; so are the dimensions.
    pub(super) measures: Vec<Measure>,
    pub(super) dimensions: Vec<Dimension>,
    pub(super) filters: Vec<(Dimension, Value)>,
    /// Inclusive at both ends.
    pub(super) start: Option<OffsetDateTime>,
    pub(super) end: Option<OffsetDateTime>,
    /// What to order by, and whether the greatest comes first.
    pub(super) order: Vec<(Field, bool)>,
    pub(super) limit: Option<i64>,
    /// Names that are no measure, then names that are no dimension.
    pub(super) ignored: Vec<String>,
}

impl Query {
    /// Reads a request's body.
    ///
    /// # Errors
    /// If it is no query; unknown measures and dimensions are only passed over, as long as one is known.
    pub fn parse(body: &[u8]) -> Result<Self, InvalidQuery> {
        // By way of a map, as a list would do for a struct otherwise.
        let object: serde_json::Map<_, _> = serde_json::from_slice(body)
            .map_err(|error| InvalidQuery::Format(error.to_string()))?;
        let request: Request = serde_json::from_value(object.into())
            .map_err(|error| InvalidQuery::Format(error.to_string()))?;

        let asked = |names: &Option<Vec<String>>| names.clone().unwrap_or_default();
        let (measures, mut ignored) = known(asked(&request.measures), Measure::named);
        let (dimensions, more) = known(asked(&request.dimensions), Dimension::named);
        ignored.extend(more);
        match (measures.len() + dimensions.len(), ignored.len()) {
            (0, 0) => return Err(InvalidQuery::Empty),
            (0, _) => return Err(InvalidQuery::NothingKnown),
            _ => {}
        }
        let order = order(&request, &measures, &dimensions)?;
        let (start, end) = time_range(&request)?;
        Ok(Self {
            filters: filters(&request)?,
            limit: Some(request.limit).filter(|limit| *limit > 0),
            request,
            measures,
            dimensions,
            start,
            end,
            order,
            ignored,
        })
    }
}

/// The known ones, each once, and the names of the others.
fn known<T: PartialEq>(names: Vec<String>, named: fn(&str) -> Option<T>) -> (Vec<T>, Vec<String>) {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        match named(&name) {
            Some(one) if known.contains(&one) => {}
            Some(one) => known.push(one),
            None if unknown.contains(&name) => {}
            None => unknown.push(name),
        }
    }
    (known, unknown)
}

fn filters(request: &Request) -> Result<Vec<(Dimension, Value)>, InvalidQuery> {
    let mut filters = Vec::new();
    for (name, text) in request.filters.iter().flatten() {
        let dimension =
            Dimension::named(name).ok_or_else(|| InvalidQuery::UnknownFilter(quoted(name)))?;
        let value = dimension
            .value(text)
            .map_err(|expected| InvalidQuery::FilterValue {
                name: dimension.name(),
                value: quoted(text),
                expected,
            })?;
        filters.push((dimension, value));
    }
    Ok(filters)
}

type Instants = (Option<OffsetDateTime>, Option<OffsetDateTime>);

/// An empty text counts as absent, as it does in events.
fn time_range(request: &Request) -> Result<Instants, InvalidQuery> {
    let Some(range) = &request.time_range else {
        return Ok((None, None));
    };
    let instant = |text: &Option<String>, end| match text.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => OffsetDateTime::parse(text, &Rfc3339)
            .map(Some)
            .map_err(|_| InvalidQuery::NotATimestamp { end }),
    };
    let (start, end) = (instant(&range.start, "start")?, instant(&range.end, "end")?);
    if start > end && end.is_some() {
        return Err(InvalidQuery::TimeRangeReversed);
    }
    Ok((start.map(up_to_microsecond), end.map(down_to_microsecond)))
}

/// The store keeps whole microseconds: an answer is not before `at` if it is not before the next whole one.
fn up_to_microsecond(at: OffsetDateTime) -> OffsetDateTime {
    match at.nanosecond() % 1_000 {
        0 => at,
        below => at.saturating_add(Duration::nanoseconds(1_000 - i64::from(below))),
    }
}

fn down_to_microsecond(at: OffsetDateTime) -> OffsetDateTime {
    at - Duration::nanoseconds(i64::from(at.nanosecond() % 1_000))
}

fn order(
    request: &Request,
    measures: &[Measure],
    dimensions: &[Dimension],
) -> Result<Vec<(Field, bool)>, InvalidQuery> {
    let mut order: Vec<(Field, bool)> = Vec::new();
    for by in request.order_by.iter().flatten() {
        let measure = Measure::named(&by.field)
            .filter(|measure| measures.contains(measure))
            .map(Field::Measure);
        let dimension = Dimension::named(&by.field)
            .filter(|dimension| dimensions.contains(dimension))
            .map(Field::Dimension);
        let field = measure
            .or(dimension)
            .ok_or_else(|| InvalidQuery::OrderNotSelected(quoted(&by.field)))?;
        let descending = match by.order.to_ascii_uppercase().as_str() {
            "" | "ASC" => false,
            "DESC" => true,
            _ => return Err(InvalidQuery::OrderDirection(quoted(&by.order))),
        };
        // A field that comes again cannot order anything any more.
        if !order.iter().any(|(earlier, _)| *earlier == field) {
            order.push((field, descending));
        }
    }
    Ok(order)
}

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Query, InvalidQuery> {
        Query::parse(body.as_bytes())
    }

    #[test]
    fn known_names_are_taken_once_and_in_order_and_others_are_listed() {
        let query = parse(
            r#"{"measures": ["x", "total_answers", "accuracy_rate", "total_answers", "x"],
                "dimensions": ["total_answers", "question_id"]}"#,
        )
        .unwrap();
        assert_eq!(
            query.measures,
            [Measure::TotalAnswers, Measure::AccuracyRate]
        );
        assert_eq!(query.dimensions, [Dimension::QuestionId]);
        assert_eq!(query.ignored, ["x", "total_answers"]);
    }

    #[test]
    fn a_start_between_two_microseconds_is_the_later_one() {
        let start = |text: &str| {
            let body = format!(
                r#"{{"measures": ["total_answers"], "time_range": {{"start": "{text}"}}}}"#
            );
            parse(&body).unwrap().start.unwrap().nanosecond()
        };
        assert_eq!(start("2025-06-20T12:00:00.000001001Z"), 2_000);
        assert_eq!(start("2025-06-20T12:00:00.000001000Z"), 1_000);
        assert_eq!(start("9999-12-31T23:59:59.999999999Z"), 999_999_999);
    }

    #[test]
    fn a_repeated_order_counts_once() {
        let query = parse(
            r#"{"measures": ["total_answers"], "order_by":
                [{"field": "total_answers", "order": "desc"}, {"field": "total_answers"}]}"#,
        )
        .unwrap();
        let by = Field::Measure(Measure::TotalAnswers);
        assert_eq!(query.order, [(by, true)]);
    }
}
