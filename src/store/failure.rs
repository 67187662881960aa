//! What a database error means for the events that were being written.

use std::borrow::Cow;

/// What to do after a failed statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The database is away or overloaded; the same statement may succeed later.
    Unavailable,
    /// Two transactions were in each other's way; the same statement succeeds when tried again at once.
    Conflict,
    /// The data itself was refused and always will be; the SQLSTATE says why.
    Refused(Cow<'static, str>),
}

/// Sorts a database error by its SQLSTATE.
///
/// Everything unknown counts as [`Failure::Unavailable`]: an event that waits is kept, one that is called refused
/// is taken out of the stream, so only the classes that speak of the data itself may say so.
pub(super) fn classify(error: &sqlx::Error) -> Failure {
    match error {
        sqlx::Error::Database(error) => match error.code() {
            Some(code) if code == "40001" || code == "40P01" => Failure::Conflict,
            // 22: data exception; 23: integrity constraint; 54: a limit such as the row size.
            Some(code)
                if ["22", "23", "54"]
                    .iter()
                    .any(|class| code.starts_with(class)) =>
            {
                Failure::Refused(code.into_owned().into())
            }
            _ => Failure::Unavailable,
        },
        // Raised by the driver before anything is sent.
        sqlx::Error::Encode(_) => Failure::Refused("encode".into()),
        _ => Failure::Unavailable,
    }
}

/// Whether the connection itself broke, so that another one may do better at once.
pub(super) fn is_broken_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        // 57P01, 57P02: the server is shutting down, or crashed; 25P03: this process slept inside a transaction.
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| matches!(&*code, "57P01" | "57P02" | "25P03")),
        _ => false,
    }
}
