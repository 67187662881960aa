//! What a crash and a bad disk do to the files: nothing acknowledged goes missing in silence, nothing wrong comes out.

use std::path::{Path, PathBuf};

use analytics_ingestor::spool::frame::{FRAME_BYTES, HEADER_BYTES};
use analytics_ingestor::spool::{Reader, Spool};
use tempfile::TempDir;

use super::{ROOMY, a_directory, files, opened};

const RECORDS: usize = 4;

fn payload(n: usize) -> Vec<u8> {
    format!(r#"{{"event":"number {n}"}}"#).into_bytes()
}

/// The bytes of a segment with [`RECORDS`] records, each synced on its own.
async fn a_segment() -> Vec<u8> {
    let directory = a_directory();
    let (spool, _reader) = Spool::open(directory.path(), ROOMY).unwrap();
    for n in 0..RECORDS {
        spool.append(vec![payload(n)]).await.unwrap();
    }
    let files = files(directory.path(), ".spool");
    assert_eq!(files.len(), 1);
    std::fs::read(&files[0]).unwrap()
}

/// Where record `n` ends.
fn end_of(n: usize) -> usize {
    HEADER_BYTES
        + (0..=n)
            .map(|n| FRAME_BYTES + payload(n).len())
            .sum::<usize>()
}

fn place(directory: &Path, first: u64, bytes: &[u8]) -> PathBuf {
    let path = directory.join(format!("{first:020}.spool"));
    std::fs::write(&path, bytes).unwrap();
    path
}

fn all_but(gone: usize) -> Vec<Vec<u8>> {
    (0..RECORDS).filter(|n| *n != gone).map(payload).collect()
}

/// The spool must be usable as if nothing had happened, also for the run after the next one.
async fn goes_on(directory: &TempDir, spool: Spool, reader: Reader, at: usize) {
    spool.append(vec![b"after".to_vec()]).await.unwrap();
    spool.close().await;
    drop((spool, reader));
    let (_, _, held) = opened(directory.path()).await;
    assert_eq!(held, [b"after"], "byte {at}");
}

#[tokio::test]
async fn cut_at_every_byte_exactly_the_whole_records_come_back() {
    let whole = a_segment().await;
    assert_eq!(whole.len(), end_of(RECORDS - 1));
    for length in 0..=whole.len() {
        let directory = a_directory();
        place(directory.path(), 1, &whole[..length]);
        let (spool, reader) = Spool::open(directory.path(), ROOMY).unwrap();
        let records = (0..RECORDS).filter(|n| end_of(*n) <= length).count();
        assert_eq!(spool.status().records, records as u64, "cut at {length}");
        // The next run finds the same, before what was appended since.
        spool.append(vec![b"newer".to_vec()]).await.unwrap();
        spool.close().await;
        drop((spool, reader));
        let (spool, reader, held) = opened(directory.path()).await;
        let expected = (0..records).map(payload).chain([b"newer".to_vec()]);
        assert_eq!(held, expected.collect::<Vec<_>>(), "cut at {length}");
        assert!(
            files(directory.path(), ".damaged").is_empty(),
            "cut at {length}"
        );
        goes_on(&directory, spool, reader, length).await;
    }
}

/// After a loss of power the file may have its new length and not its new bytes.
#[tokio::test]
async fn an_end_of_zeros_or_garbage_is_cut_off() {
    let whole = a_segment().await;
    for length in end_of(RECORDS - 2)..whole.len() {
        for filling in [0, 0xff, 0x52] {
            let directory = a_directory();
            let mut bytes = whole[..length].to_vec();
            bytes.resize(whole.len() + 500, filling);
            place(directory.path(), 1, &bytes);
            let (spool, reader, held) = opened(directory.path()).await;
            // A payload that ends in zeros can be whole by chance, and then it is what was written.
            assert_eq!(held, all_but(RECORDS - 1), "{filling} from {length} on");
            goes_on(&directory, spool, reader, length).await;
        }
    }
    let directory = a_directory();
    place(directory.path(), 1, &[0; 10_000]);
    assert!(opened(directory.path()).await.2.is_empty());
    assert!(
        files(directory.path(), "")
            .iter()
            .all(|file| !file.ends_with("spool"))
    );
}

#[tokio::test]
async fn with_any_byte_wrong_the_other_records_come_out_and_the_file_is_kept() {
    let whole = a_segment().await;
    for at in 0..whole.len() {
        for change in [0x01, 0x80, 0xff] {
            let directory = a_directory();
            let mut bytes = whole.clone();
            bytes[at] ^= change;
            place(directory.path(), 1, &bytes);
            let (spool, reader, held) = opened(directory.path()).await;
            let hit = (0..RECORDS).find(|n| at < end_of(*n)).unwrap();
            let is_header = at < HEADER_BYTES;
            let expected = if is_header {
                all_but(RECORDS)
            } else {
                all_but(hit)
            };
            assert_eq!(held, expected, "byte {at}");
            // The last record cannot be told from one that was never acknowledged.
            let kept = files(directory.path(), ".damaged");
            if is_header || hit < RECORDS - 1 {
                assert_eq!(kept.len(), 1, "byte {at}");
                assert_eq!(std::fs::read(&kept[0]).unwrap(), bytes);
            } else {
                assert!(kept.is_empty(), "byte {at}");
            }
            goes_on(&directory, spool, reader, at).await;
        }
    }
}

#[tokio::test]
async fn an_older_segment_that_is_cut_is_damage_and_its_neighbours_are_whole() {
    let whole = a_segment().await;
    for (length, left) in [(whole.len() - 1, 3), (end_of(1) + 5, 2), (end_of(0) - 1, 0)] {
        let directory = a_directory();
        place(directory.path(), 1, &whole[..length]);
        let (spool, reader) = Spool::open(directory.path(), ROOMY).unwrap();
        spool.append(vec![b"newer".to_vec()]).await.unwrap();
        spool.close().await;
        drop((spool, reader));
        // Cut again, now that it is not the newest any more.
        place(directory.path(), 1, &whole[..length]);
        let (_, _, held) = opened(directory.path()).await;
        let mut expected: Vec<_> = (0..left).map(payload).collect();
        expected.push(b"newer".to_vec());
        assert_eq!(held, expected, "{length}");
        assert_eq!(files(directory.path(), ".damaged").len(), 1);
    }
}

#[tokio::test]
async fn damage_while_the_spool_is_open_is_noticed_when_it_is_read() {
    let directory = a_directory();
    let (spool, mut reader) = Spool::open(directory.path(), ROOMY).unwrap();
    for n in 0..RECORDS {
        spool.append(vec![payload(n)]).await.unwrap();
    }
    let file = files(directory.path(), ".spool").remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[end_of(1) - 3] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(super::all(&mut reader, 3).await, all_but(1));
    assert_eq!(files(directory.path(), ".damaged").len(), 1);
    assert_eq!(spool.status().records, 0);

    // So is a file that somebody took away.
    spool.append(vec![b"gone".to_vec()]).await.unwrap();
    std::fs::remove_file(files(directory.path(), ".spool").remove(0)).unwrap();
    spool.append(vec![b"also gone".to_vec()]).await.unwrap();
    let waited =
        tokio::time::timeout(std::time::Duration::from_millis(300), reader.oldest(1)).await;
    assert!(waited.is_err(), "{waited:?}");
    assert_eq!(spool.status().records, 0);
    spool.append(vec![b"there".to_vec()]).await.unwrap();
    assert_eq!(super::all(&mut reader, 1).await, [b"there"]);
}

#[tokio::test]
async fn damaged_segments_of_one_name_are_all_kept() {
    let whole = a_segment().await;
    let mut bytes = whole;
    bytes[HEADER_BYTES + 5] ^= 1;
    let directory = a_directory();
    for _ in 0..3 {
        place(directory.path(), 1, &bytes);
        let (spool, _reader, held) = opened(directory.path()).await;
        assert_eq!(held, all_but(0));
        spool.close().await;
    }
    assert_eq!(files(directory.path(), ".spool").len(), 0);
    let kept = files(directory.path(), "")
        .into_iter()
        .filter(|file| file.to_str().unwrap().contains(".damaged"));
    assert_eq!(kept.count(), 3);
}

/// A disk that gives nothing back, as far as a test can have one: a directory in the place of the file.
#[tokio::test]
async fn a_file_that_cannot_be_read_holds_up_neither_the_start_nor_the_others() {
    let directory = a_directory();
    let whole = a_segment().await;
    let unreadable = directory.path().join(format!("{:020}.spool", 1));
    std::fs::create_dir(&unreadable).unwrap();
    place(directory.path(), 100, &[0; 3]);
    let foreign = directory.path().join("1.spool");
    std::fs::write(&foreign, &whole).unwrap();
    let (spool, mut reader, held) = opened(directory.path()).await;
    assert!(held.is_empty() && unreadable.exists() && foreign.exists());

    spool.append(vec![payload(0)]).await.unwrap();
    let file = files(directory.path(), "101.spool").remove(0);
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let error = reader.oldest(1).await.unwrap_err();
    assert_eq!(spool.status().records, 1, "it waits");
    reader.skip(&error).await;
    assert_eq!(spool.status().records, 0);
    assert_eq!(files(directory.path(), ".damaged").len(), 1);
    spool.append(vec![payload(1)]).await.unwrap();
    assert_eq!(super::all(&mut reader, 1).await, [payload(1)]);
}

#[tokio::test]
async fn what_is_spooled_is_for_the_server_alone_to_read() {
    use std::os::unix::fs::PermissionsExt;
    let parent = a_directory();
    let directory = parent.path().join("spool");
    let (spool, _reader) = Spool::open(&directory, ROOMY).unwrap();
    spool.append(vec![payload(0)]).await.unwrap();
    spool.reject(b"{}\n".to_vec()).await.unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for file in files(&directory, "") {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}
