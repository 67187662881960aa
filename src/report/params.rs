//! The parameters of the reports, read one way for all of them.

use std::collections::HashMap;

use time::Duration;
use uuid::Uuid;

use super::duration::{parse_date_range, parse_time_range};
use super::paging::Page;

/// The query string, decoded; of a repeated name the last one counts.
#[derive(Debug, Default)]
pub struct QueryParams(HashMap<String, String>);

/// Why the parameters do not do; the texts are the contract's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidParam {
    /// An id is absent or empty.
    #[error("{0} is required")]
    Missing(&'static str),
    /// One of a pair of ids is absent or empty.
    #[error("{0} and {1} are required")]
    MissingPair(&'static str, &'static str),
    /// An id or a range cannot be read.
    #[error("invalid {0} format")]
    Format(&'static str),
    /// An id of an overview is absent or cannot be read.
    #[error("Invalid {0} format")]
    OverviewFormat(&'static str),
}

impl InvalidParam {
    /// The parameter at fault, where it is a single one.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Missing(name) | Self::Format(name) | Self::OverviewFormat(name) => Some(name),
            Self::MissingPair(..) => None,
        }
    }

    /// The stable machine-readable name of the fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) | Self::MissingPair(..) => "missing_parameter",
            Self::Format(_) | Self::OverviewFormat(_) => "invalid_parameter",
        }
    }
}

/// A question of a session.
#[derive(Debug)]
pub struct SessionQuestion {
    /// The session.
    pub session_id: Uuid,
    /// The question, whether it was published there or not.
    pub question_id: Uuid,
}

impl QueryParams {
    /// Takes decoded names and values.
    pub fn new(pairs: HashMap<String, String>) -> Self {
        Self(pairs)
    }

    /// A required id.
    ///
    /// # Errors
    /// If it is absent, empty or no UUID.
    pub fn id(&self, name: &'static str) -> Result<Uuid, InvalidParam> {
        let text = self.text(name).ok_or(InvalidParam::Missing(name))?;
        Uuid::try_parse(text).map_err(|_| InvalidParam::Format(name))
    }

    /// A required id of one of the three overviews, which call an absent one invalid, too.
    ///
    /// # Errors
    /// If it is absent, empty or no UUID.
    pub fn overview_id(&self, name: &'static str) -> Result<Uuid, InvalidParam> {
        self.id(name)
            .map_err(|_| InvalidParam::OverviewFormat(name))
    }

    /// Two ids that only make sense together.
    ///
    /// # Errors
    /// If either is absent, empty or no UUID.
    pub fn id_pair(
        &self,
        first: &'static str,
        second: &'static str,
    ) -> Result<(Uuid, Uuid), InvalidParam> {
        match (self.text(first), self.text(second)) {
            (Some(_), Some(_)) => Ok((self.id(first)?, self.id(second)?)),
            _ => Err(InvalidParam::MissingPair(first, second)),
        }
    }

    /// `session_id` and `question_id`.
    ///
    /// # Errors
    /// If either is absent, empty or no UUID.
    pub fn session_question(&self) -> Result<SessionQuestion, InvalidParam> {
        let (session_id, question_id) = self.id_pair("session_id", "question_id")?;
        Ok(SessionQuestion {
            session_id,
            question_id,
        })
    }

    /// The page; what cannot be read falls back to the defaults, as the original did.
    pub fn page(&self) -> Page {
        let page_size = self
            .positive("page_size")
            .or_else(|| match self.text("page_size") {
                None => self.positive("limit"),
                Some(_) => None,
            });
        Page {
            page: self.positive("page").unwrap_or(1),
            page_size: page_size.unwrap_or(Page::SIZE_DEFAULT).min(Page::SIZE_MAX),
        }
    }

    /// `time_range`, by default the last hour.
    ///
    /// # Errors
    /// If it cannot be read, or is longer than 100 years.
    pub fn time_range(&self) -> Result<Duration, InvalidParam> {
        let range = self
            .text("time_range")
            .map_or(Some(Duration::HOUR), parse_time_range);
        range.ok_or(InvalidParam::Format("time_range"))
    }

    /// `date_range`, by default the last 7 days.
    ///
    /// # Errors
    /// If it cannot be read, or is longer than 100 years.
    pub fn date_range(&self) -> Result<Duration, InvalidParam> {
        let range = self
            .text("date_range")
            .map_or(Some(Duration::WEEK), parse_date_range);
        range.ok_or(InvalidParam::Format("date_range"))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    fn positive(&self, name: &str) -> Option<i64> {
        let text = self.text(name)?;
        let digits = text.strip_prefix('+').unwrap_or(text);
        match digits.parse::<i64>() {
            Ok(number) => (number >= 1).then_some(number),
            // A number too large to count with is still a page beyond the end, not page 1.
            Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => Some(i64::MAX),
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> QueryParams {
        QueryParams::new(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn an_id_is_required_and_must_be_a_uuid() {
        let name = "session_id";
        assert_eq!(
            query(&[]).id(name).unwrap_err().to_string(),
            "session_id is required"
        );
        assert_eq!(
            query(&[(name, "")]).id(name).unwrap_err().to_string(),
            "session_id is required"
        );
        assert_eq!(
            query(&[(name, "x")]).id(name).unwrap_err().to_string(),
            "invalid session_id format"
        );
        assert!(
            query(&[(name, "{900e8400-e29b-41d4-a716-446655440000}")])
                .id(name)
                .is_ok()
        );
    }

    #[test]
    fn a_pair_is_required_together() {
        let half = query(&[("session_id", "900e8400-e29b-41d4-a716-446655440000")]);
        let invalid = half.id_pair("session_id", "question_id").unwrap_err();
        assert_eq!(
            invalid.to_string(),
            "session_id and question_id are required"
        );
    }

    #[test]
    fn paging_falls_back_and_is_capped() {
        for (pairs, page, page_size) in [
            (&[][..], 1, 50),
            (&[("page", "0"), ("page_size", "-1")], 1, 50),
            (&[("page", "x"), ("page_size", "x")], 1, 50),
            (&[("page", "3"), ("page_size", "5000")], 3, 1_000),
            (&[("limit", "7")], 1, 7),
            (&[("limit", "7"), ("page_size", "9")], 1, 9),
            (&[("limit", "7"), ("page_size", "x")], 1, 50),
            (&[("page", "99999999999999999999")], i64::MAX, 50),
        ] {
            assert_eq!(query(pairs).page(), Page { page, page_size }, "{pairs:?}");
        }
    }

    #[test]
    fn ranges_have_defaults_and_bounds() {
        assert_eq!(query(&[]).time_range(), Ok(Duration::HOUR));
        assert_eq!(query(&[]).date_range(), Ok(Duration::WEEK));
        let bad = query(&[("time_range", "soon"), ("date_range", "7")]);
        assert_eq!(
            bad.time_range().unwrap_err().to_string(),
            "invalid time_range format"
        );
        assert_eq!(
            bad.date_range().unwrap_err().to_string(),
            "invalid date_range format"
        );
    }
}
