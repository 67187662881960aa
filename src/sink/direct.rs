//! The direct path: group commit into PostgreSQL.
//!
//! Whatever is waiting while a transaction is under way goes into the next one, so that many requests share one
//! sync of the disk, and every caller still waits for its own commit. The queue is bounded in events: past the bound
//! a write is refused at once.
//!
//! A second transaction at the same time pays when it carries many events. While few wait, the writers take turns
//! instead, and one whose turn comes just after a larger transaction gives the clients that it answered a moment to
//! come back ([`Turn`]). On an idle server nobody waits for anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info};

use super::{Accepted, Mode, Outcome, Refusal};
use crate::config::IngestConfig;
use crate::event::Event;
use crate::metrics;
use crate::store::{EventWriter, WriteOutcome};

/// How long writes are refused at once after the database failed, instead of each waiting for a connection.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(500);

/// Events that wait longer than this for company would rather be written.
const GATHER_MAX: Duration = Duration::from_millis(2);

/// This part of a full batch is enough for a transaction beside another one.
const SHARE_OF_BATCH: usize = 4;

/// Group commit into PostgreSQL; cheap to clone.
#[derive(Debug, Clone)]
pub struct DirectPath {
    jobs: mpsc::UnboundedSender<Job>,
    room: Arc<Semaphore>,
    events_max: usize,
    batch_max: usize,
    pause: Arc<Pause>,
    stop: CancellationToken,
    abandon: CancellationToken,
    writers: TaskTracker,
}

#[derive(Debug)]
struct Job {
    events: Vec<Event>,
    reply: oneshot::Sender<Option<Vec<WriteOutcome>>>,
    /// Held until the reply: it is what bounds the queue.
    _room: Arc<OwnedSemaphorePermit>,
}

impl DirectPath {
    /// Starts the writers.
    pub fn start(writer: EventWriter, config: &IngestConfig) -> Self {
        let (jobs, queue) = mpsc::unbounded_channel();
        let queue = Arc::new(Mutex::new(queue));
        let turn = Arc::new(Mutex::new(Turn::default()));
        let events_max = config.direct_queue_events_max as usize;
        let path = Self {
            jobs,
            room: Arc::new(Semaphore::new(events_max)),
            events_max,
            batch_max: config.direct_batch_events_max as usize,
            pause: Arc::new(Pause::new()),
            stop: CancellationToken::new(),
            abandon: CancellationToken::new(),
            writers: TaskTracker::new(),
        };
        for _ in 0..config.direct_writers {
            let task = WriterTask {
                writer: writer.clone(),
                queue: Arc::clone(&queue),
                turn: Arc::clone(&turn),
                pause: Arc::clone(&path.pause),
                stop: path.stop.clone(),
                batch_max: path.batch_max,
            };
            path.writers
                .spawn(path.abandon.clone().run_until_cancelled_owned(task.run()));
        }
        path
    }

    /// Stores events; resolves after the commit.
    ///
    /// Events that do not fit into one transaction are shared out over the writers.
    pub async fn write(&self, events: Vec<Event>) -> Vec<Outcome> {
        let count = events.len();
        if count == 0 {
            return Vec::new();
        }
        // A batch larger than the queue can never fit; it waits for an empty queue instead.
        let permits = u32::try_from(count.min(self.events_max)).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(permits) else {
            return refuse_all(count, Duration::from_secs(1));
        };
        if let Err(retry_after) = self.pause.admit() {
            return refuse_all(count, retry_after);
        }
        metrics::direct_waiting(self.events_max - self.room.available_permits());
        let room = Arc::new(room);
        let mut answers = Vec::with_capacity(count.div_ceil(self.batch_max));
        let mut rest = events;
        while !rest.is_empty() {
            let mut part = std::mem::take(&mut rest);
            if part.len() > self.batch_max {
                rest = part.split_off(self.batch_max);
            }
            let part_len = part.len();
            let (reply, answer) = oneshot::channel();
            // Without a writer the reply is dropped with the job, and the answer is an error.
            let _ = self.jobs.send(Job {
                events: part,
                reply,
                _room: Arc::clone(&room),
            });
            answers.push((part_len, answer));
        }
        drop(room);
        let mut outcomes = Vec::with_capacity(count);
        for (part_len, answer) in answers {
            match answer.await {
                Ok(Some(written)) => outcomes.extend(written.into_iter().map(to_outcome)),
                Ok(None) | Err(_) => {
                    outcomes.extend(refuse_all(
                        part_len,
                        self.pause.left().unwrap_or(PAUSE_AFTER_FAILURE),
                    ));
                }
            }
        }
        outcomes
    }

    /// Stores what was taken and refuses what comes after; `false` if the deadline came first, and what was not stored by
    /// then is refused, too.
    pub async fn close(&self, deadline: Duration) -> bool {
        self.room.close();
        self.stop.cancel();
        self.writers.close();
        let is_done = timeout(deadline, self.writers.wait()).await.is_ok();
        // With a writer go the replies that it owes, which tells those who wait for them.
        self.abandon.cancel();
        self.writers.wait().await;
        is_done
    }
}

fn refuse_all(count: usize, retry_after: Duration) -> Vec<Outcome> {
    vec![Err(Refusal::Unavailable { retry_after }); count]
}

fn to_outcome(outcome: WriteOutcome) -> Outcome {
    match outcome {
        WriteOutcome::Stored => Ok(Accepted {
            mode: Mode::Direct,
            duplicate: false,
        }),
        WriteOutcome::Duplicate => Ok(Accepted {
            mode: Mode::Direct,
            duplicate: true,
        }),
        WriteOutcome::Refused { sqlstate } => Err(Refusal::Refused { sqlstate }),
    }
}

/// The right to write few events, and what is known of the last transaction under it.
#[derive(Debug, Default)]
struct Turn {
    events: usize,
    took: Duration,
    ended: Option<Instant>,
}

impl Turn {
    /// Until when to wait for as many events as half of the last transaction's.
    ///
    /// Its clients need about as long to send again as they waited for a part of it. Without the wait the first of
    /// them to be back gets a transaction of its own, for which all the others wait in turn.
    fn gather_until(&self, waiting: usize) -> Option<Instant> {
        let until = self.ended? + (self.took / 4).min(GATHER_MAX);
        (waiting < self.events / 2 && Instant::now() < until).then_some(until)
    }
}

/// What one transaction will store.
struct Batch {
    jobs: Vec<Job>,
    events: usize,
    /// Held by a transaction of few events until it has ended.
    turn: Option<OwnedMutexGuard<Turn>>,
}

impl Batch {
    fn add(&mut self, job: Job) {
        self.events += job.events.len();
        self.jobs.push(job);
    }
}

struct WriterTask {
    writer: EventWriter,
    queue: Arc<Mutex<mpsc::UnboundedReceiver<Job>>>,
    turn: Arc<Mutex<Turn>>,
    pause: Arc<Pause>,
    stop: CancellationToken,
    batch_max: usize,
}

impl WriterTask {
    async fn run(self) {
        while let Some(mut batch) = self.next_batch().await {
            // What queued up behind a write that failed would only wait as long again.
            if self.pause.left().is_some() {
                self.pause.free_probe();
                refuse(batch.jobs);
                continue;
            }
            let mut events = Vec::with_capacity(batch.events);
            let counts: Vec<usize> = batch.jobs.iter().map(|job| job.events.len()).collect();
            for job in &mut batch.jobs {
                events.append(&mut job.events);
            }
            let began = Instant::now();
            self.write(&events, batch.jobs, &counts).await;
            if let Some(mut turn) = batch.turn {
                *turn = Turn {
                    events: events.len(),
                    took: began.elapsed(),
                    ended: Some(Instant::now()),
                };
            }
        }
    }

    /// Waits for one job and takes whatever else is waiting, up to a batch; `None` once the queue is drained for good.
    async fn next_batch(&self) -> Option<Batch> {
        let mut queue = self.queue.lock().await;
        let first = tokio::select! {
            biased;
            job = queue.recv() => job?,
            () = self.stop.cancelled() => {
                queue.close();
                queue.recv().await?
            }
        };
        let mut batch = Batch {
            events: first.events.len(),
            jobs: vec![first],
            turn: None,
        };
        self.take_waiting(&mut queue, &mut batch);
        while batch.turn.is_none() && batch.events < self.batch_max / SHARE_OF_BATCH {
            tokio::select! {
                biased;
                Some(job) = queue.recv() => batch.add(job),
                turn = Arc::clone(&self.turn).lock_owned() => batch.turn = Some(turn),
            }
        }
        while let Some(until) = batch
            .turn
            .as_ref()
            .and_then(|turn| turn.gather_until(batch.events))
        {
            match timeout_at(until.into(), queue.recv()).await {
                Ok(Some(job)) => batch.add(job),
                Ok(None) | Err(_) => break,
            }
        }
        self.take_waiting(&mut queue, &mut batch);
        Some(batch)
    }

    fn take_waiting(&self, queue: &mut mpsc::UnboundedReceiver<Job>, batch: &mut Batch) {
        while batch.events < self.batch_max {
            let Ok(job) = queue.try_recv() else { break };
            batch.add(job);
        }
    }

    async fn write(&self, events: &[Event], jobs: Vec<Job>, counts: &[usize]) {
        match self.writer.write_batch(events, None).await {
            Ok(outcomes) => {
                self.pause.clear();
                let mut outcomes = outcomes.into_iter();
                for (job, count) in jobs.into_iter().zip(counts) {
                    // A client that hung up is not there for the answer; its events are stored all the same.
                    let _ = job
                        .reply
                        .send(Some(outcomes.by_ref().take(*count).collect()));
                }
            }
            Err(unavailable) => {
                if self.pause.begin() {
                    let cause: &dyn std::error::Error = &unavailable.0;
                    error!(
                        error = cause,
                        "the database takes no events; refusing them until it does"
                    );
                }
                refuse(jobs);
            }
        }
    }
}

fn refuse(jobs: Vec<Job>) {
    for job in jobs {
        let _ = job.reply.send(None);
    }
}

/// The time after a failure: at first nobody tries the database, then one write at a time, until one succeeds.
#[derive(Debug)]
struct Pause {
    began: Instant,
    /// Milliseconds since `began` until which to refuse; 0 while the database is well.
    until_ms: AtomicU64,
    /// Whether a write is on its way to find out for all the others; it ends the pause or begins the next one.
    is_probed: AtomicBool,
}

impl Pause {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            until_ms: AtomicU64::new(0),
            is_probed: AtomicBool::new(false),
        }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether a write may try, and otherwise how long to wait; to be asked only by a write that will be queued.
    fn admit(&self) -> Result<(), Duration> {
        if self.until_ms.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        match self.left() {
            Some(left) => Err(left),
            None if self.is_probed.swap(true, Ordering::Relaxed) => Err(PAUSE_AFTER_FAILURE),
            None => Ok(()),
        }
    }

    fn left(&self) -> Option<Duration> {
        let left = self
            .until_ms
            .load(Ordering::Relaxed)
            .saturating_sub(self.elapsed_ms());
        (left > 0).then(|| Duration::from_millis(left))
    }

    /// Returns whether the database was well before.
    fn begin(&self) -> bool {
        let until =
            self.elapsed_ms() + u64::try_from(PAUSE_AFTER_FAILURE.as_millis()).unwrap_or(u64::MAX);
        let was_well = self.until_ms.swap(until, Ordering::Relaxed) == 0;
        self.free_probe();
        was_well
    }

    /// Nobody is on their way to find out any more, should somebody have been: whoever asked just before a pause began may
    /// have taken the place just after, and nobody else would ever get it.
    fn free_probe(&self) {
        self.is_probed.store(false, Ordering::Relaxed);
    }

    fn clear(&self) {
        if self.until_ms.load(Ordering::Relaxed) != 0
            && self.until_ms.swap(0, Ordering::Relaxed) != 0
        {
            self.free_probe();
            info!("the database takes events again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_nobody_tries_then_one_at_a_time_until_one_succeeds() {
        let pause = Pause::new();
        assert_eq!(pause.admit(), Ok(()));
        assert!(pause.begin());
        assert!(pause.admit().is_err());
        let long_ago = || pause.until_ms.store(1, Ordering::Relaxed);
        while pause.elapsed_ms() < 1 {
            std::hint::spin_loop();
        }
        long_ago();
        assert_eq!(pause.admit(), Ok(()));
        assert!(pause.admit().is_err(), "somebody tries already");
        assert!(!pause.begin(), "it was not well before");
        long_ago();
        assert_eq!(pause.admit(), Ok(()), "the next one may try");
        pause.clear();
        assert_eq!((pause.admit(), pause.admit()), (Ok(()), Ok(())));
    }

    /// It asked before the pause of another write began, and took its place after.
    #[tokio::test]
    async fn a_probe_that_is_refused_in_the_queue_leaves_its_place_to_the_next_one() {
        let nowhere = sqlx::PgPool::connect_lazy("postgres://127.0.0.1:1/nowhere").unwrap();
        let writer = EventWriter::new(nowhere, Duration::from_secs(1), "test");
        let config = IngestConfig {
            direct_writers: 1,
            direct_queue_events_max: 1,
            direct_batch_events_max: 1,
        };
        let path = DirectPath::start(writer, &config);
        path.pause.begin();
        path.pause.is_probed.store(true, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        let room = Arc::clone(&path.room).try_acquire_owned().unwrap();
        let job = Job {
            events: Vec::new(),
            reply,
            _room: Arc::new(room),
        };
        path.jobs.send(job).unwrap();
        assert_eq!(answer.await, Ok(None));
        path.pause.until_ms.store(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!(path.pause.admit(), Ok(()));
    }

    #[test]
    fn a_turn_waits_for_company_only_just_after_a_larger_transaction() {
        let turn = |events, ended| Turn {
            events,
            took: Duration::from_millis(6),
            ended,
        };
        let now = Instant::now();
        assert!(turn(40, Some(now)).gather_until(19).is_some());
        assert!(
            turn(40, Some(now)).gather_until(20).is_none(),
            "enough wait"
        );
        assert!(
            turn(1, Some(now)).gather_until(1).is_none(),
            "nobody else was there"
        );
        assert!(turn(40, None).gather_until(1).is_none(), "the first one");
        let long_ago = now.checked_sub(Duration::from_millis(10));
        assert!(
            turn(40, long_ago).gather_until(1).is_none(),
            "it is too late to wait"
        );
    }
}
