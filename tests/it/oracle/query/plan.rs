//! Which queries are asked.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::dimension::Dimension;
use super::measure::Measure;
use super::{Query, levels};
use crate::oracle::clock::{DAY, Micros};
use crate::oracle::model::{Attempt, Model};

/// A query before it is known what there is to ask about.
#[derive(Debug, Clone)]
pub(in crate::oracle) struct QueryPlan {
    measures: Vec<(Measure, &'static str)>,
    dimensions: Vec<(Dimension, &'static str)>,
    unknown: [Option<&'static str>; 2],
    /// Each holds for one of the answers at least.
    filters: Vec<((Dimension, &'static str), Index)>,
    /// From and to the moment of an answer, or a little later.
    start: Option<(Index, Micros)>,
    end: Option<(Index, Micros)>,
    zone: i16,
    order_by: Vec<(Index, &'static str)>,
    limit: usize,
}

pub(in crate::oracle) fn a_query() -> impl Strategy<Value = QueryPlan> {
    let measures = prop_oneof![
        3 => subsequence(Measure::ALL.to_vec(), 0..6),
        1 => Just(Measure::ALL.to_vec()),
    ];
    let dimensions = prop_oneof![
        2 => Just(Vec::new()),
        6 => subsequence(Dimension::ALL.to_vec(), 1..=3),
    ];
    // What a filter on this one leaves depends on all the others.
    let performance = (Dimension::PerformanceLevel, "performance_level");
    let filter = prop_oneof![4 => select(Dimension::ALL.to_vec()), 1 => Just(performance)];
    let filters = prop_oneof![
        2 => Just(Vec::new()),
        1 => vec((filter, any::<Index>()), 1..=3),
    ];
    let unknown = (
        option::weighted(0.1, Just("happiness")),
        option::weighted(0.1, Just("weather")),
    );
    let edge = || {
        let moment = (any::<Index>(), select(vec![0, 0, 1, DAY]));
        option::weighted(0.2, moment)
    };
    let direction = select(vec!["ASC", "DESC", "desc", ""]);
    let order_by = vec((any::<Index>(), direction), 0..3);
    let limit = prop_oneof![2 => Just(0), 1 => 1..6_usize];
    (
        (limit, order_by, select(vec![0, -330])),
        (edge(), edge()),
        (filters, unknown),
        (dimensions.prop_shuffle(), measures.prop_shuffle()),
    )
        .prop_filter(
            "a query has a measure or a dimension",
            |(_, _, _, (dimensions, measures))| !dimensions.is_empty() || !measures.is_empty(),
        )
        .prop_map(
            |(
                (limit, order_by, zone),
                (start, end),
                (filters, unknown),
                (dimensions, measures),
            )| QueryPlan {
                measures,
                dimensions,
                unknown: [unknown.0, unknown.1],
                filters,
                start,
                end,
                zone,
                order_by,
                limit,
            },
        )
}

impl QueryPlan {
    pub(in crate::oracle) fn about(&self, model: &Model) -> Query {
        let all: Vec<&Attempt> = model.answers.iter().collect();
        let levels = levels(&all);
        let chosen = |index: &Index| (!all.is_empty()).then(|| *index.get(&all));
        let mut filters = Vec::new();
        for ((dimension, _), index) in &self.filters {
            let value = chosen(index).map(|answer| dimension.of(answer, model, &levels));
            // A filter cannot ask for null, and names a dimension once.
            let is_taken = filters.iter().any(|(taken, _)| taken == dimension);
            filters.extend(
                value
                    .filter(|value| !value.is_null() && !is_taken)
                    .map(|value| (*dimension, value)),
            );
        }
        let moment = |edge: &Option<(Index, Micros)>| {
            let (index, later) = edge.as_ref()?;
            chosen(index).map(|answer| answer.at + later)
        };
        let (start, mut end) = (moment(&self.start), moment(&self.end));
        if start.zip(end).is_some_and(|(start, end)| start > end) {
            end = None;
        }
        let measures = self.measures.iter().map(|(_, name)| *name);
        let dimensions = self.dimensions.iter().map(|(_, name)| *name);
        let selected: Vec<&'static str> = measures.chain(dimensions).collect();
        let order_by = self.order_by.iter();
        Query {
            measures: self.measures.iter().map(|(measure, _)| *measure).collect(),
            dimensions: self
                .dimensions
                .iter()
                .map(|(dimension, _)| *dimension)
                .collect(),
            unknown: self.unknown,
            filters,
            start,
            end,
            zone: self.zone,
            order_by: order_by
                .map(|(index, order)| (*index.get(&selected), *order))
                .collect(),
            limit: self.limit,
        }
    }
}
