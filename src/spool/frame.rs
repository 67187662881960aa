//! How a segment file reads: a header, then records, each framed so that a damaged one is noticed and the next one found.
//!
//! ```text
//! header   "QUIZSPL\n"  version u32  crc u32
//! record   mark [ff 'R' 'E' fe]  length u32  sequence u64  appended at, ms u64  crc u32  payload
//! ```
//!
//! Numbers are little-endian; the checksum is CRC-32 over everything of the record but mark and checksum. Pure functions
//! over bytes: no file is opened here.

use std::ops::Range;

/// What a segment begins with, before its version.
const MAGIC: [u8; 8] = *b"QUIZSPL\n";

/// The version that this program writes, and the only one that it reads.
const VERSION: u32 = 1;

/// Bytes before the first record.
pub const HEADER_BYTES: usize = 16;

/// What a record begins with. The first byte occurs in no UTF-8 text, so no text can look like a record.
const MARK: [u8; 4] = [0xff, b'R', b'E', 0xfe];

/// Bytes of a record before its payload.
pub const FRAME_BYTES: usize = 28;

/// Most bytes of a payload; a length beyond it is damage.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A record found in a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its number, counted over all segments.
    pub sequence: u64,
    /// When it was appended, in milliseconds since 1970.
    pub appended_at_ms: u64,
    /// Where its payload stands.
    pub payload: Range<usize>,
}

/// What a segment's bytes hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// The whole records, in order.
    pub records: Vec<Found>,
    /// The bytes before a whole record that belong to none.
    pub damaged: Vec<Range<usize>>,
    /// Records that the sequence numbers say were there and are no longer.
    pub missing: u64,
    /// Where the last whole record ends; what follows is the torn end of a write, or nothing.
    pub end: usize,
}

/// What the first bytes of a segment say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// A segment that this program can read.
    Known,
    /// A whole header of another version.
    Version(u32),
    /// No header.
    Damaged,
}

/// The header of a new segment.
pub fn header() -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    let crc = crc32fast::hash(&header[..12]);
    header[12..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// Reads the header of a segment.
pub fn read_header(bytes: &[u8]) -> Header {
    let Some((checked, rest)) = bytes.split_at_checked(12) else {
        return Header::Damaged;
    };
    if u32_at(rest, 0) != Some(crc32fast::hash(checked)) || checked[..8] != MAGIC {
        return Header::Damaged;
    }
    match u32_at(checked, 8) {
        Some(VERSION) => Header::Known,
        Some(version) => Header::Version(version),
        None => Header::Damaged,
    }
}

/// Adds a record to a buffer.
///
/// # Panics
/// If the payload is empty or longer than [`PAYLOAD_BYTES_MAX`].
pub fn push(buffer: &mut Vec<u8>, sequence: u64, appended_at_ms: u64, payload: &[u8]) {
    assert!(
        (1..=PAYLOAD_BYTES_MAX).contains(&payload.len()),
        "a payload has 1 to {PAYLOAD_BYTES_MAX} bytes"
    );
    let length = u32::try_from(payload.len()).expect("the bound is below 4 GiB");
    let mut checked = [0; 20];
    checked[..4].copy_from_slice(&length.to_le_bytes());
    checked[4..12].copy_from_slice(&sequence.to_le_bytes());
    checked[12..].copy_from_slice(&appended_at_ms.to_le_bytes());
    buffer.extend_from_slice(&MARK);
    buffer.extend_from_slice(&checked);
    buffer.extend_from_slice(&checksum(&checked, payload).to_le_bytes());
    buffer.extend_from_slice(payload);
}

fn checksum(checked: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(checked);
    hasher.update(payload);
    hasher.finalize()
}

/// Finds the records in the bytes of a segment from `from` on; `after` is the sequence number before the first of them.
///
/// A record that comes out is one that went in, and stands after those before it. After damage the search goes on at
/// the next mark.
pub fn scan(bytes: &[u8], from: usize, after: u64) -> Scan {
    let mut scan = Scan {
        end: from.min(bytes.len()),
        ..Scan::default()
    };
    let mut last = after;
    while let Some((start, found)) = next_record(bytes, scan.end, last) {
        if start > scan.end {
            scan.damaged.push(scan.end..start);
        }
        scan.missing += found.sequence - last - 1;
        last = found.sequence;
        scan.end = found.payload.end;
        scan.records.push(found);
    }
    scan
}

fn next_record(bytes: &[u8], from: usize, after: u64) -> Option<(usize, Found)> {
    let mut at = from;
    loop {
        if let Some(found) = record_at(bytes, at, after) {
            return Some((at, found));
        }
        let rest = bytes.get(at + 1..)?;
        at += 1 + rest.iter().position(|byte| *byte == MARK[0])?;
    }
}

fn record_at(bytes: &[u8], at: usize, after: u64) -> Option<Found> {
    let frame = bytes.get(at..)?.get(..FRAME_BYTES)?;
    if frame[..4] != MARK {
        return None;
    }
    let length = usize::try_from(u32_at(frame, 4)?).ok()?;
    let sequence = u64_at(frame, 8)?;
    // A sequence number that skips more records than there were bytes is as wrong as one that goes back.
    let furthest = after.saturating_add(bytes.len() as u64);
    if length == 0 || length > PAYLOAD_BYTES_MAX || sequence <= after || sequence > furthest {
        return None;
    }
    let start = at + FRAME_BYTES;
    let payload = bytes.get(start..start.checked_add(length)?)?;
    (u32_at(frame, 24)? == checksum(&frame[4..24], payload)).then(|| Found {
        sequence,
        appended_at_ms: u64_at(frame, 16).unwrap_or_default(),
        payload: start..start + length,
    })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*four))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let eight = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*eight))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOADS: [&[u8]; 4] = [b"{}", b"one record", b"\xff\xff\xffRE", b"the last one"];

    fn a_segment() -> Vec<u8> {
        let mut bytes = header().to_vec();
        for (place, payload) in PAYLOADS.iter().enumerate() {
            push(&mut bytes, 7 + place as u64, 1_000, payload);
        }
        bytes
    }

    fn payloads<'a>(bytes: &'a [u8], scan: &Scan) -> Vec<&'a [u8]> {
        let payload = |found: &Found| &bytes[found.payload.clone()];
        scan.records.iter().map(payload).collect()
    }

    #[test]
    fn what_goes_in_comes_out() {
        let bytes = a_segment();
        assert_eq!(read_header(&bytes), Header::Known);
        let scan = scan(&bytes, HEADER_BYTES, 6);
        assert_eq!(payloads(&bytes, &scan), PAYLOADS);
        assert_eq!((scan.end, scan.missing), (bytes.len(), 0));
        assert!(scan.damaged.is_empty());
        assert_eq!(scan.records[3].sequence, 10);
        assert_eq!(scan.records[3].appended_at_ms, 1_000);
    }

    #[test]
    fn cut_at_any_byte_exactly_the_whole_records_are_left() {
        let bytes = a_segment();
        let ends: Vec<usize> = scan(&bytes, HEADER_BYTES, 6)
            .records
            .iter()
            .map(|found| found.payload.end)
            .collect();
        for length in HEADER_BYTES..=bytes.len() {
            let cut = &bytes[..length];
            let whole = ends.iter().filter(|end| **end <= length).count();
            let scan = scan(cut, HEADER_BYTES, 6);
            assert_eq!(payloads(cut, &scan), PAYLOADS[..whole], "cut at {length}");
            assert!(scan.damaged.is_empty() && scan.missing == 0, "{scan:?}");
            let end = ends[..whole].last().copied().unwrap_or(HEADER_BYTES);
            assert_eq!(scan.end, end);
        }
    }

    #[test]
    fn a_torn_end_of_zeros_or_garbage_is_no_record() {
        for filling in [[0; 99], [0xff; 99], [b'R'; 99]] {
            let mut bytes = a_segment();
            let end = bytes.len();
            bytes.extend(filling);
            let scan = scan(&bytes, HEADER_BYTES, 6);
            assert_eq!((scan.end, scan.records.len()), (end, PAYLOADS.len()));
        }
    }

    #[test]
    fn with_any_bit_flipped_no_wrong_record_comes_out_and_the_others_do() {
        let whole = a_segment();
        let spans: Vec<Range<usize>> = scan(&whole, HEADER_BYTES, 6)
            .records
            .iter()
            .map(|found| found.payload.start - FRAME_BYTES..found.payload.end)
            .collect();
        for at in HEADER_BYTES..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                let hit = spans.iter().position(|span| span.contains(&at));
                let mut left = PAYLOADS.to_vec();
                left.remove(hit.unwrap());
                let scan = scan(&bytes, HEADER_BYTES, 6);
                assert_eq!(payloads(&bytes, &scan), left, "bit {bit} of byte {at}");
                if hit == Some(PAYLOADS.len() - 1) {
                    assert!(scan.damaged.is_empty() && scan.end < bytes.len());
                } else {
                    assert_eq!(scan.damaged, [spans[hit.unwrap()].clone()]);
                    assert_eq!((scan.missing, scan.end), (1, bytes.len()));
                }
            }
        }
    }

    #[test]
    fn a_record_of_another_time_is_not_taken() {
        let mut bytes = a_segment();
        let end = bytes.len();
        for sequence in [0, 1, 10, u64::MAX] {
            push(&mut bytes, sequence, 0, b"left over");
        }
        assert_eq!(scan(&bytes, HEADER_BYTES, 6).end, end);
    }

    #[test]
    fn a_header_is_known_of_another_version_or_damaged() {
        for at in 0..HEADER_BYTES {
            let mut bytes = header();
            bytes[at] ^= 1;
            assert_eq!(read_header(&bytes), Header::Damaged, "byte {at}");
            assert_eq!(read_header(&header()[..at]), Header::Damaged);
        }
        let mut later = header();
        later[8] = 2;
        let crc = crc32fast::hash(&later[..12]);
        later[12..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(read_header(&later), Header::Version(2));
    }
}
