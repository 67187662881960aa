//! A disk without room: a file that takes all there is on a small file system.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

static PIECE: [u8; 1024 * 1024] = [0; 1024 * 1024];
/// No disk that is meant to be filled is as large.
const BYTES_MAX: usize = 4 << 30;

/// Removed with this value.
#[derive(Debug)]
pub(crate) struct Ballast(PathBuf);

impl Ballast {
    /// Fills the file system that holds this folder.
    ///
    /// # Errors
    /// If it cannot be written to for another reason than being full, or is too large to be filled.
    pub(crate) fn fill(folder: &Path) -> std::io::Result<Self> {
        let path = folder.join("ballast");
        let mut file = File::create(&path)?;
        let ballast = Self(path);
        let mut written = 0;
        while written < BYTES_MAX {
            match file.write(&PIECE) {
                // The last piece is cut to what there is room for.
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(ballast),
                Err(error) => return Err(error),
            }
        }
        Err(std::io::Error::other("the file system is not a small one"))
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
