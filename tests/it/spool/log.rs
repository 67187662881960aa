//! The log as such: order, room, groups, who may use it.

use std::collections::BTreeSet;
use std::sync::Arc;

use analytics_ingestor::spool::{OpenError, Refused, Spool};

use super::{ROOMY, a_directory, all, files, opened};

#[tokio::test]
async fn records_come_out_in_order_and_leave_no_file() {
    let directory = a_directory();
    let (spool, mut reader, held) = opened(directory.path()).await;
    assert!(held.is_empty());
    for n in 0..50 {
        spool
            .append(vec![format!("{n}-a").into(), format!("{n}-b").into()])
            .await
            .unwrap();
    }
    let status = spool.status();
    assert_eq!(status.records, 100);
    assert!(status.bytes > 0 && status.oldest_at_ms.is_some() && status.has_room);
    let expected: Vec<Vec<u8>> = (0..50)
        .flat_map(|n| [format!("{n}-a").into(), format!("{n}-b").into()])
        .collect();
    assert_eq!(all(&mut reader, 100).await, expected);
    let status = spool.status();
    assert_eq!(
        (status.records, status.bytes, status.oldest_at_ms),
        (0, 0, None)
    );
    assert!(files(directory.path(), ".spool").is_empty());
}

#[tokio::test]
async fn what_is_not_delivered_is_there_in_the_next_run_after_what_was_appended_before() {
    let directory = a_directory();
    for run in 0..4_u8 {
        let (spool, _reader) = Spool::open(directory.path(), ROOMY).unwrap();
        assert_eq!(spool.status().records, u64::from(run));
        spool.append(vec![vec![run]]).await.unwrap();
        spool.close().await;
        assert_eq!(
            spool.append(vec![vec![99]]).await,
            Err(Refused),
            "it is closed"
        );
    }
    let (spool, _reader, held) = opened(directory.path()).await;
    assert_eq!(held, [[0], [1], [2], [3]]);
    spool.append(vec![vec![4]]).await.unwrap();
    spool.close().await;
    drop((spool, _reader));
    assert_eq!(opened(directory.path()).await.2, [[4]]);
}

#[tokio::test]
async fn a_segment_that_was_delivered_in_part_comes_again_as_a_whole() {
    let directory = a_directory();
    let (spool, mut reader) = Spool::open(directory.path(), ROOMY).unwrap();
    for n in 0..3 {
        spool.append(vec![vec![n]]).await.unwrap();
    }
    assert_eq!(all(&mut reader, 2).await, [[0], [1]]);
    assert_eq!(spool.status().records, 1);
    spool.close().await;
    drop((spool, reader));
    assert_eq!(opened(directory.path()).await.2, [[0], [1], [2]]);
}

/// The file grows while it is read, and is gone as soon as everything in it is delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_and_deliveries_at_the_same_time_lose_and_double_nothing() {
    const WRITERS: u64 = 8;
    const EACH: u64 = 250;
    let directory = a_directory();
    let (spool, mut reader) = Spool::open(directory.path(), ROOMY).unwrap();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let spool = spool.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    let payload = format!("{writer} {n}").into_bytes();
                    spool.append(vec![payload]).await.unwrap();
                }
            })
        })
        .collect();
    let payloads = all(&mut reader, WRITERS * EACH).await;
    for writer in writers {
        writer.await.unwrap();
    }
    let distinct: BTreeSet<_> = payloads.iter().collect();
    assert_eq!(distinct.len() as u64, WRITERS * EACH);
    for writer in 0..WRITERS {
        let prefix = format!("{writer} ").into_bytes();
        let of_one = payloads
            .iter()
            .filter(|payload| payload.starts_with(&prefix));
        let expected = (0..EACH).map(|n| format!("{writer} {n}").into_bytes());
        assert!(of_one.cloned().eq(expected), "the order of writer {writer}");
    }
    assert!(files(directory.path(), ".spool").is_empty());
}

#[tokio::test]
async fn a_full_spool_refuses_and_takes_again_what_was_made_room_for() {
    const BYTES_MAX: u64 = 1024 * 1024;
    let directory = a_directory();
    let (spool, mut reader) = Spool::open(directory.path(), BYTES_MAX).unwrap();
    let mut appended = 0;
    while spool.append(vec![vec![7; 10_000]]).await.is_ok() {
        appended += 1;
    }
    assert!(appended > 90, "{appended}");
    assert!(!spool.status().has_room);
    let on_disk = || -> u64 {
        let files = files(directory.path(), ".spool");
        files
            .iter()
            .map(|file| file.metadata().unwrap().len())
            .sum()
    };
    assert!(on_disk() <= BYTES_MAX && on_disk() == spool.status().bytes);
    // What fits still fits, and what never could is refused as well.
    assert_eq!(spool.append(vec![vec![7; 2 << 20]]).await, Err(Refused));
    assert_eq!(spool.append(vec![Vec::new()]).await, Err(Refused));
    all(&mut reader, 30).await;
    assert!(spool.status().has_room, "{:?}", spool.status());
    spool.append(vec![vec![7; 10_000]]).await.unwrap();
    assert!(on_disk() <= BYTES_MAX);
    assert_eq!(
        all(&mut reader, appended - 29).await.len() as u64,
        appended - 29
    );
    assert_eq!(on_disk(), 0);

    // A smaller limit in the next run drops nothing.
    for _ in 0..50 {
        spool.append(vec![vec![7; 10_000]]).await.unwrap();
    }
    spool.close().await;
    drop((spool, reader));
    let (spool, mut reader) = Spool::open(directory.path(), 200_000).unwrap();
    assert_eq!(spool.append(vec![vec![1]]).await, Err(Refused));
    assert_eq!(all(&mut reader, 50).await.len(), 50);
    spool.append(vec![vec![1]]).await.unwrap();
}

#[tokio::test]
async fn a_batch_larger_than_what_may_wait_is_taken() {
    let directory = a_directory();
    let (spool, mut reader) = Spool::open(directory.path(), ROOMY).unwrap();
    spool
        .append(vec![vec![7; 20 << 20], vec![8; 20 << 20]])
        .await
        .unwrap();
    assert_eq!(
        all(&mut reader, 2).await,
        [vec![7; 20 << 20], vec![8; 20 << 20]]
    );
}

#[tokio::test]
async fn a_directory_is_used_by_one_process_at_a_time() {
    let directory = a_directory();
    let (spool, reader) = Spool::open(directory.path(), ROOMY).unwrap();
    let second = Spool::open(directory.path(), ROOMY).unwrap_err();
    assert!(matches!(second, OpenError::InUse(_)));
    assert!(second.to_string().contains("in use by another process"));
    spool.close().await;
    drop((spool, reader));
    Spool::open(directory.path(), ROOMY).unwrap();
}

#[tokio::test]
async fn a_directory_is_made_and_one_that_cannot_be_written_to_is_named() {
    let directory = a_directory();
    let made = Spool::open(&directory.path().join("a/b"), ROOMY).unwrap();
    made.0.append(vec![vec![1]]).await.unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below"), "/proc/spool".into()] {
        let error = Spool::open(&path, ROOMY).unwrap_err().to_string();
        assert!(
            error.contains("SPOOL_DIR") && error.contains(path.to_str().unwrap()),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_file_of_a_later_version_is_left_alone_and_named() {
    let directory = a_directory();
    let file = directory.path().join(format!("{:020}.spool", 1));
    let mut header = *b"QUIZSPL\n\x02\0\0\0\0\0\0\0";
    let crc = crc32fast::hash(&header[..12]);
    header[12..].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&file, header).unwrap();
    let error = Spool::open(directory.path(), ROOMY)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("version 2") && error.contains(".spool"),
        "{error}"
    );
    assert!(file.exists());
}

#[tokio::test]
async fn what_is_rejected_is_kept_line_by_line() {
    let directory = a_directory();
    let (spool, _reader) = Spool::open(directory.path(), ROOMY).unwrap();
    let spool = Arc::new(spool);
    spool.reject(b"one\n".to_vec()).await.unwrap();
    let path = spool.reject(b"two\n".to_vec()).await.unwrap();
    assert_eq!(std::fs::read_to_string(path).unwrap(), "one\ntwo\n");
}
