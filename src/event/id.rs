//! Event ids: any text of 1 to 128 bytes names an event.

use uuid::Uuid;

use super::invalid::{Fault, InvalidEvent};

/// Namespace of the UUIDv5 that stands for an event id which is not a UUID itself. Never change it: a replayed
/// event would get a new id and be counted twice.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f2a_19c4_53d1_4b7e_9e0c_8d41_7a35_b2f6);

/// An event id as stored, with the text that the client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventId {
    uuid: Uuid,
    /// The client's text, where it is not the canonical text of `uuid`.
    sent: Option<Box<str>>,
}

impl EventId {
    /// Longest id accepted, in bytes.
    pub const BYTES_MAX: usize = 128;

    /// Takes a UUID in any of its four text forms as it is, and maps any other text to a fixed UUIDv5.
    ///
    /// # Errors
    /// If the text is longer than [`Self::BYTES_MAX`] or holds a NUL.
    pub fn parse(text: &str) -> Result<Self, InvalidEvent> {
        if text.len() > Self::BYTES_MAX {
            return Err(InvalidEvent::in_field(
                "event_id",
                Fault::TooLong {
                    bytes_max: Self::BYTES_MAX,
                },
            ));
        }
        if text.contains('\0') {
            return Err(InvalidEvent::in_field("event_id", Fault::Nul));
        }
        let uuid =
            Uuid::try_parse(text).unwrap_or_else(|_| Uuid::new_v5(&NAMESPACE, text.as_bytes()));
        let mut canonical = Uuid::encode_buffer();
        let is_canonical = uuid.hyphenated().encode_lower(&mut canonical) == text;
        Ok(Self {
            uuid,
            sent: (!is_canonical).then(|| text.into()),
        })
    }

    /// The id under which the event is stored.
    pub fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// The client's own text, where it is not the canonical text of [`Self::uuid`].
    pub fn sent(&self) -> Option<&str> {
        self.sent.as_deref()
    }

    /// The id as the client sent it.
    pub fn to_text(&self) -> String {
        self.sent()
            .map_or_else(|| self.uuid.to_string(), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_uuid_names_the_same_event_and_is_echoed_as_sent() {
        for text in [
            "900e8400-e29b-41d4-a716-446655440099",
            "900e8400e29b41d4a716446655440099",
            "{900e8400-e29b-41d4-a716-446655440099}",
            "urn:uuid:900e8400-e29b-41d4-a716-446655440099",
            "900E8400-E29B-41D4-A716-446655440099",
        ] {
            let id = EventId::parse(text).unwrap();
            assert_eq!(
                id.uuid(),
                Uuid::from_u128(0x900e8400_e29b_41d4_a716_446655440099),
                "{text}"
            );
            assert_eq!(id.to_text(), text);
        }
    }

    #[test]
    fn a_free_text_id_maps_to_the_same_uuid_for_ever() {
        let id = EventId::parse("test-001").unwrap();
        assert_eq!(id.uuid().get_version_num(), 5);
        assert_eq!(id.uuid(), EventId::parse("test-001").unwrap().uuid());
        assert_ne!(id.uuid(), EventId::parse("test-002").unwrap().uuid());
        assert_eq!(id.sent(), Some("test-001"));
        assert_eq!(
            id.uuid().to_string(),
            "3bb5153b-12af-5d5f-8d77-b06ddb49b493"
        );
    }

    #[test]
    fn an_id_of_128_bytes_is_taken_and_one_of_129_is_not() {
        assert!(EventId::parse(&"x".repeat(128)).is_ok());
        assert!(EventId::parse(&"x".repeat(129)).is_err());
        assert!(EventId::parse("a\0b").is_err());
    }
}
