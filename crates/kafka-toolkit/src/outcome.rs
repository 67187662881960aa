//! What becomes of a record, and what follows from a failure.

use std::borrow::Cow;

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its effect is durable.
    Done,
    /// It had no effect, for this reason.
    Failed(Failure),
}

impl Outcome {
    /// The record can never be handled.
    pub fn permanent(name: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::Failed(Failure::new(ErrorClass::Permanent, name, message))
    }

    /// The record may be handled at a later try.
    pub fn transient(name: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::Failed(Failure::new(ErrorClass::Transient, name, message))
    }

    /// Nothing can be handled until something else is back.
    pub fn dependency_down(name: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::Failed(Failure::new(ErrorClass::DependencyDown, name, message))
    }

    /// The record was understood and refused.
    pub fn business(name: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::Failed(Failure::new(ErrorClass::Business, name, message))
    }
}

/// What follows from a failure; the consequence is fixed by the class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// A dead letter at once.
    Permanent,
    /// Tried again a bounded number of times, then a dead letter.
    Transient,
    /// Tried again for ever; nothing is skipped and nothing becomes a dead letter.
    DependencyDown,
    /// Counted and acknowledged; never a dead letter.
    Business,
}

impl ErrorClass {
    /// The name used in headers and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Transient => "transient",
            Self::DependencyDown => "dependency_down",
            Self::Business => "business",
        }
    }

    /// Whether the record is finished with as far as its handler is concerned.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Business)
    }
}

/// Why a record had no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What follows from it.
    pub class: ErrorClass,
    /// A stable name of the fault, for grouping dead letters; from a closed set.
    pub name: Cow<'static, str>,
    /// A sentence for a person; must not repeat the payload.
    pub message: String,
}

impl Failure {
    /// A failure of this class.
    pub fn new(
        class: ErrorClass,
        name: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            class,
            name: name.into(),
            message: message.into(),
        }
    }
}
