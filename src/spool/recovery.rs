//! What the last run has left: which segments there are, what a crash has done to them, what a bad disk has.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use tracing::{error, warn};

use super::directory::{DAMAGED_SUFFIX, Directory, OpenError};
use super::frame::{self, HEADER_BYTES, Header, Scan};
use super::ledger::Segment;
use crate::metrics;

/// Reads what the last run left, oldest first, and the number of the next record.
pub(super) fn recover(directory: &Directory) -> Result<(VecDeque<Segment>, u64), OpenError> {
    let firsts = directory.segments().map_err(|source| OpenError::Unusable {
        directory: directory.path().to_owned(),
        step: "it cannot be listed",
        source,
    })?;
    let mut segments = VecDeque::new();
    let mut next = 1;
    for (place, first) in firsts.iter().enumerate() {
        let is_last = place + 1 == firsts.len();
        let (segment, last) = recover_segment(directory, *first, is_last)?;
        next = last.max(*first).saturating_add(1);
        segments.extend(segment);
    }
    Ok((segments, next))
}

/// What a segment file holds, and the number of its last record.
fn recover_segment(
    directory: &Directory,
    first: u64,
    is_last: bool,
) -> Result<(Option<Segment>, u64), OpenError> {
    let path = directory.segment_path(first);
    let before = first.saturating_sub(1);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            // The server has other work, and the next start may have better luck.
            report_unreadable(&path, &error);
            return Ok((None, before));
        }
    };
    let header = frame::read_header(&bytes);
    if let Header::Version(version) = header {
        return Err(OpenError::Version {
            file: path,
            version,
        });
    }
    let scan = frame::scan(&bytes, HEADER_BYTES, before);
    let last = scan.records.last().map_or(before, |found| found.sequence);
    // A file that was begun and got nothing.
    let is_blank = bytes.len() <= HEADER_BYTES || bytes.iter().all(|byte| *byte == 0);
    let has_rest = bytes.len() > scan.end;
    // Only the newest segment can have been cut off in the middle of a write, at its end: the older ones were whole
    // before the next was begun.
    let is_damaged = !is_blank
        && (header == Header::Damaged || !scan.damaged.is_empty() || has_rest && !is_last);
    if is_damaged {
        report_damage(&path, &scan);
    } else if has_rest {
        warn!(
            segment = %path.display(),
            bytes = bytes.len() - scan.end,
            "the end of the spool was being written when the last run ended; it was not acknowledged and is cut off"
        );
    }
    let tidied = match (scan.records.is_empty(), is_damaged) {
        (true, true) => directory.put_aside(first).map(drop),
        (true, false) => directory.remove(first),
        (false, false) if has_rest => directory.cut(first, scan.end as u64),
        (false, _) => Ok(()),
    };
    if let Err(error) = tidied {
        warn!(segment = %path.display(), error = %error, "a file of the spool cannot be tidied up; it is left as it is");
    }
    let segment = scan.records.first().map(|oldest| Segment {
        first,
        end: if is_damaged { bytes.len() } else { scan.end } as u64,
        waiting: scan.records.len() as u64,
        oldest_at_ms: oldest.appended_at_ms,
        damaged: is_damaged,
    });
    Ok((segment, last))
}

/// Says that a segment does not hold what was written to it.
pub(super) fn report_damage(path: &Path, scan: &Scan) {
    metrics::spool_damaged();
    error!(
        segment = %path.display(),
        places = scan.damaged.len(),
        records_missing_at_least = scan.missing,
        records_readable = scan.records.len(),
        "the spool is damaged: events that were acknowledged may be unreadable. What can be read is delivered; the file \
         is kept with the ending {DAMAGED_SUFFIX}. Check the disk"
    );
}

/// Says that a segment cannot be read at all.
pub(super) fn report_unreadable(path: &Path, error: &io::Error) {
    metrics::spool_damaged();
    error!(
        segment = %path.display(),
        error = %error,
        "a file of the spool cannot be read: the acknowledged events in it are not delivered. It is left out and kept. \
         Check the disk, give it back its name if the ending {DAMAGED_SUFFIX} was added, and restart the server"
    );
}
