//! The statement that writes a batch, in the three sizes that a batch can need.

/// How much of the statement a batch needs. Each size takes the parameters of the one before, and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Size {
    /// Answers that name nothing new: `$1` to `$26`.
    Answers,
    /// Facts of every kind that name nothing new: `$1` to `$45`.
    Facts,
    /// Facts of every kind, and stubs for what may be new: `$1` to `$56`.
    FactsAndStubs,
}

impl Size {
    /// The text of the statement.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Answers => concat!(
                include_str!("write_batch/1_answers.sql"),
                include_str!("write_batch/2_no_other_facts.sql"),
                include_str!("write_batch/3_sessions.sql"),
                include_str!("write_batch/5_progress_and_result.sql"),
            ),
            Self::Facts => concat!(
                include_str!("write_batch/1_answers.sql"),
                include_str!("write_batch/2_other_facts.sql"),
                include_str!("write_batch/3_sessions.sql"),
                include_str!("write_batch/5_progress_and_result.sql"),
            ),
            Self::FactsAndStubs => concat!(
                include_str!("write_batch/1_answers.sql"),
                include_str!("write_batch/2_other_facts.sql"),
                include_str!("write_batch/3_sessions.sql"),
                include_str!("write_batch/4_stubs.sql"),
                include_str!("write_batch/5_progress_and_result.sql"),
            ),
        }
    }
}
