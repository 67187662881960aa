//! What can be wrong with an entry of the catalogue, said in words that are safe to send back.

use std::fmt;

/// Why an entry is refused, and which field is at fault where one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidEntry {
    /// The field at fault, with its place in a list: `questions[3].question_id`.
    pub field: Option<String>,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Not JSON at all; the text says where it breaks.
    BrokenJson(String),
    /// JSON of another shape than the contract's; the text says where and how.
    WrongShape(String),
    /// A required field is absent, null or empty.
    Missing,
    /// The field is not a string.
    NotAString,
    /// The field is not a UUID.
    NotAUuid,
    /// The text is too long.
    TooLong {
        /// Longest text taken, in bytes.
        bytes_max: usize,
    },
    /// The list has too many entries.
    TooMany {
        /// Longest list taken.
        max: usize,
    },
    /// The text holds the character NUL, which PostgreSQL cannot store.
    Nul,
    /// The id stands in the list already.
    Repeated,
}

impl InvalidEntry {
    pub(super) fn in_field(field: impl Into<String>, fault: Fault) -> Self {
        Self {
            field: Some(field.into()),
            fault,
        }
    }

    /// The stable machine-readable name of the fault.
    pub fn code(&self) -> &'static str {
        match self.fault {
            Fault::BrokenJson(_) => "broken_json",
            Fault::WrongShape(_) => "wrong_shape",
            Fault::Missing => "missing_field",
            Fault::NotAString => "wrong_type",
            Fault::NotAUuid => "invalid_uuid",
            Fault::TooLong { .. } => "too_long",
            Fault::TooMany { .. } => "too_many_entries",
            Fault::Nul => "nul_character",
            Fault::Repeated => "repeated_id",
        }
    }
}

impl fmt::Display for InvalidEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field.as_deref().unwrap_or("the body");
        match &self.fault {
            Fault::BrokenJson(reason) => write!(f, "{field} is not valid JSON: {reason}"),
            Fault::WrongShape(reason) => write!(f, "{field} cannot be read: {reason}"),
            Fault::Missing => write!(f, "{field} is required"),
            Fault::NotAString => write!(f, "{field} must be a string"),
            Fault::NotAUuid => write!(f, "{field} must be a UUID"),
            Fault::TooLong { bytes_max } => write!(f, "{field} is longer than {bytes_max} bytes"),
            Fault::TooMany { max } => write!(f, "{field} has more than {max} entries"),
            Fault::Nul => write!(f, "{field} must not hold the character NUL"),
            Fault::Repeated => write!(f, "{field} stands more than once in the list"),
        }
    }
}

impl std::error::Error for InvalidEntry {}
