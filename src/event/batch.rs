//! Cutting a batch into its events: a JSON array, or one event a line.
//!
//! Only cuts; each piece is judged by [`EventIn`](super::EventIn) on its own, so that one bad event never takes the
//! others with it.

use std::fmt;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Why a body is no batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBatch {
    /// The body is not JSON.
    #[error("not valid JSON: {0}")]
    BrokenJson(String),
    /// The body is JSON, but no array.
    #[error("a batch must be a JSON array of events")]
    NotAnArray,
    /// More events than a batch may have.
    #[error("a batch holds at most {events_max} events")]
    TooManyEvents {
        /// Most events a batch may have.
        events_max: usize,
    },
}

/// Cuts a JSON array into the text of its elements.
///
/// # Errors
/// If the body is not a JSON array, or has more than `events_max` elements; reading stops at the first one too many.
pub fn split_array(body: &[u8], events_max: usize) -> Result<Vec<&[u8]>, InvalidBatch> {
    let mut over_limit = false;
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let cut = deserializer
        .deserialize_seq(ElementsVisitor {
            events_max,
            over_limit: &mut over_limit,
        })
        .and_then(|elements| deserializer.end().map(|()| elements));
    cut.map_err(|error| match error.classify() {
        serde_json::error::Category::Data if over_limit => {
            InvalidBatch::TooManyEvents { events_max }
        }
        serde_json::error::Category::Data => InvalidBatch::NotAnArray,
        _ => InvalidBatch::BrokenJson(error.to_string()),
    })
}

/// Cuts newline-delimited JSON into its lines; empty lines are skipped.
///
/// # Errors
/// If there are more than `events_max` lines.
pub fn split_lines(body: &[u8], events_max: usize) -> Result<Vec<&[u8]>, InvalidBatch> {
    let mut lines = Vec::new();
    for line in body
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
    {
        if lines.len() == events_max {
            return Err(InvalidBatch::TooManyEvents { events_max });
        }
        lines.push(line);
    }
    Ok(lines)
}

struct ElementsVisitor<'f> {
    events_max: usize,
    over_limit: &'f mut bool,
}

impl<'de> Visitor<'de> for ElementsVisitor<'_> {
    type Value = Vec<&'de [u8]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element::<&RawValue>()? {
            if elements.len() == self.events_max {
                *self.over_limit = true;
                return Err(serde::de::Error::custom("too many events"));
            }
            elements.push(element.get().as_bytes());
        }
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_cut_into_the_text_of_its_elements() {
        let pieces = split_array(br#" [ {"a": [1, 2]} , 5,"x"] "#, 10).unwrap();
        assert_eq!(pieces, [&br#"{"a": [1, 2]}"#[..], b"5", br#""x""#]);
        assert!(split_array(b"[]", 10).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_array_is_refused() {
        for body in ["{\"events\": []}", "5", "null", "\"[]\""] {
            assert_eq!(
                split_array(body.as_bytes(), 10),
                Err(InvalidBatch::NotAnArray),
                "{body}"
            );
        }
        for body in ["", "[", "[1,]", "[] x", "[1 2]"] {
            assert!(
                matches!(
                    split_array(body.as_bytes(), 10),
                    Err(InvalidBatch::BrokenJson(_))
                ),
                "{body}"
            );
        }
    }

    #[test]
    fn one_element_too_many_is_over_the_limit() {
        assert_eq!(split_array(b"[1,2]", 2).unwrap().len(), 2);
        let over = Err(InvalidBatch::TooManyEvents { events_max: 2 });
        assert_eq!(split_array(b"[1,2,3]", 2), over);
        assert_eq!(split_lines(b"1\n2\n3", 2), over);
    }

    #[test]
    fn lines_are_cut_at_newlines_and_empty_ones_skipped() {
        assert_eq!(
            split_lines(b"{}\r\n\n  \n{bad\n", 10).unwrap(),
            [&b"{}"[..], b"{bad"]
        );
    }
}
