//! What can be wrong with an event, said in words that are safe to send back.

/// Why an event is refused, and which field is at fault where one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidEvent {
    /// The JSON key at fault.
    pub field: Option<&'static str>,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Not JSON at all; the text says where it breaks.
    BrokenJson(String),
    /// JSON, but not an object.
    NotAnObject,
    /// A required field is absent, null or empty.
    Missing,
    /// The field has another JSON type than the contract's.
    WrongType {
        /// The type that the contract asks for.
        expected: &'static str,
    },
    /// The field is not a UUID.
    NotAUuid,
    /// The field is not an RFC 3339 timestamp with an offset.
    NotATimestamp,
    /// The timestamp is before the year 1 in UTC.
    TooEarly,
    /// The timestamp is too far ahead of the server's clock.
    InTheFuture,
    /// The number is outside its bounds.
    OutOfRange {
        /// Least value taken.
        min: i64,
        /// Greatest value taken.
        max: i64,
    },
    /// The text is too long.
    TooLong {
        /// Longest text taken, in bytes.
        bytes_max: usize,
    },
    /// The text holds the character NUL, which PostgreSQL cannot store.
    Nul,
    /// The type of the event is none that the contract knows.
    UnknownType(String),
    /// The field stands more than once in the object.
    Repeated,
}

impl InvalidEvent {
    pub(super) fn in_field(field: &'static str, fault: Fault) -> Self {
        Self {
            field: Some(field),
            fault,
        }
    }

    pub(super) fn whole(fault: Fault) -> Self {
        Self { field: None, fault }
    }

    /// The stable machine-readable name of the fault.
    pub fn code(&self) -> &'static str {
        match self.fault {
            Fault::BrokenJson(_) => "broken_json",
            Fault::NotAnObject => "not_an_object",
            Fault::Missing => "missing_field",
            Fault::WrongType { .. } => "wrong_type",
            Fault::NotAUuid => "invalid_uuid",
            Fault::NotATimestamp => "invalid_timestamp",
            Fault::TooEarly => "timestamp_too_early",
            Fault::InTheFuture => "timestamp_in_the_future",
            Fault::OutOfRange { .. } => "out_of_range",
            Fault::TooLong { .. } => "too_long",
            Fault::Nul => "nul_character",
            Fault::UnknownType(_) => "unknown_event_type",
            Fault::Repeated => "repeated_field",
        }
    }
}

impl std::fmt::Display for InvalidEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let field = self.field.unwrap_or("event");
        match &self.fault {
            Fault::BrokenJson(reason) => write!(f, "not valid JSON: {reason}"),
            Fault::NotAnObject => write!(f, "an event must be a JSON object"),
            Fault::Missing => write!(f, "{field} is required"),
            Fault::WrongType { expected } => write!(f, "{field} must be {expected}"),
            Fault::NotAUuid => write!(f, "{field} must be a UUID"),
            Fault::NotATimestamp => write!(
                f,
                "{field} must be an RFC 3339 time with an offset, such as 2025-06-20T10:01:00Z"
            ),
            Fault::TooEarly => write!(f, "{field} is before the year 1"),
            Fault::InTheFuture => write!(
                f,
                "{field} is more than 24 hours ahead of the server's clock"
            ),
            Fault::OutOfRange { min, max } => write!(f, "{field} must be between {min} and {max}"),
            Fault::TooLong { bytes_max } => write!(f, "{field} is longer than {bytes_max} bytes"),
            Fault::Nul => write!(f, "{field} must not hold the character NUL"),
            // The text of the original; clients know it.
            Fault::UnknownType(name) => write!(f, "unknown event type: {name}"),
            Fault::Repeated => write!(f, "{field} stands more than once"),
        }
    }
}

impl std::error::Error for InvalidEvent {}
