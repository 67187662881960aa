//! The spool's directory: one process at a time, segment files by the number of their first record, and what a crash
//! has left.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tracing::{error, warn};

use super::frame::{self, HEADER_BYTES, Header};
use super::ledger::Segment;
use crate::metrics;

/// Where the files of segments differ from all others.
const SEGMENT_SUFFIX: &str = ".spool";

/// Added to the name of a segment that could not be read as a whole.
const DAMAGED_SUFFIX: &str = ".damaged";

/// The file that a running process holds a lock on.
const LOCK: &str = "lock";

/// What was taken out of the spool for good, a line each.
const REJECTED: &str = "rejected.ndjson";

/// Why a spool cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Something that has to work on it does not.
    #[error(
        "SPOOL_DIR {} cannot be used: {step}: {source}; it must be a directory that this program may write to",
        directory.display()
    )]
    Unusable {
        /// The directory.
        directory: PathBuf,
        /// What was tried.
        step: &'static str,
        /// How it failed.
        source: io::Error,
    },
    /// Another process works on it.
    #[error(
        "SPOOL_DIR {} is in use by another process: each server needs a directory of its own",
        .0.display()
    )]
    InUse(PathBuf),
    /// A later version of this program has written to it.
    #[error(
        "SPOOL_DIR: {} has the format version {version}, which this program cannot read; start the version that wrote it \
         and let it drain, or move the file away to deliver it later",
        file.display()
    )]
    Version {
        /// The segment.
        file: PathBuf,
        /// What its header says.
        version: u32,
    },
}

/// The directory of a spool, held by this process.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Held open, and so locked, as long as the spool is in use.
    _lock: File,
}

impl Directory {
    /// Makes the directory if need be, and locks it.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let unusable = |step| {
            move |source| OpenError::Unusable {
                directory: path.to_owned(),
                step,
                source,
            }
        };
        if !path.is_dir() {
            std::fs::create_dir_all(path).map_err(unusable("it cannot be made"))?;
            let parent = path.parent().filter(|parent| *parent != Path::new(""));
            sync(parent.unwrap_or(Path::new("."))).map_err(unusable("its parent"))?;
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK))
            .map_err(unusable("no file can be made in it"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => {
                return Err(unusable("files in it cannot be locked")(source));
            }
        }
        let directory = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        match directory.try_out() {
            // What the last run left must be delivered all the same.
            Err(full) if is_full(&full) => {
                warn!(spool = %path.display(), "the disk of the spool is full");
            }
            tried => tried.map_err(unusable("writing to it"))?,
        }
        Ok(directory)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn segment_path(&self, first: u64) -> PathBuf {
        self.path.join(format!("{first:020}{SEGMENT_SUFFIX}"))
    }

    /// Finds out whether the disk takes something and keeps it.
    pub(super) fn try_out(&self) -> io::Result<()> {
        let path = self.path.join("probe");
        let tried = File::create(&path).and_then(|mut file| {
            file.write_all(&[0; 4096])?;
            file.sync_data()
        });
        let removed = std::fs::remove_file(&path);
        tried.and(removed).and_then(|()| sync(&self.path))
    }

    /// Makes the file of a new segment; the name lasts once [`Self::sync`] has returned.
    pub(super) fn create(&self, first: u64) -> io::Result<File> {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(self.segment_path(first))
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        sync(&self.path)
    }

    /// Removes a segment.
    pub(super) fn remove(&self, first: u64) -> io::Result<()> {
        std::fs::remove_file(self.segment_path(first))?;
        self.sync()
    }

    /// Puts a segment aside under a name that nobody reads, and returns it.
    pub(super) fn put_aside(&self, first: u64) -> io::Result<PathBuf> {
        let path = self.segment_path(first);
        let mut aside = path.clone().into_os_string();
        aside.push(DAMAGED_SUFFIX);
        while Path::new(&aside).exists() {
            aside.push("+");
        }
        std::fs::rename(&path, &aside)?;
        self.sync()?;
        Ok(aside.into())
    }

    /// The bytes of a segment from `from` up to `to`.
    pub(super) fn read(&self, first: u64, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.segment_path(first))?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(to.saturating_sub(from)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Adds lines to the file of what was rejected.
    pub(super) fn reject(&self, lines: &[u8]) -> io::Result<PathBuf> {
        let path = self.path.join(REJECTED);
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        let end = file.metadata()?.len();
        if let Err(error) = file.write_all(lines).and_then(|()| file.sync_data()) {
            // Half a line would spoil the next one.
            let _ = file.set_len(end);
            return Err(error);
        }
        self.sync()?;
        Ok(path)
    }

    /// Reads what the last run left, oldest first, and the number of the next record.
    pub(super) fn recover(&self) -> Result<(VecDeque<Segment>, u64), OpenError> {
        let unusable = |step| {
            move |source| OpenError::Unusable {
                directory: self.path.clone(),
                step,
                source,
            }
        };
        let mut firsts = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(unusable("it cannot be listed"))? {
            let entry = entry.map_err(unusable("it cannot be listed"))?;
            let name = entry.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.strip_suffix(SEGMENT_SUFFIX));
            firsts.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        firsts.sort_unstable();
        let mut segments = VecDeque::new();
        let mut next = 1;
        for (place, first) in firsts.iter().enumerate() {
            let is_last = place + 1 == firsts.len();
            let (segment, last) =
                self.recover_segment(*first, is_last)
                    .map_err(|error| match error {
                        Unreadable::Version(version) => OpenError::Version {
                            file: self.segment_path(*first),
                            version,
                        },
                        Unreadable::Io(source) => unusable("a segment cannot be read")(source),
                    })?;
            next = last.max(*first).saturating_add(1);
            segments.extend(segment);
        }
        Ok((segments, next))
    }

    /// What a segment file holds, and the number of its last record.
    fn recover_segment(
        &self,
        first: u64,
        is_last: bool,
    ) -> Result<(Option<Segment>, u64), Unreadable> {
        let path = self.segment_path(first);
        let bytes = std::fs::read(&path).map_err(Unreadable::Io)?;
        let header = frame::read_header(&bytes);
        if let Header::Version(version) = header {
            return Err(Unreadable::Version(version));
        }
        let before = first.saturating_sub(1);
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
        let kept = if scan.records.is_empty() {
            if is_damaged {
                self.put_aside(first).map(drop)
            } else {
                self.remove(first)
            }
        } else if has_rest && !is_damaged {
            let file = OpenOptions::new().write(true).open(&path);
            file.and_then(|file| {
                file.set_len(scan.end as u64)?;
                file.sync_all()
            })
        } else {
            Ok(())
        };
        kept.map_err(Unreadable::Io)?;
        let Some(oldest) = scan.records.first() else {
            return Ok((None, last));
        };
        let segment = Segment {
            first,
            end: if is_damaged { bytes.len() } else { scan.end } as u64,
            waiting: scan.records.len() as u64,
            oldest_at_ms: oldest.appended_at_ms,
            damaged: is_damaged,
        };
        Ok((Some(segment), last))
    }
}

enum Unreadable {
    Io(io::Error),
    Version(u32),
}

/// Says that a segment does not hold what was written to it.
pub(super) fn report_damage(path: &Path, scan: &frame::Scan) {
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

/// Makes the names in a directory last.
fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}
