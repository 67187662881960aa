//! What a query may need beside its source; only what it does need is joined.

use super::grain::{Column, Grain};

/// One thing to join to the rows of a source, which is called `a`. In the order of the text: a join may use those
/// before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Join {
    /// `s`, the session.
    Session,
    /// `cl`, the session's classroom.
    Classroom,
    /// `qz`, the session's quiz.
    Quiz,
    /// `st`, the student.
    Student,
    /// `er`, the student's earlier attempts at the question in the session.
    Earlier,
    /// `k`, the answer key in force.
    Key,
    /// `r`, the round that the answer falls into.
    Round,
    /// `pq`, there only if the question was published in the session.
    Published,
    /// `df`, how hard the question is.
    Difficulty,
    /// `en`, how much of the session the student answered.
    Engagement,
    /// `lv`, how well the student did.
    Performance,
}

impl Join {
    /// What adding up single answers into a column joins.
    pub(super) fn of(column: Column) -> Option<Self> {
        match column {
            Column::Answers => None,
            Column::Attempts => Some(Self::Earlier),
            Column::Graded | Column::Correct => Some(Self::Key),
            Column::PublishedAnswered => Some(Self::Published),
            _ => Some(Self::Round),
        }
    }

    /// What this join itself needs to be joined before.
    pub(super) fn needs(self) -> Option<Self> {
        match self {
            Self::Classroom | Self::Quiz => Some(Self::Session),
            _ => None,
        }
    }

    /// The text of the join. A session's figures bring the session's own columns along.
    pub(super) fn sql(self, grain: Grain) -> String {
        let s = grain.session();
        match self {
            Self::Session if grain != Grain::Answer => String::new(),
            Self::Session => {
                "LEFT JOIN sessions s ON (s.tenant_id, s.session_id) = (a.tenant_id, a.session_id)".to_owned()
            }
            Self::Classroom => format!(
                "LEFT JOIN classrooms cl ON (cl.tenant_id, cl.classroom_id) = (a.tenant_id, {s}.classroom_id)"
            ),
            Self::Quiz => {
                format!("LEFT JOIN quizzes qz ON (qz.tenant_id, qz.quiz_id) = (a.tenant_id, {s}.quiz_id)")
            }
            Self::Student => {
                "LEFT JOIN students st ON (st.tenant_id, st.student_id) = (a.tenant_id, a.student_id)".to_owned()
            }
            Self::Earlier => "LEFT JOIN earlier er
       ON (er.session_id, er.question_id, er.student_id) = (a.session_id, a.question_id, a.student_id)"
                .to_owned(),
            Self::Key => {
                "LEFT JOIN answer_keys k ON (k.tenant_id, k.question_id) = (a.tenant_id, a.question_id)".to_owned()
            }
            Self::Round => "LEFT JOIN rounds r
       ON (r.tenant_id, r.session_id, r.question_id) = (a.tenant_id, a.session_id, a.question_id)
      AND r.published_at <= a.submitted_at
      AND (r.next_published_at IS NULL OR a.submitted_at < r.next_published_at)"
                .to_owned(),
            Self::Published => "LEFT JOIN published_questions pq
       ON (pq.tenant_id, pq.session_id, pq.question_id) = (a.tenant_id, a.session_id, a.question_id)"
                .to_owned(),
            Self::Difficulty => "LEFT JOIN difficulty df ON df.question_id = a.question_id".to_owned(),
            Self::Engagement => "LEFT JOIN engagement en ON (en.session_id, en.student_id) = (a.session_id, a.student_id)".to_owned(),
            Self::Performance => "LEFT JOIN performance lv ON lv.student_id = a.student_id".to_owned(),
        }
    }
}

/// The label of `part` ÷ `whole` in percent, which is rounded to two decimals before it is compared; 0 ÷ 0 is 0.
///
/// In whole numbers: 100 × part ÷ whole rounds to `percent` or more just if 20000 × part + whole ≥ 200 × percent × whole.
pub(super) fn band(part: &str, whole: &str, labels: &[(&str, u32)], least: &str) -> String {
    let whens: Vec<_> = labels
        .iter()
        .map(|(label, percent)| {
            format!(
                "WHEN {whole} > 0 AND 20000 * {part} >= {} * {whole} THEN '{label}'",
                200 * percent - 1
            )
        })
        .collect();
    format!("CASE {} ELSE '{least}' END", whens.join(" "))
}
