//! The spool's directory: one process at a time, and segment files by the number of their first record.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tracing::warn;

/// Where the files of segments differ from all others.
const SEGMENT_SUFFIX: &str = ".spool";

/// Added to the name of a segment that could not be read as a whole.
pub(super) const DAMAGED_SUFFIX: &str = ".damaged";

/// What a disk has to take to be called working: the last few kilobytes of a full one are soon gone.
const PROBE_BYTES: usize = 256 * 1024;

/// What the files hold is nobody else's business.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

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
    lock: File,
}

impl Drop for Directory {
    /// Closing the file is not enough: the lock is the descriptor's, and a child that this process is just starting has
    /// a copy of that until it runs its own program (flock(2)).
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
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
            DirBuilder::new()
                .recursive(true)
                .mode(DIRECTORY_MODE)
                .create(path)
                .map_err(unusable("it cannot be made"))?;
            let parent = path.parent().filter(|parent| *parent != Path::new(""));
            sync(parent.unwrap_or(Path::new("."))).map_err(unusable("its parent"))?;
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(FILE_MODE)
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
            lock,
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
            file.write_all(&vec![0; PROBE_BYTES])?;
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
            .mode(FILE_MODE)
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
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(FILE_MODE)
            .open(&path)?;
        let end = file.metadata()?.len();
        if let Err(error) = file.write_all(lines).and_then(|()| file.sync_data()) {
            // Half a line would spoil the next one.
            let _ = file.set_len(end);
            return Err(error);
        }
        self.sync()?;
        Ok(path)
    }

    /// The numbers of the segments that are there, in order.
    pub(super) fn segments(&self) -> io::Result<Vec<u64>> {
        let mut firsts = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let number = name.and_then(|name| name.strip_suffix(SEGMENT_SUFFIX));
            let first = number.and_then(|number| number.parse().ok());
            firsts.extend(first.filter(|first| self.segment_path(*first) == path));
        }
        firsts.sort_unstable();
        Ok(firsts)
    }

    /// Cuts a segment off behind what can be read of it.
    pub(super) fn cut(&self, first: u64, end: u64) -> io::Result<()> {
        let file = OpenOptions::new()
            .write(true)
            .open(self.segment_path(first))?;
        file.set_len(end)?;
        file.sync_all()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A copy of the descriptor stands for the child.
    #[test]
    fn a_child_that_is_being_started_keeps_no_directory_locked() {
        let parent = tempfile::tempdir().unwrap();
        let held = Directory::open(parent.path()).unwrap();
        let childs = held.lock.try_clone().unwrap();
        let second = Directory::open(parent.path()).unwrap_err();
        assert!(matches!(second, OpenError::InUse(_)));
        drop(held);
        Directory::open(parent.path()).unwrap();
        drop(childs);
    }
}
