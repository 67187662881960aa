//! Record headers: the place of all metadata, so that nothing has to be parsed from a payload to route or dedupe.

use std::borrow::Cow;

use bytes::Bytes;

/// What kind of event the record holds.
pub const EVENT_TYPE: &str = "event_type";
/// The event's own id, for removing duplicates.
pub const EVENT_ID: &str = "event_id";
/// The request or process that this event belongs to.
pub const CORRELATION_ID: &str = "correlation_id";
/// The longer exchange that this event belongs to.
pub const CONVERSATION_ID: &str = "conversation_id";
/// The program that sent the record.
pub const SOURCE: &str = "source";
/// W3C trace context.
pub const TRACEPARENT: &str = "traceparent";

/// A name with a value that may be absent; names need not be unique in one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The header's name.
    pub name: Cow<'static, str>,
    /// The header's bytes, or nothing at all.
    pub value: Option<Bytes>,
}

/// The headers of one record, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<Header>);

impl Headers {
    /// No headers.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Adds one behind the others.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Bytes>) {
        self.0.push(Header {
            name: name.into(),
            value: Some(value.into()),
        });
    }

    /// Adds one that may have no value.
    pub fn push_header(&mut self, header: Header) {
        self.0.push(header);
    }

    /// The value of the last header of this name, as Kafka clients agree.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .rev()
            .find(|header| header.name == name)?
            .value
            .as_deref()
    }

    /// The same as text; `None` too when it is not UTF-8.
    #[must_use]
    pub fn get_str(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get(name)?).ok()
    }

    /// All of them, in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Header> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a Header;
    type IntoIter = std::slice::Iter<'a, Header>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Header> for Headers {
    fn from_iter<I: IntoIterator<Item = Header>>(headers: I) -> Self {
        Self(headers.into_iter().collect())
    }
}
