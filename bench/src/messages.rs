//! The product's own records in a file, for the raw producer to send: the same keys, headers and payloads.
//!
//! Format: for each message a count of parts (u32, big-endian), then each part as its length (u32) and its bytes;
//! the parts are key, payload, and then name and value of each header.

use std::io::Write;
use std::path::Path;

use analytics_ingestor::event::envelope::encode;
use analytics_ingestor::event::{EventIn, Origin};
use analytics_ingestor::tenant::Tenant;
use time::OffsetDateTime;

use crate::stream::{EVENT_BYTES, Stream};

/// Messages in the file; the producer begins again after the last.
const MESSAGES: usize = 60_000;

/// Writes the file.
pub(crate) fn write(path: &Path) -> anyhow::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let mut stream = Stream::new();
    let mut json = [0; EVENT_BYTES];
    for _ in 0..MESSAGES {
        stream.write_json(&mut json);
        let event = EventIn::from_json(&json)?.parse(Origin {
            tenant: Tenant::DEFAULT,
            received_at: OffsetDateTime::now_utc(),
        })?;
        let key = event.session_id.to_string();
        let payload = encode(&event, 1);
        let event_id = event.event_id.uuid().to_string();
        let parts: [&[u8]; 8] = [
            key.as_bytes(),
            &payload,
            b"event_type",
            event.type_name().as_bytes(),
            b"event_id",
            event_id.as_bytes(),
            b"source",
            b"analytics-ingestor",
        ];
        file.write_all(&u32::try_from(parts.len())?.to_be_bytes())?;
        for part in parts {
            file.write_all(&u32::try_from(part.len())?.to_be_bytes())?;
            file.write_all(part)?;
        }
    }
    file.flush()?;
    Ok(())
}
