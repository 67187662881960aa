//! From cells to figures: the text of each part.

use super::figure::Figure;
use super::filters::Filters;
use super::grain::Column;
use super::part::Part;

impl Part {
    /// Whether the part looks at the sessions themselves, called `x`.
    pub(super) fn needs_sessions(self, figures: &[Figure]) -> bool {
        match self {
            Self::Rosters | Self::Seats => true,
            _ => figures
                .iter()
                .any(|figure| figure.definition().needs_sessions),
        }
    }

    /// The `SELECT` of the part: the groups' keys, which `d` lists with a comma after each, then the figures' columns
    /// in `select`.
    pub(super) fn sql(
        self,
        cells: &str,
        cells_tell_all_apart: bool,
        d: &str,
        select: &str,
        figures: &[Figure],
        filters: &Filters<'_>,
    ) -> String {
        let group_by = group_by(d);
        let join_sessions = if self.needs_sessions(figures) {
            "\n      LEFT JOIN session_facts x USING (session_id)"
        } else {
            ""
        };
        // One row for each pair of a session and something else; cells that also tell a third thing apart are added up.
        let pairs = |id: &str, column: Column, aggregate: &str| {
            if !cells_tell_all_apart {
                return format!("{cells} g");
            }
            let is_needed = figures
                .iter()
                .any(|figure| figure.definition().columns.contains(&column));
            let sum = if is_needed {
                format!(", {aggregate}({0}) AS {0}", column.name())
            } else {
                String::new()
            };
            format!("(SELECT {d}session_id, {id}{sum} FROM {cells} GROUP BY {d}session_id, {id}) g")
        };
        let from = match self {
            Self::Answers | Self::Responses => format!("{cells} c"),
            Self::Students => format!("(SELECT DISTINCT {d}student_id FROM {cells}) g"),
            Self::Sessions => format!("(SELECT DISTINCT {d}session_id FROM {cells}) g{join_sessions}"),
            // A classroom's roster is the same for all its sessions.
            Self::Rosters => format!(
                "(SELECT DISTINCT {d}e.student_id
            FROM (SELECT DISTINCT {d}classroom_id FROM {cells} JOIN session_facts USING (session_id)) r
            JOIN classroom_students e ON (e.tenant_id, e.classroom_id) = ($1, r.classroom_id)) g"
            ),
            Self::Seats => format!(
                "{}
      JOIN session_facts x USING (session_id)
      JOIN classroom_students e
        ON (e.tenant_id, e.classroom_id, e.student_id) = ($1, x.classroom_id, g.student_id)",
                pairs("student_id", Column::PublishedAnswered, "sum")
            ),
            Self::Questions => {
                format!("{}{join_sessions}", pairs("question_id", Column::LeastLatencyUs, "min"))
            }
            Self::Publications => format!(
                "(SELECT DISTINCT {d}p.question_id
            FROM (SELECT DISTINCT {d}session_id FROM {cells}) o
            JOIN publications p ON (p.tenant_id, p.session_id) = ($1, o.session_id){}) g",
                filters.publications
            ),
        };
        format!("SELECT {d}{select}\n      FROM {from}{group_by}")
    }
}

fn group_by(d: &str) -> String {
    match d.strip_suffix(", ") {
        Some(list) => format!("\n      GROUP BY {list}"),
        None => String::new(),
    }
}
