//! What is fuzzed, and what must hold of whatever comes out.

use analytics_ingestor::event::batch::{InvalidBatch, split_array, split_lines};
use analytics_ingestor::event::envelope;
use analytics_ingestor::event::{Event, EventIn, Origin};
use analytics_ingestor::spool::frame::{self, FRAME_BYTES, HEADER_BYTES, Header, Scan};
use analytics_ingestor::tenant::Tenant;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;

use super::corpus;
use super::run::Target;

const NOW: OffsetDateTime = datetime!(2026-01-01 12:00:00.123456789 UTC);

/// A client's bytes become an event.
pub(crate) struct EventParser;

/// A client's bytes become the events of a batch.
pub(crate) struct BatchSplitter;

/// A record of the topic becomes an event.
pub(crate) struct Envelope;

/// A segment file becomes records.
pub(crate) struct SpoolReader;

fn parse(input: &[u8]) -> Option<Event> {
    let origin = Origin {
        tenant: Tenant::from_operator(7).unwrap(),
        received_at: NOW,
    };
    match EventIn::from_json(input).and_then(|event| event.parse(origin)) {
        Ok(event) => Some(event),
        Err(invalid) => {
            assert!(!invalid.code().is_empty() && !invalid.to_string().is_empty());
            None
        }
    }
}

/// An accepted event is one that the topic, the database and the answers can hold.
fn assert_lasts(event: &Event) {
    assert!((1..=128).contains(&event.event_id.to_text().len()));
    let value = envelope::encode(event, 42);
    assert!(!value.contains(&0) && !value.contains(&b'\n'));
    assert_eq!(envelope::decode(Some(&value), NOW).as_ref(), Ok(event));
    // The payload within is what a client could have sent.
    let json: Value = serde_json::from_slice(&value).unwrap();
    let origin = Origin {
        tenant: event.tenant,
        received_at: event.received_at,
    };
    let payload = json["payload"].to_string();
    let again = EventIn::from_json(payload.as_bytes()).and_then(|event| event.parse(origin));
    assert_eq!(again.as_ref(), Ok(event));
}

impl Target for EventParser {
    fn corpus() -> Vec<Vec<u8>> {
        let events = corpus::events();
        let compact = events.iter().map(|event| event.to_string().into_bytes());
        let pretty = events.iter().map(|event| format!("{event:#}").into_bytes());
        compact.chain(pretty).collect()
    }

    fn check(input: &[u8]) -> bool {
        let event = parse(input);
        event
            .as_ref()
            .inspect(|event| assert_lasts(event))
            .is_some()
    }
}

impl Target for BatchSplitter {
    fn corpus() -> Vec<Vec<u8>> {
        let events = corpus::events();
        let arrays = [0, 1, 5, 30].map(|count| Value::from(events[..count].to_vec()));
        let lines = [1, 5, 30].map(|count| {
            let lines = events[..count].iter().map(|event| format!("{event}\r\n"));
            lines.collect::<String>().into_bytes()
        });
        let mixed = json!([1, "a", null, [[]], {"a": {"b": []}}, -1.5e-9]);
        let arrays = arrays.into_iter().chain([mixed]);
        arrays
            .flat_map(|array| [array.to_string(), format!("{array:#}")])
            .map(String::into_bytes)
            .chain(lines)
            .collect()
    }

    fn check(input: &[u8]) -> bool {
        let array = split_array(input, 20);
        match &array {
            Ok(pieces) => {
                assert!(pieces.len() <= 20);
                for piece in pieces {
                    let parsed: Result<IgnoredAny, _> = serde_json::from_slice(piece);
                    assert!(parsed.is_ok());
                    parse(piece);
                }
                let joined = [b"[".as_slice(), &pieces.join(&b","[..]), b"]"].concat();
                assert_eq!(split_array(&joined, 20).as_ref(), Ok(pieces));
            }
            Err(InvalidBatch::TooManyEvents { events_max }) => assert_eq!(*events_max, 20),
            Err(other) => assert!(!other.to_string().is_empty()),
        }
        let lines = split_lines(input, 20);
        if let Ok(lines) = &lines {
            assert!(lines.len() <= 20);
            for line in lines {
                assert!(!line.is_empty() && !line.contains(&b'\n'));
                assert_eq!(line.trim_ascii(), *line);
            }
            assert_eq!(split_lines(&lines.join(&b'\n'), 20).as_ref(), Ok(lines));
        }
        let is_json = |line: &&[u8]| serde_json::from_slice::<IgnoredAny>(line).is_ok();
        let many = |batch: &Result<_, _>| matches!(batch, Err(InvalidBatch::TooManyEvents { .. }));
        array.is_ok() || many(&array) || many(&lines) || lines.unwrap().iter().all(is_json)
    }
}

impl Target for Envelope {
    fn corpus() -> Vec<Vec<u8>> {
        let events = corpus::events();
        let own = events
            .iter()
            .filter_map(|event| parse(event.to_string().as_bytes()))
            .map(|event| envelope::encode(&event, 42));
        let foreign = events.iter().enumerate().map(|(n, event)| {
            let mut envelope = json!({"payload": event, "user_id": null, "more": [1, {"a": "b"}]});
            if n % 2 == 0 {
                envelope["tenant_id"] = json!(n + 1);
            }
            if n % 3 == 0 {
                envelope["timestamp"] = json!("2025-06-20T12:00:00.25+05:30");
            }
            envelope.to_string().into_bytes()
        });
        own.chain(foreign).collect()
    }

    fn check(input: &[u8]) -> bool {
        match envelope::decode(Some(input), NOW) {
            Ok(event) => {
                assert_lasts(&event);
                true
            }
            Err(invalid) => {
                assert!(!invalid.code().is_empty() && !invalid.reason().is_empty());
                false
            }
        }
    }
}

/// The sequence number before the first record of every segment here.
const AFTER: u64 = 6;

fn a_segment(payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = frame::header().to_vec();
    for (sequence, payload) in (AFTER + 1..).zip(payloads) {
        frame::push(&mut bytes, sequence, 1_750_000_000_000 + sequence, payload);
    }
    bytes
}

impl Target for SpoolReader {
    fn corpus() -> Vec<Vec<u8>> {
        let envelopes = Envelope::corpus();
        let binary: Vec<Vec<u8>> = (1..20_u8)
            .map(|n| vec![n.wrapping_mul(37); usize::from(n)])
            .collect();
        // Records within a record, which must not be taken for records.
        let nested = [a_segment(&envelopes[..2]), a_segment(&binary[..3])];
        let parts = [
            &envelopes[..1],
            &envelopes[..7],
            &envelopes[10..40],
            &binary[..],
            &nested[..],
        ];
        parts.iter().map(|payloads| a_segment(payloads)).collect()
    }

    fn check(input: &[u8]) -> bool {
        let header = frame::read_header(input);
        let scan = frame::scan(input, HEADER_BYTES, AFTER);
        assert_tiles(input, &scan);

        // What stands before the end reads the same without what stands behind it.
        let whole = frame::scan(&input[..scan.end], HEADER_BYTES, AFTER);
        assert_eq!(whole, scan);

        // Nothing that went wrong before hides a record that is appended after it.
        let last = scan.records.last().map_or(AFTER, |found| found.sequence);
        let mut longer = input.to_vec();
        longer.resize(longer.len().max(HEADER_BYTES), 0);
        let at = longer.len();
        frame::push(&mut longer, last + 1, 0, b"the next one");
        let next = frame::scan(&longer, HEADER_BYTES, AFTER);
        assert_eq!(next.records.len(), scan.records.len() + 1);
        assert_eq!(next.records[..scan.records.len()], scan.records);
        assert_eq!(next.records.last().unwrap().payload.start, at + FRAME_BYTES);

        header == Header::Known
            && scan.damaged.is_empty()
            && scan.end == input.len()
            && !scan.records.is_empty()
    }
}

/// Every byte up to the end is in exactly one record or one damaged place, and records are as they were written.
fn assert_tiles(input: &[u8], scan: &Scan) {
    let mut at = HEADER_BYTES.min(input.len());
    let mut last = AFTER;
    let mut damaged = scan.damaged.iter();
    for found in &scan.records {
        let start = found.payload.start - FRAME_BYTES;
        if start != at {
            assert_eq!(damaged.next(), Some(&(at..start)));
        }
        assert!(found.sequence > last);
        let mut written = Vec::new();
        let payload = &input[found.payload.clone()];
        frame::push(&mut written, found.sequence, found.appended_at_ms, payload);
        assert_eq!(written, input[start..found.payload.end]);
        (at, last) = (found.payload.end, found.sequence);
    }
    assert_eq!((damaged.next(), scan.end), (None, at));
    assert_eq!(scan.missing, last - AFTER - scan.records.len() as u64);
}
