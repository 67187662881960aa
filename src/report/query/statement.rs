//! The one statement of a query: closed fragments and placeholders.

use std::collections::BTreeSet;

use super::ROWS_MAX;
use super::dimension::{Dimension, Kind, Value};
use super::figure::Figure;
use super::grain::{Column, Grain, Keys};
use super::join::{Join, band};
use super::parse::{Field, Query};
use super::part::{Part, publications_sql};

/// A statement and what its placeholders stand for; `$1` is the tenant.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) binds: Vec<Bind>,
}

/// A bound value.
#[derive(Debug, Clone)]
pub(super) enum Bind {
    Value(Value),
    Instant(time::OffsetDateTime),
    Count(i64),
}

/// The conditions of a query, as text over the rows of a source.
pub(super) struct Filters<'a> {
    /// The dimensions with the placeholder of the value.
    by_dimension: Vec<(Dimension, String)>,
    /// Over the answers' own time.
    times: Vec<String>,
    /// What a publication must match.
    pub(super) publications: String,
    query: &'a Query,
}

impl Statement {
    /// Writes the statement of a query.
    pub(super) fn of(query: &Query) -> Self {
        let mut binds = Vec::new();
        let filters = Filters::bound(query, &mut binds);
        let plan = Plan::of(query, &filters);
        let mut sql = plan.with(&filters);
        sql.push_str(&plan.rows(&filters));
        // One row more than may be sent shows that there are too many.
        let rows = query.limit.unwrap_or(i64::MAX).min(ROWS_MAX + 1);
        binds.push(Bind::Count(rows));
        sql.push_str(&format!("\nLIMIT ${}", binds.len() + 1));
        Self { sql, binds }
    }
}

impl<'a> Filters<'a> {
    fn bound(query: &'a Query, binds: &mut Vec<Bind>) -> Self {
        let mut bind = |value| {
            binds.push(value);
            format!("${}", binds.len() + 1)
        };
        let by_dimension: Vec<_> = query
            .filters
            .iter()
            .map(|(dimension, value)| (*dimension, bind(Bind::Value(value.clone()))))
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

    fn dimensions(&self) -> impl Iterator<Item = Dimension> {
        self.by_dimension.iter().map(|(dimension, _)| *dimension)
    }

    /// What dimensions and filters must be able to tell apart.
    fn keys(&self) -> Keys {
        let times = if self.times.is_empty() {
            Keys::SESSION
        } else {
            Keys::ANSWER
        };
        self.dimensions()
            .chain(self.query.dimensions.iter().copied())
            .fold(times, |keys, dimension| keys | dimension.keys())
    }

    /// `FROM` and `WHERE` over a grain. A student's performance is measured over what all other filters leave, so it
    /// can only be a condition of what comes after that.
    fn source(
        &self,
        grain: Grain,
        joins: impl IntoIterator<Item = Join>,
        with_performance: bool,
    ) -> String {
        let chosen: Vec<_> = self
            .by_dimension
            .iter()
            .filter(|(dimension, _)| with_performance || *dimension != Dimension::PerformanceLevel)
            .collect();
        let mut needed: BTreeSet<Join> = joins.into_iter().collect();
        needed.extend(
            chosen
                .iter()
                .filter_map(|(dimension, _)| dimension.filter_join()),
        );
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
            .map(|(dimension, placeholder)| {
                format!("{} = {placeholder}", dimension.filter_sql(grain))
            })
            .chain(self.times.iter().cloned())
            .map(|condition| format!("\n      AND {condition}"))
            .collect();
        format!(
            "    FROM {}{joins}\n    WHERE {}{conditions}",
            grain.source(),
            grain.condition()
        )
    }

    /// The same condition on a table that has the filter's id itself: it spares reading all of it.
    fn narrowed(&self, dimension: Dimension, column: &str) -> String {
        self.by_dimension
            .iter()
            .filter(|(filtered, _)| *filtered == dimension)
            .map(|(_, placeholder)| format!(" AND {column} = {placeholder}"))
            .collect()
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

    /// `d0, d1, `: the keys of the groups.
    fn groups(&self) -> String {
        (0..self.query.dimensions.len())
            .map(|number| format!("d{number}, "))
            .collect()
    }

    fn uses(&self, dimension: Dimension, filters: &Filters<'_>) -> bool {
        self.query.dimensions.contains(&dimension)
            || filters.dimensions().any(|filtered| filtered == dimension)
    }

    /// Everything that the rows are read from.
    fn with(&self, filters: &Filters<'_>) -> String {
        let mut tables = Vec::new();
        if self.uses(Dimension::DifficultyLevel, filters) {
            tables.push(("difficulty", self.difficulty(filters)));
        }
        if self.uses(Dimension::EngagementLevel, filters) {
            tables.push(("engagement", self.engagement(filters)));
        }
        if self.uses(Dimension::PerformanceLevel, filters) {
            tables.push(("performance", self.performance(filters)));
        }
        for grain in Grain::ALL {
            let parts: Vec<_> = self
                .parts
                .iter()
                .filter(|(_, of)| *of == grain)
                .map(|(part, _)| *part)
                .collect();
            if !parts.is_empty() {
                tables.push((grain.cells(), self.cells(grain, &parts, filters)));
            }
        }
        if self
            .parts
            .iter()
            .any(|(part, _)| part.needs_sessions(&self.figures_of(*part)))
        {
            tables.push(("session_facts", self.session_facts(filters)));
        }
        tables.push(("figures", self.parts_sql(filters)));
        let tables: Vec<_> = tables
            .iter()
            .map(|(name, sql)| format!("{name} AS (\n{sql}\n)"))
            .collect();
        format!("WITH {}\n", tables.join(",\n"))
    }

    /// How hard each question is, over all its sessions.
    fn difficulty(&self, filters: &Filters<'_>) -> String {
        let labels = [("Easy", 80), ("Medium", 60), ("Hard", 40)];
        format!(
            "    SELECT question_id,
           CASE WHEN sum(graded) = 0 THEN 'Unrated' ELSE {} END AS label
    FROM session_questions
    WHERE tenant_id = $1{}
    GROUP BY question_id",
            band("sum(correct)", "sum(graded)", &labels, "Very Hard"),
            filters.narrowed(Dimension::QuestionId, "question_id"),
        )
    }

    /// How much of what was published in the session each student answered.
    fn engagement(&self, filters: &Filters<'_>) -> String {
        let narrowed = filters.narrowed(Dimension::SessionId, "session_id");
        format!(
            "    SELECT session_id, student_id, {} AS label
    FROM (SELECT * FROM session_students WHERE tenant_id = $1{narrowed}) t
    JOIN (SELECT * FROM session_figures WHERE tenant_id = $1{narrowed}) f USING (session_id)",
            band(
                "t.published_answered",
                "f.published_questions",
                &[("High", 75), ("Medium", 40)],
                "Low"
            ),
        )
    }

    /// How well each student did over what the other filters leave.
    fn performance(&self, filters: &Filters<'_>) -> String {
        let grain = Grain::of(filters.keys());
        let labels = [("Excellent", 90), ("Good", 75), ("Average", 60)];
        let sum = |column: Column| match grain {
            Grain::Answer => column.sum_sql(),
            _ => format!("sum(a.{})", column.name()),
        };
        let joins = [Join::Key].into_iter().filter(|_| grain == Grain::Answer);
        format!(
            "    SELECT a.student_id, {} AS label\n{}\n    GROUP BY a.student_id",
            band(
                &sum(Column::Correct),
                &sum(Column::Graded),
                &labels,
                "Needs Improvement"
            ),
            filters.source(grain, joins, false),
        )
    }

    fn cells(&self, grain: Grain, parts: &[Part], filters: &Filters<'_>) -> String {
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
        let keys = parts
            .iter()
            .fold(Keys::SESSION, |keys, part| keys | part.keys());
        let ids = [
            (parts.iter().any(|part| part.uses_session()), "a.session_id"),
            (keys.question, "a.question_id"),
            (keys.student, "a.student_id"),
        ];
        let grouped: Vec<String> = self
            .query
            .dimensions
            .iter()
            .enumerate()
            .map(|(number, dimension)| format!("{} AS d{number}", dimension.group_sql(grain)))
            .chain(
                ids.into_iter()
                    .filter(|(used, _)| *used)
                    .map(|(_, id)| id.to_owned()),
            )
            .collect();
        let mut joins: BTreeSet<Join> = self
            .query
            .dimensions
            .iter()
            .filter_map(|one| one.join())
            .collect();
        let summed: Vec<String> = if grain == Grain::Answer {
            joins.extend(columns.iter().filter_map(|column| column.join()));
            columns
                .iter()
                .map(|column| format!("{} AS {}", column.sum_sql(), column.name()))
                .collect()
        } else {
            columns
                .iter()
                .map(|column| format!("a.{}", column.name()))
                .collect()
        };
        let selected: Vec<_> = grouped.iter().chain(&summed).cloned().collect();
        let group_by = if grain == Grain::Answer && !grouped.is_empty() {
            let numbers: Vec<_> = (1..=grouped.len())
                .map(|number| number.to_string())
                .collect();
            format!("\n    GROUP BY {}", numbers.join(", "))
        } else {
            String::new()
        };
        format!(
            "    SELECT {}\n{}{group_by}",
            selected.join(",\n           "),
            filters.source(grain, joins, true)
        )
    }

    /// What is asked of the sessions of the groups.
    fn session_facts(&self, filters: &Filters<'_>) -> String {
        format!(
            "    SELECT f.session_id, f.classroom_id, f.publications, f.published_questions,
           CASE WHEN f.publications > 0
                THEN greatest(extract(epoch FROM f.last_published_at - f.first_published_at) * 1000000, 60000000)
                ELSE 0 END AS publishing_us,
           extract(epoch FROM f.ended_at - f.started_at) * 1000000 AS duration_us,
           coalesce(e.size, 0) AS roster_size
    FROM session_figures f
    LEFT JOIN (SELECT classroom_id, count(*) AS size FROM classroom_students WHERE tenant_id = $1
               GROUP BY classroom_id) e USING (classroom_id)
    WHERE f.tenant_id = $1{}",
            filters.narrowed(Dimension::SessionId, "f.session_id"),
        )
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
                part.sql(grain.cells(), &d, &select.join(", "), &own, filters)
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
    fn rows(&self, _: &Filters<'_>) -> String {
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
