//! The generic query of contract section 9.

mod dimension;
mod measure;
mod plan;

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use self::dimension::Dimension;
use self::measure::Measure;
use super::clock::{Micros, in_zone};
use super::model::{Attempt, Model};
use super::number::Fraction;
use super::reports::accuracy;

pub(super) use self::plan::{QueryPlan, a_query};

/// A query whose filters are known to concern something.
#[derive(Debug, Clone)]
pub(super) struct Query {
    measures: Vec<Measure>,
    dimensions: Vec<Dimension>,
    /// Names that mean nothing, first of measures, then of dimensions.
    unknown: [Option<&'static str>; 2],
    filters: Vec<(Dimension, Value)>,
    start: Option<Micros>,
    end: Option<Micros>,
    /// Minutes ahead of UTC in which both are written.
    zone: i16,
    order_by: Vec<(&'static str, &'static str)>,
    limit: usize,
}

/// The answers that share the values of the dimensions.
struct Group<'m> {
    values: Vec<Value>,
    /// Namesakes stay apart.
    student: Option<Uuid>,
    answers: Vec<&'m Attempt>,
}

impl Query {
    pub(super) fn body(&self) -> Value {
        let names = |known: Vec<&'static str>, unknown: Option<&'static str>| -> Vec<&str> {
            known.into_iter().chain(unknown).collect()
        };
        let [unknown_measure, unknown_dimension] = self.unknown;
        let measures = self.measures.iter().map(|measure| measure.name()).collect();
        let dimensions = self.dimensions.iter().map(|dimension| dimension.name());
        let mut body = json!({
            "measures": names(measures, unknown_measure),
            "dimensions": names(dimensions.collect(), unknown_dimension),
        });
        if !self.filters.is_empty() {
            let filters = self.filters.iter().map(|(dimension, value)| {
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                (dimension.name().to_owned(), Value::from(text))
            });
            body["filters"] = Value::Object(filters.collect());
        }
        let mut range = Map::new();
        for (name, at) in [("start", self.start), ("end", self.end)] {
            if let Some(at) = at {
                range.insert(name.to_owned(), in_zone(at, self.zone).into());
            }
        }
        if !range.is_empty() {
            body["time_range"] = Value::Object(range);
        }
        if !self.order_by.is_empty() {
            let order = self.order_by.iter();
            let order = order.map(|(field, order)| json!({"field": field, "order": order}));
            body["order_by"] = order.collect();
        }
        if self.limit > 0 {
            body["limit"] = self.limit.into();
        }
        body
    }

    /// What the server has to answer.
    pub(super) fn expected(&self, model: &Model) -> Value {
        let body = self.body();
        let mut data = self.data(model);
        if self.limit > 0 {
            data.truncate(self.limit);
        }
        let values = self.filters.iter().filter_map(|(_, value)| value.as_str());
        let mut range = body["time_range"].clone();
        if range.is_object() {
            // An end that is left out is echoed as null.
            for name in ["start", "end"] {
                range[name] = range[name].take();
            }
        }
        let ignored: Vec<&str> = self.unknown.iter().flatten().copied().collect();
        json!({
            "query": {
                "measures": body["measures"],
                "dimensions": body["dimensions"],
                "filters": body["filters"],
                "time_range": range,
                "order_by": body["order_by"],
                "limit": self.limit,
            },
            "count": data.len(),
            "data": data,
            "generated_sql": {"$sql_without": values.collect::<Vec<&str>>()},
            "ignored": ignored,
        })
    }

    fn data(&self, model: &Model) -> Vec<Value> {
        let answers = self.filtered(model);
        let mut groups = self.groups(model, &answers);
        groups.sort_by(|one, other| {
            let values = one.values.iter().zip(&other.values);
            values
                .map(|(one, other)| ascending(one, other))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
                .then(one.student.cmp(&other.student))
        });
        let mut rows: Vec<Map<String, Value>> = groups
            .iter()
            .map(|group| {
                let dimensions = self.dimensions.iter().zip(&group.values);
                let measures = self.measures.iter();
                dimensions
                    .map(|(dimension, value)| (dimension.name().to_owned(), value.clone()))
                    .chain(measures.map(|measure| {
                        let value = measure.of(&group.answers, model, &self.names(group));
                        (measure.name().to_owned(), value)
                    }))
                    .collect()
            })
            .collect();
        rows.sort_by(|one, other| {
            self.order_by
                .iter()
                .map(|(field, order)| {
                    let (one, other) = (&one[*field], &other[*field]);
                    let is_descending = order.eq_ignore_ascii_case("DESC");
                    let ascending = ascending(one, other);
                    // Nulls stay last in both directions.
                    if is_descending && !one.is_null() && !other.is_null() {
                        ascending.reverse()
                    } else {
                        ascending
                    }
                })
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        });
        rows.into_iter().map(Value::Object).collect()
    }

    /// What the query says about each answer of a group: its dimensions and its filters.
    fn names(&self, group: &Group<'_>) -> Vec<(Dimension, Value)> {
        let values = group.values.iter().cloned();
        let dimensions = self.dimensions.iter().copied().zip(values);
        dimensions.chain(self.filters.iter().cloned()).collect()
    }

    /// The answers within the range for which all filters hold. How well a student does is judged by those that the
    /// other filters leave.
    fn filtered<'m>(&self, model: &'m Model) -> Vec<&'m Attempt> {
        let mut answers: Vec<&Attempt> = model
            .answers
            .iter()
            .filter(|answer| self.start.is_none_or(|start| start <= answer.at))
            .filter(|answer| self.end.is_none_or(|end| answer.at <= end))
            .collect();
        let mut filters: Vec<&(Dimension, Value)> = self.filters.iter().collect();
        filters.sort_by_key(|(dimension, _)| *dimension == Dimension::PerformanceLevel);
        for (dimension, value) in filters {
            let levels = levels(&answers);
            answers.retain(|answer| dimension.of(answer, model, &levels) == *value);
        }
        answers
    }

    fn groups<'m>(&self, model: &'m Model, answers: &[&'m Attempt]) -> Vec<Group<'m>> {
        let levels = levels(answers);
        let mut groups: Vec<Group<'m>> = Vec::new();
        if self.dimensions.is_empty() {
            groups.push(Group {
                values: Vec::new(),
                student: None,
                answers: Vec::new(),
            });
        }
        for answer in answers {
            let dimensions = self.dimensions.iter();
            let values: Vec<Value> = dimensions
                .map(|dimension| dimension.of(answer, model, &levels))
                .collect();
            let names_student = self.dimensions.contains(&Dimension::StudentName);
            let student = names_student.then_some(answer.student);
            let group = groups
                .iter_mut()
                .find(|group| group.values == values && group.student == student);
            match group {
                Some(group) => group.answers.push(answer),
                None => groups.push(Group {
                    values,
                    student,
                    answers: vec![answer],
                }),
            }
        }
        groups
    }
}

/// How well each student does in these answers.
type Levels = Vec<(Uuid, Fraction)>;

fn levels(answers: &[&Attempt]) -> Levels {
    let students: BTreeSet<Uuid> = answers.iter().map(|answer| answer.student).collect();
    students
        .into_iter()
        .map(|student| {
            let own = answers.iter().copied();
            let own: Vec<&Attempt> = own.filter(|answer| answer.student == student).collect();
            (student, accuracy(&own))
        })
        .collect()
}

/// Nulls last; texts by code point.
fn ascending(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        (one, other) => one
            .as_f64()
            .partial_cmp(&other.as_f64())
            .expect("figures are numbers"),
    }
}
