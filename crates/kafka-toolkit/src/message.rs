//! What goes into a topic: a mandatory key, the payload's bytes untouched, and metadata in headers.

use std::borrow::Cow;

use bytes::Bytes;

use crate::header::{self, Header, Headers};
use crate::record::Record;

/// A message ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub(crate) key: Option<Bytes>,
    pub(crate) payload: Option<Bytes>,
    pub(crate) headers: Headers,
    pub(crate) timestamp_ms: Option<i64>,
}

/// Why a message can't be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    /// Records without a key have no order and no fixed partition.
    #[error("the key is empty")]
    EmptyKey,
    /// Brokers and other clients treat header names as text that ends at a zero byte.
    #[error("the header name {0:?} is empty or holds a zero byte")]
    HeaderName(String),
}

impl Message {
    /// Starts a message with its key, which decides the partition: equal keys stay in order.
    pub fn builder(key: impl Into<Bytes>) -> MessageBuilder {
        MessageBuilder {
            key: key.into(),
            payload: Bytes::new(),
            headers: Headers::new(),
        }
    }

    /// A faithful copy of a record, for putting it back: key, payload and headers as they are, even without a key;
    /// its time is that of its sending.
    #[must_use]
    pub fn copy_of(record: &Record) -> Self {
        Self {
            key: record.key.clone(),
            payload: record.payload.clone(),
            headers: record.headers.clone(),
            timestamp_ms: None,
        }
    }

    /// The same with a time of its own, in milliseconds since 1970, instead of that of its sending. Brokers refuse one
    /// that is far ahead.
    #[must_use]
    pub fn at_ms(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }

    /// The key; absent only in a copy of a record that has none.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> Option<&[u8]> {
        self.payload.as_deref()
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }
}

/// Gathers the parts of a [`Message`].
#[derive(Debug, Clone)]
#[must_use]
pub struct MessageBuilder {
    key: Bytes,
    payload: Bytes,
    headers: Headers,
}

impl MessageBuilder {
    /// The payload's bytes, which are sent as they are.
    pub fn payload(mut self, payload: impl Into<Bytes>) -> Self {
        self.payload = payload.into();
        self
    }

    /// What kind of event this is.
    pub fn event_type(self, event_type: impl Into<Bytes>) -> Self {
        self.header(header::EVENT_TYPE, event_type)
    }

    /// The event's own id, for removing duplicates.
    pub fn event_id(self, event_id: impl Into<Bytes>) -> Self {
        self.header(header::EVENT_ID, event_id)
    }

    /// The request or process that this event belongs to.
    pub fn correlation_id(self, correlation_id: impl Into<Bytes>) -> Self {
        self.header(header::CORRELATION_ID, correlation_id)
    }

    /// The longer exchange that this event belongs to.
    pub fn conversation_id(self, conversation_id: impl Into<Bytes>) -> Self {
        self.header(header::CONVERSATION_ID, conversation_id)
    }

    /// The program that sends this.
    pub fn source(self, source: impl Into<Bytes>) -> Self {
        self.header(header::SOURCE, source)
    }

    /// W3C trace context, as in the HTTP header of this name.
    pub fn traceparent(self, traceparent: impl Into<Bytes>) -> Self {
        self.header(header::TRACEPARENT, traceparent)
    }

    /// Any other header.
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Bytes>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// The finished message.
    ///
    /// # Errors
    /// [`InvalidMessage`] when the key is empty or a header's name can't be sent.
    pub fn build(self) -> Result<Message, InvalidMessage> {
        if self.key.is_empty() {
            return Err(InvalidMessage::EmptyKey);
        }
        if let Some(Header { name, .. }) = self
            .headers
            .iter()
            .find(|header| header.name.is_empty() || header.name.contains('\0'))
        {
            return Err(InvalidMessage::HeaderName(name.to_string()));
        }
        Ok(Message {
            key: Some(self.key),
            payload: Some(self.payload),
            headers: self.headers,
            timestamp_ms: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_without_a_key_is_refused() {
        assert_eq!(
            Message::builder("").payload("x").build(),
            Err(InvalidMessage::EmptyKey)
        );
    }

    #[test]
    fn a_header_name_that_could_not_be_read_back_is_refused() {
        let built = Message::builder("k").header("a\0b", "v").build();
        assert_eq!(built, Err(InvalidMessage::HeaderName("a\0b".to_owned())));
        let built = Message::builder("k").header("", "v").build();
        assert_eq!(built, Err(InvalidMessage::HeaderName(String::new())));
    }

    #[test]
    fn metadata_goes_into_headers_and_the_payload_stays_as_it_is() {
        let message = Message::builder("session-1")
            .payload(&b"\x00 not json \xff"[..])
            .event_type("ANSWER")
            .event_id("e-1")
            .correlation_id("c-1")
            .conversation_id("v-1")
            .source("test")
            .traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            .header("extra", "1")
            .build()
            .unwrap();
        assert_eq!(message.payload(), Some(&b"\x00 not json \xff"[..]));
        let names: Vec<_> = message.headers().iter().map(|h| h.name.as_ref()).collect();
        assert_eq!(
            names,
            [
                "event_type",
                "event_id",
                "correlation_id",
                "conversation_id",
                "source",
                "traceparent",
                "extra"
            ]
        );
    }
}
