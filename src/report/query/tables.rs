//! What cells and parts look up, each there only if the query concerns it.

use super::cells::{Cells, SUPERSEDED_ANSWERS};
use super::dimension::Dimension;
use super::filters::Filters;
use super::grain::{Column, Grain};
use super::join::band;

/// The attempts that a later one superseded.
pub(super) fn superseded(filters: &Filters<'_>) -> String {
    format!(
        "    SELECT a.session_id, unnest(a.superseded) AS event_id
    FROM session_figures a
    WHERE a.tenant_id = $1 AND a.attempts > a.answers{}",
        filters.of_session()
    )
}

/// How many attempts each of those who changed their mind made before the answer that counts.
pub(super) fn earlier() -> String {
    format!(
        "    SELECT a.session_id, a.question_id, a.student_id, count(*) AS attempts
    FROM {SUPERSEDED_ANSWERS}
    GROUP BY a.session_id, a.question_id, a.student_id"
    )
}

/// How hard each question is, over all its sessions.
pub(super) fn difficulty(filters: &Filters<'_>) -> String {
    let labels = [("Easy", 80), ("Medium", 60), ("Hard", 40)];
    format!(
        "    SELECT a.question_id,
           CASE WHEN sum(a.graded) = 0 THEN 'Unrated' ELSE {} END AS label
    FROM session_questions a
    WHERE a.tenant_id = $1{}
    GROUP BY a.question_id",
        band("sum(a.correct)", "sum(a.graded)", &labels, "Very Hard"),
        filters.of_question(),
    )
}

/// How much of what was published in the session each student answered.
pub(super) fn engagement(filters: &Filters<'_>) -> String {
    let labels = [("High", 75), ("Medium", 40)];
    format!(
        "    SELECT a.session_id, a.student_id, {} AS label
    FROM session_students a
    WHERE a.tenant_id = $1{}",
        band(
            "a.published_answered",
            "a.published_questions",
            &labels,
            "Low"
        ),
        filters.of_session(),
    )
}

/// How well each student did over what the other filters leave.
pub(super) fn performance(filters: &Filters<'_>) -> String {
    let cells = Cells {
        grain: Grain::of(filters.keys()),
        keys: vec![("a.student_id".to_owned(), "student_id".to_owned())],
        ids: 1,
        columns: [Column::Graded, Column::Correct].into(),
        joins: [].into(),
        with_performance: false,
    };
    let labels = [("Excellent", 90), ("Good", 75), ("Average", 60)];
    format!(
        "    SELECT student_id, {} AS label\n    FROM (\n{}\n    ) c\n    GROUP BY student_id",
        band("sum(correct)", "sum(graded)", &labels, "Needs Improvement"),
        cells.sql(filters),
    )
}

/// What is asked of the sessions of the groups.
pub(super) fn session_facts(filters: &Filters<'_>) -> String {
    format!(
        "    SELECT a.session_id, a.classroom_id, a.publications, a.published_questions,
           CASE WHEN a.publications > 0
                THEN greatest(extract(epoch FROM a.last_published_at - a.first_published_at) * 1000000, 60000000)
                ELSE 0 END AS publishing_us,
           extract(epoch FROM a.ended_at - a.started_at) * 1000000 AS duration_us,
           coalesce(e.size, 0) AS roster_size
    FROM session_figures a
    LEFT JOIN (SELECT classroom_id, count(*) AS size FROM classroom_students WHERE tenant_id = $1
               GROUP BY classroom_id) e ON e.classroom_id = a.classroom_id
    WHERE a.tenant_id = $1{}",
        filters.of_session(),
    )
}

/// The tables that dimensions and filters need, in the order in which they build on each other.
pub(super) fn of_dimensions(filters: &Filters<'_>) -> Vec<(&'static str, String)> {
    let mut tables = Vec::new();
    if filters.concern(Dimension::DifficultyLevel) {
        tables.push(("difficulty", difficulty(filters)));
    }
    if filters.concern(Dimension::EngagementLevel) {
        tables.push(("engagement", engagement(filters)));
    }
    if filters.concern(Dimension::PerformanceLevel) {
        tables.push(("performance", performance(filters)));
    }
    tables
}
