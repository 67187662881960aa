//! Putting dead letters back: what is noted, and that two at once notice each other.

use kafka_toolkit::inspect::{Located, Range};
use kafka_toolkit::redrive::{Obstacle, Redrove, redriven};
use kafka_toolkit::{Outcome, Redriver};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::harness::{Seen, Stage, payload, until};

const FAST: f64 = 1e6;

/// A stage with so many dead letters, whose payloads are `0`, `1`, ….
async fn with_dead_letters(count: usize) -> Stage {
    let stage = Stage::with_partitions(1).await;
    stage.send_numbers("k", count).await;
    let seen = Seen::default();
    let running = stage.start(seen.handler(|_| Outcome::permanent("bad", "never")));
    until("all are committed", async || {
        stage.committed_sum().await == count as i64
    })
    .await;
    running.stop().await;
    stage
}

fn redriver(stage: &Stage) -> Redriver {
    Redriver::new(
        stage.inspector.clone(),
        stage.producer.clone(),
        &stage.dlq,
        &stage.group,
    )
}

async fn run(stage: &Stage, wanted: impl FnMut(&Located) -> bool + Send) -> Redrove {
    let stop = CancellationToken::new();
    let ranges = [Range::all(0)];
    let ran = redriver(stage)
        .run(&ranges, FAST, wanted, |_| (), &stop)
        .await;
    ran.unwrap()
}

/// The payloads that came behind the first so many records.
async fn back(stage: &Stage, behind: usize) -> Vec<String> {
    let all = stage
        .inspector
        .read_all(&stage.topic, usize::MAX, |_| true)
        .await
        .unwrap();
    let texts = all
        .iter()
        .map(|located| payload(&located.record).to_owned());
    texts.skip(behind).collect()
}

#[tokio::test]
async fn what_is_left_out_is_put_back_by_a_later_call_and_nothing_twice() {
    let stage = with_dead_letters(9).await;
    let first = run(&stage, |located| located.record.offset % 3 == 1).await;
    assert_eq!((first.redriven, first.left_out), (3, 6), "{first:?}");
    assert_eq!(back(&stage, 9).await, ["1", "4", "7"]);
    let noted = redriven(&stage.inspector, &stage.dlq, &stage.group)
        .await
        .unwrap();
    let which: Vec<i64> = (0..9).filter(|&offset| noted.contains(0, offset)).collect();
    assert_eq!(which, [1, 4, 7]);
    // The first that is left is where other tools see the group.
    let lag = stage.inspector.lag(&stage.group, &stage.dlq).await.unwrap();
    assert_eq!(lag[0].committed, Some(0));

    let second = run(&stage, |located| located.record.offset < 3).await;
    assert_eq!((second.redriven, second.already), (2, 3), "{second:?}");
    let lag = stage.inspector.lag(&stage.group, &stage.dlq).await.unwrap();
    assert_eq!(lag[0].committed, Some(3));
    let third = run(&stage, |_| true).await;
    assert_eq!((third.redriven, third.already), (4, 5), "{third:?}");
    assert_eq!(
        back(&stage, 12).await,
        ["0", "2", "3", "5", "6", "8"],
        "in the order of the letters"
    );
    assert_eq!(run(&stage, |_| true).await.redriven, 0);
}

#[tokio::test]
async fn two_calls_at_once_notice_each_other() {
    let stage = with_dead_letters(6).await;
    let begun = Notify::new();
    let stop = CancellationToken::new();
    let slow = redriver(&stage);
    let ranges = [Range::all(0)];
    let slow = slow.run(&ranges, 2.0, |_| true, |_| begun.notify_one(), &stop);
    let other = async {
        begun.notified().await;
        run(&stage, |_| true).await
    };
    let (slow, other) = tokio::join!(slow, other);
    let slow = slow.unwrap();
    assert!(
        matches!(slow.obstacle, Some(Obstacle::Concurrent)),
        "{slow:?}"
    );
    assert!(other.obstacle.is_none(), "{other:?}");
    let noted = redriven(&stage.inspector, &stage.dlq, &stage.group)
        .await
        .unwrap();
    assert!((0..6).all(|offset| noted.contains(0, offset)));
}
