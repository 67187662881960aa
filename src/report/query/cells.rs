//! Cells: sums over the answers that share the dimensions and the ids that are counted distinctly.

use std::collections::BTreeSet;

use super::filters::Filters;
use super::grain::{Column, Grain};
use super::join::Join;

/// What cells are made of.
pub(super) struct Cells {
    pub(super) grain: Grain,
    /// What the answers of a cell share, and the name of its column.
    pub(super) keys: Vec<(String, String)>,
    /// How many of these are ids that only serve to count.
    pub(super) ids: usize,
    pub(super) columns: BTreeSet<Column>,
    /// What the keys join.
    pub(super) joins: BTreeSet<Join>,
    /// Whether a filter on performance holds already.
    pub(super) with_performance: bool,
}

impl Cells {
    /// The sums over single answers leave out the attempts that a later one superseded. Where all that is asked for can
    /// be subtracted and cells are few, all attempts are added up, which costs no more than plain SQL does, and the
    /// superseded are taken off again. A least or greatest value can't be taken off, and many cells would be added up
    /// twice: then each attempt is looked up among the superseded.
    pub(super) fn sql(mut self, filters: &Filters<'_>) -> String {
        if self.grain != Grain::Answer {
            return self.ready(filters);
        }
        self.columns.insert(Column::Answers);
        self.joins
            .extend(self.columns.iter().filter_map(|column| Join::of(*column)));
        if self.ids == 0 && self.columns.iter().all(|column| column.can_be_subtracted()) {
            self.all_less_superseded(filters)
        } else {
            self.sums(
                "",
                "answers a",
                "\n      AND NOT EXISTS (SELECT FROM superseded z
                      WHERE (z.session_id, z.event_id) = (a.session_id, a.event_id))",
                filters,
            )
        }
    }

    /// From the sessions' figures, which are sums already.
    fn ready(&self, filters: &Filters<'_>) -> String {
        let sums = self
            .columns
            .iter()
            .map(|column| format!("a.{}", column.name()));
        let source = self.grain.source();
        format!(
            "    SELECT {}\n    FROM {source}{}",
            self.select(sums),
            self.conditions(filters)
        )
    }

    fn all_less_superseded(&self, filters: &Filters<'_>) -> String {
        let names = self.keys.iter().map(|(_, name)| name.clone());
        let sums = self
            .columns
            .iter()
            .map(|column| format!("sum({0}) AS {0}", column.name()));
        let all: Vec<_> = names.chain(sums).collect();
        format!(
            "    SELECT {}\n    FROM (\n{}\n    UNION ALL\n{}\n    ) attempts{}\n    HAVING sum(answers) > 0",
            all.join(", "),
            self.sums("", "answers a", "", filters),
            self.sums("-", SUPERSEDED_ANSWERS, "", filters),
            self.group_by(),
        )
    }

    fn sums(&self, sign: &str, source: &str, condition: &str, filters: &Filters<'_>) -> String {
        let sums = self
            .columns
            .iter()
            .map(|column| format!("{sign}{} AS {}", column.sum_sql(), column.name()));
        format!(
            "    SELECT {}\n    FROM {source}{}{condition}{}",
            self.select(sums),
            self.conditions(filters),
            self.group_by()
        )
    }

    fn select(&self, sums: impl Iterator<Item = String>) -> String {
        let keys = self
            .keys
            .iter()
            .map(|(sql, name)| format!("{sql} AS {name}"));
        keys.chain(sums).collect::<Vec<_>>().join(",\n           ")
    }

    fn conditions(&self, filters: &Filters<'_>) -> String {
        filters.sql(self.grain, &self.joins, self.with_performance)
    }

    fn group_by(&self) -> String {
        if self.keys.is_empty() {
            return String::new();
        }
        let numbers: Vec<_> = (1..=self.keys.len())
            .map(|number| number.to_string())
            .collect();
        format!("\n    GROUP BY {}", numbers.join(", "))
    }
}

/// The superseded attempts themselves. They are few: OFFSET 0 makes the planner fetch them by their key, whatever it
/// takes their number to be.
pub(super) const SUPERSEDED_ANSWERS: &str = "superseded z,
    LATERAL (SELECT * FROM answers b
             WHERE b.tenant_id = $1 AND b.session_id = z.session_id AND b.event_id = z.event_id OFFSET 0) a";
