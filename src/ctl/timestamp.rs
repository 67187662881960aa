//! Times as an operator types them.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A time of the form 2025-06-20T12:00:00Z.
pub(super) fn parse(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "not of the form 2025-06-20T12:00:00Z".to_owned())
}
