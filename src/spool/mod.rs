//! A log on the local disk for what no store takes at the moment: records are durable when an append resolves, come out
//! in the order in which they went in, and stay until they are said to be delivered.
//!
//! Owns the files of one directory and what a crash may have done to them. Knows nothing of events, stores or HTTP: a
//! record is bytes. Delivery is at least once: a segment file is removed when all of it is delivered, and one that was
//! begun is read again after a restart.

mod directory;
pub mod frame;
mod ledger;
mod reader;
mod recovery;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore, oneshot};

use self::directory::Directory;
pub use self::directory::OpenError;
use self::ledger::Ledger;
pub use self::ledger::Status;
pub use self::reader::{Reader, Record};
use self::writer::{Append, Command, Writer, bytes_of};
use crate::metrics;

/// Most bytes in memory that wait to be written.
const WAITING_BYTES_MAX: u32 = 32 * 1024 * 1024;

/// Bytes after which the next segment file is begun, where that is no large part of the whole.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// A full spool has at least so many segments, so that room comes back while it is drained.
const SEGMENTS_MIN: u64 = 16;

/// The spool cannot take a record: it is full, or its disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the spool is full or cannot be written")]
pub struct Refused;

/// A log of records on the local disk; cheap to clone.
#[derive(Debug, Clone)]
pub struct Spool {
    shared: Arc<Shared>,
    commands: Sender<Command>,
    waiting: Arc<Semaphore>,
}

#[derive(Debug)]
struct Shared {
    directory: Directory,
    ledger: Mutex<Ledger>,
    /// Told whenever records were appended.
    appended: Notify,
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // No code panics while it holds the lock.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spool {
    /// Opens the spool in `directory`, which is made if need be, and reads what the last run left in it. The files
    /// together take at most `bytes_max` bytes. Blocks on the disk.
    ///
    /// # Errors
    /// If the directory cannot be used, another process uses it, or a later version of this program has written to it.
    pub fn open(directory: &Path, bytes_max: u64) -> Result<(Self, Reader), OpenError> {
        let directory = Directory::open(directory)?;
        let (segments, next) = recovery::recover(&directory)?;
        let shared = Arc::new(Shared {
            directory,
            ledger: Mutex::new(Ledger::new(segments, bytes_max)),
            appended: Notify::new(),
        });
        let (commands, asked) = mpsc::channel();
        let segment_bytes = SEGMENT_BYTES.min(bytes_max / SEGMENTS_MIN);
        let writer = Writer::new(Arc::clone(&shared), segment_bytes, next);
        let directory = shared.directory.path().to_owned();
        std::thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || writer.run(&asked))
            .map_err(|source| OpenError::Unusable {
                directory,
                step: "its thread cannot be started",
                source,
            })?;
        let spool = Self {
            shared,
            commands,
            waiting: Arc::new(Semaphore::new(WAITING_BYTES_MAX as usize)),
        };
        metrics::spool_opened();
        let reader = Reader::new(spool.clone());
        Ok((spool, reader))
    }

    /// Appends records; resolves when all of them are durable. Each has 1 to [`frame::PAYLOAD_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// If none of them was acknowledged; they may be there after a crash all the same.
    pub async fn append(&self, payloads: Vec<Vec<u8>>) -> Result<(), Refused> {
        if payloads.is_empty() {
            return Ok(());
        }
        let sizes = 1..=frame::PAYLOAD_BYTES_MAX;
        if !payloads
            .iter()
            .all(|payload| sizes.contains(&payload.len()))
        {
            return Err(Refused);
        }
        let bytes = bytes_of(&payloads);
        // More than may wait at all waits for an empty queue.
        let permits =
            u32::try_from(bytes).map_or(WAITING_BYTES_MAX, |bytes| bytes.min(WAITING_BYTES_MAX));
        let waiting = Arc::clone(&self.waiting)
            .try_acquire_many_owned(permits)
            .map_err(|_| Refused)?;
        if !self.shared.ledger().reserve(bytes) {
            return Err(Refused);
        }
        let (done, answer) = oneshot::channel();
        let append = Append {
            payloads,
            bytes,
            done,
            _waiting: waiting,
        };
        // A writer that has ended drops the command, and with it the sender of the answer.
        let _ = self.commands.send(Command::Append(append));
        match answer.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Refused),
        }
    }

    /// How the spool is at this moment.
    pub fn status(&self) -> Status {
        self.shared.ledger().status()
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.shared.directory.path()
    }

    /// Keeps lines for the operator, in a file of the spool's directory that is not read again; returns its path.
    ///
    /// # Errors
    /// If they are not durable.
    pub async fn reject(&self, lines: Vec<u8>) -> std::io::Result<PathBuf> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || shared.directory.reject(&lines))
            .await
            .map_err(std::io::Error::other)?
    }

    /// Refuses what comes after, and resolves when everything appended before is answered. What is held stays for the
    /// next run.
    pub async fn close(&self) {
        self.waiting.close();
        let (done, closed) = oneshot::channel();
        if self.commands.send(Command::Close { done }).is_ok() {
            let _ = closed.await;
        }
    }
}
