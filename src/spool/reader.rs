//! Takes records out of the spool, oldest first, and has a segment removed once all of it is delivered.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::frame::{self, HEADER_BYTES};
use super::ledger::Segment;
use super::recovery::{report_damage, report_unreadable};
use super::writer::Command;
use super::{Shared, Spool};
use crate::metrics;

/// A record as it was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When it was appended, in milliseconds since 1970.
    pub appended_at_ms: u64,
    /// What was appended.
    pub payload: Bytes,
}

/// The one reader of a spool.
#[derive(Debug)]
pub struct Reader {
    spool: Spool,
    place: Option<Place>,
    /// Read, and not delivered yet.
    loaded: VecDeque<Record>,
}

/// How far the oldest segment is read.
#[derive(Debug, Clone, Copy)]
struct Place {
    first: u64,
    offset: u64,
    last_sequence: u64,
}

impl Reader {
    pub(super) fn new(spool: Spool) -> Self {
        Self {
            spool,
            place: None,
            loaded: VecDeque::new(),
        }
    }

    /// The spool that is read.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// The oldest records that are not delivered, at most `records_max`; waits until there is one.
    ///
    /// # Errors
    /// If a segment cannot be read; nothing is skipped.
    pub async fn oldest(&mut self, records_max: usize) -> io::Result<Vec<Record>> {
        loop {
            if !self.loaded.is_empty() {
                return Ok(self.loaded.iter().take(records_max).cloned().collect());
            }
            let front = self.shared().ledger().segments.front().cloned();
            match front {
                Some(segment) => self.load(segment).await?,
                None => self.shared().appended.notified().await,
            }
        }
    }

    /// The oldest `records` are delivered and will not be asked for again in this run.
    pub async fn delivered(&mut self, records: usize) {
        let last = self
            .loaded
            .drain(..records.min(self.loaded.len()))
            .next_back();
        let oldest = self.loaded.front().or(last.as_ref());
        if let (Some(place), Some(oldest)) = (self.place, oldest)
            && let Some(segment) = self.shared().ledger().find(place.first)
        {
            segment.waiting = segment.waiting.saturating_sub(records as u64);
            segment.oldest_at_ms = oldest.appended_at_ms;
        }
        metrics::spool_drained(records as u64);
        if self.loaded.is_empty()
            && let Some(place) = self.place
        {
            self.retire(place).await;
        }
    }

    /// Leaves out the oldest segment, which cannot be read for this reason; its file is kept.
    pub async fn skip(&mut self, reason: &io::Error) {
        let shared = self.shared();
        let place = {
            let mut ledger = shared.ledger();
            let Some(segment) = ledger.segments.front_mut() else {
                return;
            };
            segment.damaged = true;
            Place {
                first: segment.first,
                offset: segment.end,
                last_sequence: 0,
            }
        };
        report_unreadable(&shared.directory.segment_path(place.first), reason);
        self.retire(place).await;
    }

    fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.spool.shared)
    }

    /// Reads what a segment has beyond the place, or has it removed if there is nothing more.
    async fn load(&mut self, segment: Segment) -> io::Result<()> {
        let first = segment.first;
        let place = self
            .place
            .filter(|place| place.first == first)
            .unwrap_or(Place {
                first,
                offset: HEADER_BYTES as u64,
                last_sequence: first.saturating_sub(1),
            });
        if place.offset >= segment.end {
            self.retire(place).await;
            return Ok(());
        }
        let shared = self.shared();
        let read = tokio::task::spawn_blocking(move || {
            match shared.directory.read(first, place.offset, segment.end) {
                // Somebody took it away; there is nothing to wait for.
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
                read => read,
            }
        });
        let bytes = Bytes::from(read.await.map_err(io::Error::other)??);
        let scan = frame::scan(&bytes, 0, place.last_sequence);
        let is_whole = scan.damaged.is_empty() && scan.end as u64 == segment.end - place.offset;
        if !is_whole && !segment.damaged {
            let shared = self.shared();
            report_damage(&shared.directory.segment_path(first), &scan);
            if let Some(segment) = shared.ledger().find(first) {
                segment.damaged = true;
            }
        }
        self.place = Some(Place {
            first,
            offset: segment.end,
            last_sequence: scan
                .records
                .last()
                .map_or(place.last_sequence, |found| found.sequence),
        });
        self.loaded = scan
            .records
            .into_iter()
            .map(|found| Record {
                appended_at_ms: found.appended_at_ms,
                payload: bytes.slice(found.payload),
            })
            .collect();
        Ok(())
    }

    /// Has a segment removed, unless it has grown beyond the place.
    async fn retire(&self, place: Place) {
        let (done, retired) = oneshot::channel();
        let retire = Command::Retire {
            first: place.first,
            end: place.offset,
            done,
        };
        if self.spool.commands.send(retire).is_err() || retired.await.is_err() {
            // The spool is closed: nothing is removed any more, and delivered again in the next run.
            std::future::pending::<()>().await;
        }
    }
}
