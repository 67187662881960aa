//! The one thread that changes the spool's files: appends in groups, rotates, removes what is delivered.
//!
//! Whatever is waiting while a sync is under way goes into the next one. A group is acknowledged after the sync of its
//! file and, for a new file, of the directory. After a failed write or sync nothing more is said of that file: what was
//! durable before stays readable, the rest is cut off, and the next group gets a file of its own once the disk has been
//! seen to work.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::{error, info, warn};

use super::Shared;
use super::frame::{self, FRAME_BYTES, HEADER_BYTES};
use super::ledger::Ledger;
use crate::metrics;

/// How often the thread looks after the disk and the metrics when nothing is asked of it.
const TICK: Duration = Duration::from_secs(1);

/// Bytes gathered for one sync, unless a single append has more.
const GROUP_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Bytes handed to the file at a time.
const WRITE_BYTES: usize = 256 * 1024;

/// What the thread is asked for.
#[derive(Debug)]
pub(super) enum Command {
    Append(Append),
    /// Everything up to this byte of a segment is delivered.
    Retire {
        first: u64,
        end: u64,
        done: oneshot::Sender<()>,
    },
    Close {
        done: oneshot::Sender<()>,
    },
}

/// Records that are to be durable together.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) payloads: Vec<Vec<u8>>,
    /// What is reserved for them.
    pub(super) bytes: u64,
    pub(super) done: oneshot::Sender<bool>,
    /// Held until they are written: it is what bounds the queue.
    pub(super) _waiting: OwnedSemaphorePermit,
}

/// The segment being written.
struct Active {
    first: u64,
    file: File,
    /// What is durable of it.
    end: u64,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    segment_bytes: u64,
    next: u64,
    active: Option<Active>,
    buffer: Vec<u8>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, segment_bytes: u64, next: u64) -> Self {
        Self {
            shared,
            segment_bytes,
            next,
            active: None,
            buffer: Vec::new(),
        }
    }

    /// Works until it is closed or nobody can ask any more.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        let mut ticked = Instant::now();
        let mut held = None;
        loop {
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                self.tick();
            }
            let command = match held.take() {
                Some(command) => Ok(command),
                None => commands.recv_timeout(TICK),
            };
            match command {
                Ok(Command::Append(first)) => {
                    let mut group = vec![first];
                    let mut bytes = group[0].bytes;
                    while bytes < GROUP_BYTES_MAX && held.is_none() {
                        match commands.try_recv() {
                            Ok(Command::Append(append)) => {
                                bytes += append.bytes;
                                group.push(append);
                            }
                            Ok(other) => held = Some(other),
                            Err(_) => break,
                        }
                    }
                    self.append(group, bytes);
                }
                Ok(Command::Retire { first, end, done }) => {
                    self.retire(first, end);
                    let _ = done.send(());
                }
                Ok(Command::Close { done }) => {
                    // The lock on the directory must not outlast the answer.
                    drop(self);
                    let _ = done.send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn tick(&mut self) {
        if self.ledger().is_failing() && self.shared.directory.try_out().is_ok() {
            self.ledger().set_failing(false);
            info!("the disk of the spool works again");
        }
        self.show();
    }

    fn show(&self) {
        let status = self.ledger().status();
        let age = status
            .oldest_at_ms
            .map_or(0, |at| now_ms().saturating_sub(at));
        metrics::spool_holds(
            status.records,
            status.bytes,
            Duration::from_millis(age).as_secs_f64(),
        );
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        // No code panics while it holds the lock.
        let ledger = &self.shared.ledger;
        ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&mut self, group: Vec<Append>, bytes: u64) {
        let at_ms = now_ms();
        // What waited behind a failure would only fail as well, or hide it by chance.
        let written = if self.ledger().is_failing() {
            Err(None)
        } else {
            self.write(&group, at_ms).map_err(Some)
        };
        let mut ledger = self.ledger();
        ledger.release(bytes);
        match written {
            Ok(written) => {
                let records = group
                    .iter()
                    .map(|append| append.payloads.len() as u64)
                    .sum();
                ledger.enter(written.first, written.end, records, at_ms);
                drop(ledger);
                metrics::spool_appended(records);
                for append in group {
                    let _ = append.done.send(true);
                }
                self.shared.appended.notify_one();
            }
            Err(failure) => {
                let news = ledger.set_failing(true);
                drop(ledger);
                if let Some(failure) = failure {
                    metrics::spool_failed();
                    if news {
                        error!(
                            error = %failure,
                            spool = %self.shared.directory.path().display(),
                            "the spool cannot be written: events are refused while both stores are away. Check the disk's \
                             space and health; it is tried again every second"
                        );
                    }
                    self.abandon();
                }
                for append in group {
                    let _ = append.done.send(false);
                }
            }
        }
        self.show();
    }

    /// Writes and syncs a group.
    fn write(&mut self, group: &[Append], at_ms: u64) -> io::Result<Durable> {
        let is_new = self.active.is_none();
        let mut active = match self.active.take() {
            Some(active) => active,
            None => Active {
                first: self.next,
                file: self.shared.directory.create(self.next)?,
                end: 0,
            },
        };
        self.buffer.clear();
        if is_new {
            self.buffer.extend_from_slice(&frame::header());
        }
        let written = self.write_records(&mut active.file, group, at_ms);
        let (first, before) = (active.first, active.end);
        let active = self.active.insert(active);
        let began = Instant::now();
        let bytes = written?;
        active.file.sync_data()?;
        if is_new {
            self.shared.directory.sync()?;
        }
        metrics::spool_synced(began.elapsed());
        active.end = before + bytes;
        let durable = Durable {
            first,
            end: active.end,
        };
        if active.end >= self.segment_bytes {
            self.active = None;
        }
        Ok(durable)
    }

    fn write_records(&mut self, file: &mut File, group: &[Append], at_ms: u64) -> io::Result<u64> {
        let mut bytes = 0;
        for payload in group.iter().flat_map(|append| &append.payloads) {
            frame::push(&mut self.buffer, self.next, at_ms, payload);
            // A number is never used twice, whatever becomes of the write: the files are named by it.
            self.next += 1;
            if self.buffer.len() >= WRITE_BYTES {
                file.write_all(&self.buffer)?;
                bytes += self.buffer.len() as u64;
                self.buffer.clear();
            }
        }
        file.write_all(&self.buffer)?;
        bytes += self.buffer.len() as u64;
        self.buffer.clear();
        self.buffer.shrink_to(2 * WRITE_BYTES);
        Ok(bytes)
    }

    /// Leaves the segment that a write or sync failed on as it was after the last one that did not.
    fn abandon(&mut self) {
        let Some(active) = self.active.take() else {
            // No file could be made; should one be there already, its number must not be tried again.
            self.next += 1;
            return;
        };
        let left = if active.end == 0 {
            self.shared.directory.remove(active.first)
        } else {
            active
                .file
                .set_len(active.end)
                .and_then(|()| active.file.sync_all())
        };
        if let Err(error) = left {
            warn!(
                error = %error,
                segment = active.first,
                "the end of a segment of the spool that was never acknowledged cannot be cut off; after a restart it counts \
                 as damage"
            );
        }
    }

    fn retire(&mut self, first: u64, end: u64) {
        let Some(segment) = self.ledger().find(first).cloned() else {
            return;
        };
        // It has grown since it was read.
        if segment.end != end {
            return;
        }
        self.active.take_if(|active| active.first == first);
        let gone = if segment.damaged {
            self.shared.directory.put_aside(first).map(|path| {
                warn!(kept = %path.display(), "a damaged segment of the spool is out of the way; what could be read of it is delivered");
            })
        } else {
            self.shared.directory.remove(first)
        };
        if let Err(error) = gone {
            warn!(
                error = %error,
                segment = first,
                "a delivered segment of the spool cannot be removed; it is delivered again after a restart, which changes \
                 nothing"
            );
        }
        self.ledger().remove(first);
        self.show();
    }
}

/// A group that is durable: the segment that holds it, and where it ends now.
struct Durable {
    first: u64,
    end: u64,
}

/// What records take in a file, with a header if they are the first in it.
pub(super) fn bytes_of(payloads: &[Vec<u8>]) -> u64 {
    let frames = payloads.iter().map(|payload| FRAME_BYTES + payload.len());
    (HEADER_BYTES + frames.sum::<usize>()) as u64
}

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
