//! The direct path: group commit into PostgreSQL.
//!
//! Whatever is waiting while a transaction is under way goes into the next one, so that many requests share one
//! sync of the disk; nobody waits for a timer, and every caller still waits for its own commit. The queue is
//! bounded in events: past the bound a write is refused at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
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

/// Group commit into PostgreSQL; cheap to clone.
#[derive(Debug, Clone)]
pub struct DirectPath {
    jobs: mpsc::UnboundedSender<Job>,
    room: Arc<Semaphore>,
    events_max: usize,
    batch_max: usize,
    pause: Arc<Pause>,
    stop: CancellationToken,
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
        let events_max = config.direct_queue_events_max as usize;
        let path = Self {
            jobs,
            room: Arc::new(Semaphore::new(events_max)),
            events_max,
            batch_max: config.direct_batch_events_max as usize,
            pause: Arc::new(Pause::new()),
            stop: CancellationToken::new(),
            writers: TaskTracker::new(),
        };
        for _ in 0..config.direct_writers {
            let task = WriterTask {
                writer: writer.clone(),
                queue: Arc::clone(&queue),
                pause: Arc::clone(&path.pause),
                stop: path.stop.clone(),
                batch_max: path.batch_max,
            };
            path.writers.spawn(task.run());
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

    /// Stores what was taken, refuses what comes after, and returns when the writers have ended.
    pub async fn close(&self) {
        self.room.close();
        self.stop.cancel();
        self.writers.close();
        self.writers.wait().await;
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

struct WriterTask {
    writer: EventWriter,
    queue: Arc<Mutex<mpsc::UnboundedReceiver<Job>>>,
    pause: Arc<Pause>,
    stop: CancellationToken,
    batch_max: usize,
}

impl WriterTask {
    async fn run(self) {
        while let Some(mut jobs) = self.next_jobs().await {
            // What queued up behind a write that failed would only wait as long again.
            if self.pause.left().is_some() {
                refuse(jobs);
                continue;
            }
            let mut events = Vec::with_capacity(jobs.iter().map(|job| job.events.len()).sum());
            let counts: Vec<usize> = jobs.iter().map(|job| job.events.len()).collect();
            for job in &mut jobs {
                events.append(&mut job.events);
            }
            self.write(&events, jobs, &counts).await;
        }
    }

    /// Waits for one job and takes whatever else is waiting, up to a batch; `None` once the queue is drained for good.
    async fn next_jobs(&self) -> Option<Vec<Job>> {
        let mut queue = self.queue.lock().await;
        let first = tokio::select! {
            biased;
            job = queue.recv() => job?,
            () = self.stop.cancelled() => {
                queue.close();
                queue.recv().await?
            }
        };
        let mut events = first.events.len();
        let mut jobs = vec![first];
        while events < self.batch_max {
            let Ok(job) = queue.try_recv() else { break };
            events += job.events.len();
            jobs.push(job);
        }
        Some(jobs)
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
        self.is_probed.store(false, Ordering::Relaxed);
        was_well
    }

    fn clear(&self) {
        if self.until_ms.load(Ordering::Relaxed) != 0
            && self.until_ms.swap(0, Ordering::Relaxed) != 0
        {
            self.is_probed.store(false, Ordering::Relaxed);
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
}
