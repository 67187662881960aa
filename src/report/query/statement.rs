//! The one statement of a query: closed fragments and placeholders.

use std::collections::BTreeSet;

use super::ROWS_MAX;
use super::cells::Cells;
use super::dimension::{Dimension, Kind};
use super::figure::Figure;
use super::filters::{Bind, Filters};
use super::grain::{Column, Grain, Keys};
use super::parse::{Field, Query};
use super::part::Part;
use super::tables;

/// A statement and what its placeholders stand for; `$1` is the tenant.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) binds: Vec<Bind>,
}

impl Statement {
    /// Writes the statement of a query.
    pub(super) fn of(query: &Query) -> Self {
        let mut binds = Vec::new();
        let filters = Filters::bound(query, &mut binds);
        let plan = Plan::of(query, &filters);
        let mut sql = plan.with(&filters);
        sql.push_str(&plan.rows());
        // One row more than may be sent shows that there are too many.
        let rows = query.limit.unwrap_or(i64::MAX).min(ROWS_MAX + 1);
        binds.push(Bind::Count(rows));
        sql.push_str(&format!("\nLIMIT ${}", binds.len() + 1));
        Self { sql, binds }
    }
}

/// Which parts a query needs, and from which grain each takes its cells.
struct Plan<'a> {
    query: &'a Query,
    figures: BTreeSet<Figure>,
    parts: Vec<(Part, Grain)>,
}

impl<'a> Plan<'a> {
    fn of(query: &'a Query, filters: &Filters<'_>) -> Self {
        let figures: BTreeSet<_> = query
            .measures
            .iter()
            .flat_map(|measure| measure.definition().figures)
            .copied()
            .collect();
        let parts: BTreeSet<_> = figures
            .iter()
            .map(|figure| figure.definition().part)
            .chain([Part::Answers])
            .collect();
        let keys = filters.keys();
        Self {
            query,
            figures,
            parts: parts
                .into_iter()
                .map(|part| (part, part.grain(keys)))
                .collect(),
        }
    }

    fn figures_of(&self, part: Part) -> Vec<Figure> {
        let of_part = |figure: &Figure| figure.definition().part == part;
        self.figures.iter().copied().filter(of_part).collect()
    }

    /// What the cells of a grain must tell apart for the parts that take theirs from it.
    fn keys(&self, grain: Grain) -> Keys {
        let parts = self.parts.iter().filter(|(_, of)| *of == grain);
        parts.fold(Keys::SESSION, |keys, (part, _)| keys | part.keys())
    }

    /// `d0, d1, `: the keys of the groups.
    fn groups(&self) -> String {
        (0..self.query.dimensions.len())
            .map(|number| format!("d{number}, "))
            .collect()
    }

    /// Everything that the rows are read from.
    fn with(&self, filters: &Filters<'_>) -> String {
        let cells: Vec<_> = Grain::ALL
            .into_iter()
            .filter_map(|grain| self.cells(grain))
            .collect();
        let mut tables = Vec::new();
        if cells.iter().any(|cells| cells.grain == Grain::Answer) {
            tables.push(("superseded", tables::superseded(filters)));
        }
        if cells
            .iter()
            .any(|cells| cells.grain == Grain::Answer && cells.columns.contains(&Column::Attempts))
        {
            tables.push(("earlier", tables::earlier()));
        }
        tables.extend(tables::of_dimensions(filters));
        tables.extend(
            cells
                .into_iter()
                .map(|cells| (cells.grain.cells(), cells.sql(filters))),
        );
        if self
            .parts
            .iter()
            .any(|(part, _)| part.needs_sessions(&self.figures_of(*part)))
        {
            tables.push(("session_facts", tables::session_facts(filters)));
        }
        tables.push(("figures", self.parts_sql(filters)));
        let tables: Vec<_> = tables
            .iter()
            .map(|(name, sql)| format!("{name} AS (\n{sql}\n)"))
            .collect();
        format!("WITH {}\n", tables.join(",\n"))
    }

    /// The cells of a grain for all parts that take theirs from it.
    fn cells(&self, grain: Grain) -> Option<Cells> {
        let parts: Vec<_> = self
            .parts
            .iter()
            .filter(|(_, of)| *of == grain)
            .map(|(part, _)| *part)
            .collect();
        if parts.is_empty() {
            return None;
        }
        let keys = self.keys(grain);
        let mut columns: BTreeSet<Column> = parts
            .iter()
            .flat_map(|part| self.figures_of(*part))
            .flat_map(|figure| figure.definition().columns)
            .copied()
            .collect();
        // A cell has to be there even if nothing is added up.
        if columns.is_empty() {
            columns.insert(Column::Answers);
        }
        let ids = [
            (parts.iter().any(|part| part.uses_session()), "session_id"),
            (keys.question, "question_id"),
            (keys.student, "student_id"),
        ];
        let ids = ids.into_iter().filter(|(used, _)| *used);
        let dimensions = self.query.dimensions.iter();
        Some(Cells {
            grain,
            keys: dimensions
                .clone()
                .enumerate()
                .map(|(number, dimension)| (dimension.group_sql(grain), format!("d{number}")))
                .chain(
                    ids.clone()
                        .map(|(_, id)| (format!("a.{id}"), id.to_owned())),
                )
                .collect(),
            ids: ids.count(),
            columns,
            joins: dimensions
                .filter_map(|dimension| dimension.join())
                .collect(),
            with_performance: true,
        })
    }

    /// The figures of each part under those of the others, brought together by group.
    fn parts_sql(&self, filters: &Filters<'_>) -> String {
        let d = self.groups();
        let parts: Vec<_> = self
            .parts
            .iter()
            .map(|(part, grain)| {
                let own = self.figures_of(*part);
                let mut select: Vec<String> = self
                    .figures
                    .iter()
                    .map(|figure| {
                        let definition = figure.definition();
                        let sql = if own.contains(figure) {
                            definition.sql
                        } else {
                            "NULL"
                        };
                        format!("{sql}::numeric AS {}", definition.name)
                    })
                    .collect();
                if select.is_empty() {
                    select.push("NULL AS nothing".to_owned());
                }
                let keys = self.keys(*grain);
                let tell_all_apart = keys.question && keys.student;
                part.sql(
                    grain.cells(),
                    tell_all_apart,
                    &d,
                    &select.join(", "),
                    &own,
                    filters,
                )
            })
            .collect();
        let mut sums: Vec<_> = self
            .figures
            .iter()
            .map(|figure| figure.definition().name)
            .map(|name| format!("coalesce(max({name}), 0) AS {name}"))
            .collect();
        if sums.is_empty() {
            sums.push("NULL AS nothing".to_owned());
        }
        let group_by = match d.strip_suffix(", ") {
            Some(list) => format!("\n    GROUP BY {list}"),
            None => String::new(),
        };
        format!(
            "    SELECT {d}{}\n    FROM (\n      {}\n    ) parts{group_by}",
            sums.join(", "),
            parts.join("\n      UNION ALL\n      ")
        )
    }

    /// The rows as they are sent, in order.
    fn rows(&self) -> String {
        let dimensions = self.query.dimensions.iter().enumerate();
        let mut selected: Vec<_> = dimensions
            .clone()
            .map(|(number, dimension)| {
                format!(
                    "{} AS v{number}",
                    dimension.shown_sql(&format!("f.d{number}"))
                )
            })
            .collect();
        let measures = self.query.measures.iter().enumerate();
        selected.extend(measures.map(|(number, measure)| {
            format!("{} AS m{number}", measure.definition().rounded_sql())
        }));
        let shown: Vec<_> = (0..self.query.dimensions.len())
            .map(|number| format!("v{number}"))
            .chain((0..self.query.measures.len()).map(|number| format!("m{number}")))
            .collect();
        // Students of one name stay in the order of their ids.
        let student = self
            .query
            .dimensions
            .iter()
            .position(|one| *one == Dimension::StudentName);
        let mut join = "";
        let mut namesakes = Vec::new();
        if let Some(number) = student {
            selected.push(format!("f.d{number} AS student_id"));
            join = "\n    LEFT JOIN students st ON (st.tenant_id, st.student_id) = ($1, f.d";
            namesakes.push("student_id".to_owned());
        }
        let join = match student {
            Some(number) => format!("{join}{number})"),
            None => String::new(),
        };
        let by_choice = self.query.order.iter().map(|(field, descending)| {
            let direction = if *descending { " DESC" } else { "" };
            format!("{}{direction} NULLS LAST", self.column(*field))
        });
        let by_dimension =
            self.query.dimensions.iter().map(|dimension| {
                format!("{} NULLS LAST", self.column(Field::Dimension(*dimension)))
            });
        let order: Vec<_> = by_choice.chain(by_dimension).chain(namesakes).collect();
        let order_by = if order.is_empty() {
            String::new()
        } else {
            format!("\nORDER BY {}", order.join(", "))
        };
        format!(
            "SELECT {}\nFROM (\n    SELECT {}\n    FROM figures f{join}\n) shown{order_by}",
            shown.join(", "),
            selected.join(",\n           ")
        )
    }

    /// The column that shows a field; texts are ordered by code point.
    fn column(&self, field: Field) -> String {
        let position = |found: Option<usize>| found.unwrap_or_default();
        match field {
            Field::Dimension(dimension) => {
                let number = position(
                    self.query
                        .dimensions
                        .iter()
                        .position(|one| *one == dimension),
                );
                match dimension.kind() {
                    Kind::Text | Kind::Day => format!("v{number} COLLATE \"C\""),
                    Kind::Id | Kind::Flag | Kind::Number => format!("v{number}"),
                }
            }
            Field::Measure(measure) => {
                format!(
                    "m{}",
                    position(self.query.measures.iter().position(|one| *one == measure))
                )
            }
        }
    }
}
