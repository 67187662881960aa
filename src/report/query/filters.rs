//! The conditions of a query, as text over the rows of a source and placeholders.

use std::collections::BTreeSet;

use super::dimension::{Dimension, Value};
use super::grain::{Grain, Keys};
use super::join::Join;
use super::parse::Query;

/// A bound value.
#[derive(Debug, Clone)]
pub(super) enum Bind {
    Value(Value),
    Instant(time::OffsetDateTime),
    Count(i64),
}

/// One filter, with the placeholder of its value.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) dimension: Dimension,
    value: Value,
    pub(super) placeholder: String,
}

/// The conditions of a query.
pub(super) struct Filters<'a> {
    by_dimension: Vec<Filter>,
    /// Over the answers' own time.
    times: Vec<String>,
    /// What a publication must match.
    pub(super) publications: String,
    query: &'a Query,
}

impl Filter {
    /// The condition over a source. A name is looked up first where that can be done, so that ids and their indexes
    /// pick the rows; the name of what has none cannot be looked up.
    fn sql(&self, grain: Grain) -> String {
        match self.dimension.lookup(&self.value) {
            Some(lookup) => format!(
                "{}.{id} = ANY (ARRAY(SELECT {id} FROM {} WHERE tenant_id = $1 AND {} = {}))",
                if lookup.id == "student_id" {
                    "a"
                } else {
                    grain.session()
                },
                lookup.table,
                lookup.name,
                self.placeholder,
                id = lookup.id,
            ),
            None => format!(
                "{} = {}",
                self.dimension.filter_sql(grain),
                self.placeholder
            ),
        }
    }

    fn join(&self) -> Option<Join> {
        match self.dimension.lookup(&self.value) {
            Some(lookup) if lookup.id == "student_id" => None,
            Some(_) => Some(Join::Session),
            None => self.dimension.filter_join(),
        }
    }

    /// Whether the session's figures alone can judge it.
    fn is_of_session(&self) -> bool {
        let is_known =
            self.dimension == Dimension::SessionId || self.dimension.lookup(&self.value).is_some();
        is_known && self.dimension.keys() == Keys::SESSION
    }
}

impl<'a> Filters<'a> {
    pub(super) fn bound(query: &'a Query, binds: &mut Vec<Bind>) -> Self {
        let mut bind = |value| {
            binds.push(value);
            format!("${}", binds.len() + 1)
        };
        let by_dimension: Vec<_> = query
            .filters
            .iter()
            .map(|(dimension, value)| Filter {
                dimension: *dimension,
                value: value.clone(),
                placeholder: bind(Bind::Value(value.clone())),
            })
            .collect();
        let mut times = Vec::new();
        if let Some(start) = query.start {
            times.push(format!("a.submitted_at >= {}", bind(Bind::Instant(start))));
        }
        if let Some(end) = query.end {
            times.push(format!("a.submitted_at <= {}", bind(Bind::Instant(end))));
        }
        Self {
            publications: publications_sql(&query.dimensions, &by_dimension),
            by_dimension,
            times,
            query,
        }
    }

    /// What dimensions and filters must be able to tell apart.
    pub(super) fn keys(&self) -> Keys {
        let times = if self.times.is_empty() {
            Keys::SESSION
        } else {
            Keys::ANSWER
        };
        self.by_dimension
            .iter()
            .map(|filter| filter.dimension)
            .chain(self.query.dimensions.iter().copied())
            .fold(times, |keys, dimension| keys | dimension.keys())
    }

    /// Whether the query groups or filters by the dimension.
    pub(super) fn concern(&self, dimension: Dimension) -> bool {
        self.query.dimensions.contains(&dimension)
            || self
                .by_dimension
                .iter()
                .any(|filter| filter.dimension == dimension)
    }

    /// What is joined to a source, called `a`, and which of its rows are left, tenant included. A student's performance
    /// is measured over what all other filters leave, so it can only be a condition of what comes after that.
    pub(super) fn sql(
        &self,
        grain: Grain,
        joins: &BTreeSet<Join>,
        with_performance: bool,
    ) -> String {
        let chosen: Vec<_> = self
            .by_dimension
            .iter()
            .filter(|filter| with_performance || filter.dimension != Dimension::PerformanceLevel)
            .collect();
        let mut needed = joins.clone();
        needed.extend(chosen.iter().filter_map(|filter| filter.join()));
        let before: Vec<_> = needed.iter().filter_map(|join| join.needs()).collect();
        needed.extend(before);
        let joins: String = needed
            .iter()
            .map(|join| join.sql(grain))
            .filter(|sql| !sql.is_empty())
            .map(|sql| format!("\n    {sql}"))
            .collect();
        let conditions: String = chosen
            .iter()
            .map(|filter| filter.sql(grain))
            .chain(self.times.iter().cloned())
            .map(|condition| format!("\n      AND {condition}"))
            .collect();
        format!("{joins}\n    WHERE a.tenant_id = $1{conditions}")
    }

    /// Those conditions that the sessions' figures, called `a`, can judge: they spare reading all sessions.
    pub(super) fn of_session(&self) -> String {
        self.by_dimension
            .iter()
            .filter(|filter| filter.is_of_session())
            .map(|filter| format!(" AND {}", filter.sql(Grain::Session)))
            .collect()
    }

    /// The same for the one question that a filter names.
    pub(super) fn of_question(&self) -> String {
        self.by_dimension
            .iter()
            .filter(|filter| filter.dimension == Dimension::QuestionId)
            .map(|filter| format!(" AND a.question_id = {}", filter.placeholder))
            .collect()
    }
}

/// What a publication must match to count for a group: every dimension and filter that it has a value of, too.
fn publications_sql(dimensions: &[Dimension], filters: &[Filter]) -> String {
    let of_group = dimensions
        .iter()
        .enumerate()
        .filter_map(|(number, dimension)| {
            let value = dimension.publication_sql()?;
            Some(format!("{value} IS NOT DISTINCT FROM o.d{number}"))
        });
    let of_filters = filters.iter().filter_map(|filter| {
        let value = filter.dimension.publication_sql()?;
        Some(format!("{value} = {}", filter.placeholder))
    });
    let conditions: Vec<_> = of_group.chain(of_filters).collect();
    let join = if conditions.iter().any(|condition| condition.contains("df.")) {
        "\n            LEFT JOIN difficulty df ON df.question_id = p.question_id"
    } else {
        ""
    };
    if conditions.is_empty() {
        String::new()
    } else {
        format!(
            "{join}\n            WHERE {}",
            conditions.join("\n              AND ")
        )
    }
}
