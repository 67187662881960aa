//! Members of the group come and go under constant load: every event is stored once, and how long a partition waits when
//! it is handed over.
//!
//! `REBALANCES=100 make test ARGS='rebalances -- --nocapture'` has a hundred of them and prints the pauses.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use analytics_ingestor::consumer::EventHandler;
use clap::Parser;
use kafka_toolkit::{Batch, Handler, Outcome};

use super::{assert_none_is_missing, rows, stored};
use crate::harness::private::RECOVERY;
use crate::harness::stream::Stream;
use crate::harness::topic::{Running, event_handler};
use crate::harness::{TestDb, Topics, eventually};

const PARTITIONS: usize = 6;

#[derive(Parser)]
struct Settings {
    /// How often a member comes or goes.
    #[arg(long, env = "REBALANCES", default_value_t = 8)]
    rebalances: usize,
}

/// One call of a member's handler.
#[derive(Clone, Copy)]
struct Handled {
    partition: i32,
    member: usize,
    began: Instant,
    ended: Instant,
}

type Notes = Arc<Mutex<Vec<Handled>>>;

/// Stores as the consumer does, and notes when.
struct Noting {
    handler: EventHandler,
    member: usize,
    notes: Notes,
}

impl Handler for Noting {
    async fn handle(&self, batch: &Batch) -> Vec<Outcome> {
        let began = Instant::now();
        let outcomes = self.handler.handle(batch).await;
        self.notes.lock().unwrap().push(Handled {
            partition: batch.partition(),
            member: self.member,
            began,
            ended: Instant::now(),
        });
        outcomes
    }
}

/// The pauses between two batches of a partition: those across a hand-over, and those at one member.
#[derive(Default)]
struct Pauses {
    handed_over: Vec<Duration>,
    stayed: Vec<Duration>,
}

impl Pauses {
    fn of(notes: &[Handled]) -> Self {
        let mut by_partition = BTreeMap::<i32, Vec<Handled>>::new();
        for handled in notes {
            let batches = by_partition.entry(handled.partition).or_default();
            batches.push(*handled);
        }
        let mut pauses = Self::default();
        for batches in by_partition.values_mut() {
            batches.sort_by_key(|handled| handled.began);
            for pair in batches.windows(2) {
                let pause = pair[1].began.saturating_duration_since(pair[0].ended);
                if pair[0].member == pair[1].member {
                    pauses.stayed.push(pause);
                } else {
                    pauses.handed_over.push(pause);
                }
            }
        }
        pauses.handed_over.sort();
        pauses.stayed.sort();
        pauses
    }
}

fn described(sorted: &[Duration]) -> String {
    let at = |part: f64| sorted[((sorted.len() - 1) as f64 * part) as usize];
    format!(
        "{} pauses, median {:?}, p99 {:?}, longest {:?}",
        sorted.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_come_and_go_under_load_store_every_event_once() {
    let settings = Settings::try_parse_from(["it"]).unwrap_or_else(|error| panic!("{error}"));
    let rebalances = settings.rebalances;
    let db = TestDb::new().await;
    let topics = Topics::with_partitions(PARTITIONS as i32).await;
    let notes = Notes::default();
    let join = |member| {
        Running::handling(
            &topics,
            Noting {
                handler: event_handler(&topics, &db.url()),
                member,
                notes: Arc::clone(&notes),
            },
        )
    };
    let mut members = VecDeque::from([join(0)]);
    let stream = Stream::start(&topics, 16);
    for change in 0..rebalances {
        // One, two, three, two members, and again.
        if change % 4 < 2 {
            members.push_back(join(change + 1));
        } else {
            members.pop_front().unwrap().stop().await;
        }
        let handled = || notes.lock().unwrap().len();
        eventually("every member has its part", RECOVERY, async || {
            let parts: Vec<usize> = members.iter().map(Running::partitions).collect();
            parts.iter().all(|part| *part == PARTITIONS / members.len())
        })
        .await;
        let so_far = handled();
        eventually("they work", RECOVERY, async || handled() > so_far + 30).await;
    }
    let sent = stream.stop().await;
    topics.drained(RECOVERY).await;
    for member in members {
        member.stop().await;
    }

    assert_none_is_missing(&sent, &stored(&db).await);
    assert_eq!(rows(&db).await, sent.len());
    assert!(topics.dead_letters().await.is_empty());
    let pauses = Pauses::of(&notes.lock().unwrap());
    assert!(pauses.handed_over.len() >= rebalances, "{rebalances}");
    println!(
        "{rebalances} changes of the group, {} events\nhanded over: {}\nstayed: {}",
        sent.len(),
        described(&pauses.handed_over),
        described(&pauses.stayed)
    );
}
