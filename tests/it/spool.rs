//! The spool: what is acknowledged from the local disk while no store takes events is delivered once, whatever happens.

mod damage;
mod killed;
mod log;
mod outage;

use std::path::Path;

use analytics_ingestor::spool::{Reader, Spool};
use tempfile::TempDir;

use crate::harness::PATIENCE;

/// Enough for every test that does not fill it.
const ROOMY: u64 = 64 * 1024 * 1024;

/// A directory that goes with the value.
fn a_directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A spool, and everything that it holds at the moment.
async fn opened(directory: &Path) -> (Spool, Reader, Vec<Vec<u8>>) {
    let (spool, mut reader) = Spool::open(directory, ROOMY).unwrap();
    let held = all(&mut reader, spool.status().records).await;
    (spool, reader, held)
}

/// So many records, taken out one after the other.
async fn all(reader: &mut Reader, records: u64) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    while let left @ 1.. = records - payloads.len() as u64 {
        let taken = tokio::time::timeout(PATIENCE, reader.oldest(left.min(100) as usize)).await;
        let taken = taken.expect("there is more").unwrap();
        payloads.extend(taken.iter().map(|record| record.payload.to_vec()));
        reader.delivered(taken.len()).await;
    }
    payloads
}

/// The files of a directory whose names end so, by name.
fn files(directory: &Path, suffix: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut paths: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(suffix))
        .collect();
    paths.sort();
    paths
}
