//! What the spool holds, in memory: its segments, and how much room is left. Every change is durable before it is
//! entered here.

use std::collections::VecDeque;

/// Room that must be left for the spool to call itself able to take records.
const USEFUL_BYTES: u64 = 64 * 1024;

/// A segment file with records that are durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// The number of its first record; the file is named by it.
    pub(super) first: u64,
    /// Bytes of the file that are durable; what follows is not to be read.
    pub(super) end: u64,
    /// Records that are not delivered yet.
    pub(super) waiting: u64,
    /// When the first of them was appended, in milliseconds since 1970.
    pub(super) oldest_at_ms: u64,
    /// Whether some of its bytes cannot be read as what was written.
    pub(super) damaged: bool,
}

/// How the spool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Records that are not delivered yet.
    pub records: u64,
    /// Bytes of the files that hold them.
    pub bytes: u64,
    /// When the oldest of them was appended, in milliseconds since 1970.
    pub oldest_at_ms: Option<u64>,
    /// Whether it can take more.
    pub has_room: bool,
}

/// The segments, oldest first, and the room.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) segments: VecDeque<Segment>,
    bytes_max: u64,
    /// Bytes promised to appends under way.
    reserved: u64,
    /// Whether the disk failed and has not been seen to work since.
    failing: bool,
}

impl Ledger {
    pub(super) fn new(segments: VecDeque<Segment>, bytes_max: u64) -> Self {
        Self {
            segments,
            bytes_max,
            reserved: 0,
            failing: false,
        }
    }

    pub(super) fn status(&self) -> Status {
        let bytes = self.bytes();
        Status {
            records: self.segments.iter().map(|segment| segment.waiting).sum(),
            bytes,
            oldest_at_ms: self
                .segments
                .iter()
                .find(|segment| segment.waiting > 0)
                .map(|segment| segment.oldest_at_ms),
            has_room: !self.failing && bytes + self.reserved + USEFUL_BYTES <= self.bytes_max,
        }
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.end).sum()
    }

    /// Reserves room; `false` if there is none.
    pub(super) fn reserve(&mut self, bytes: u64) -> bool {
        let fits = !self.failing && self.bytes() + self.reserved + bytes <= self.bytes_max;
        if fits {
            self.reserved += bytes;
        }
        fits
    }

    /// Gives back what was reserved, before it is entered as written or because it was not.
    pub(super) fn release(&mut self, bytes: u64) {
        self.reserved = self.reserved.saturating_sub(bytes);
    }

    /// Records were appended and are durable: they begin or continue the newest segment.
    pub(super) fn enter(&mut self, first: u64, end: u64, records: u64, at_ms: u64) {
        match self.segments.back_mut() {
            Some(segment) if segment.first == first => {
                if segment.waiting == 0 {
                    segment.oldest_at_ms = at_ms;
                }
                segment.end = end;
                segment.waiting += records;
            }
            _ => self.segments.push_back(Segment {
                first,
                end,
                waiting: records,
                oldest_at_ms: at_ms,
                damaged: false,
            }),
        }
    }

    pub(super) fn find(&mut self, first: u64) -> Option<&mut Segment> {
        self.segments
            .iter_mut()
            .find(|segment| segment.first == first)
    }

    pub(super) fn remove(&mut self, first: u64) {
        self.segments.retain(|segment| segment.first != first);
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing
    }

    /// Returns whether that is news.
    pub(super) fn set_failing(&mut self, failing: bool) -> bool {
        std::mem::replace(&mut self.failing, failing) != failing
    }
}
