//! Load on a server: closed (each connection sends its next request when it has the answer) or open (requests fall
//! due at a fixed rate, whatever the server does). One thread, so that the server keeps as much of the machine as
//! possible.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use hdrhistogram::Histogram;
use tokio::sync::{Notify, mpsc};
use tokio::task::LocalSet;

use crate::cost;
use crate::http::{Connection, EventRequest};
use crate::stream::Stream;

/// Between two looks at what has fallen due.
const TICK: Duration = Duration::from_micros(200);
/// How far an open load may fall behind before there is no sense in going on.
const BEHIND_MAX: Duration = Duration::from_secs(10);

/// How requests follow each other.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// As fast as the answers come, for a warm-up and then a measured time.
    Closed {
        warm_up: Duration,
        measured: Duration,
    },
    /// As fast as the answers come, until so many events are acknowledged.
    Until { events: u64 },
    /// So many requests a second. Times count from when a request was due, not from when it could be sent.
    Open {
        warm_up: Duration,
        measured: Duration,
        per_second: f64,
    },
}

/// A load.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) port: u16,
    pub(crate) token: String,
    pub(crate) connections: usize,
    /// Events in a request.
    pub(crate) batch: usize,
    /// The path that the answers must name.
    pub(crate) mode: &'static str,
    pub(crate) pace: Pace,
    /// Keeps every answer and takes any status, instead of failing at one that is no 201.
    pub(crate) keeps_answers: bool,
    /// Told when all connections are open and the first request may fall due.
    pub(crate) began: Arc<Notify>,
}

/// One answer of a load that keeps them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    /// When the request fell due.
    pub(crate) due: Instant,
    /// Until the answer.
    pub(crate) took: Duration,
    pub(crate) status: u16,
    /// Whether it names another path than the expected one.
    pub(crate) is_astray: bool,
}

/// What came of a load.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Events acknowledged in the measured time.
    pub(crate) events: u64,
    /// Events acknowledged from first to last.
    pub(crate) events_in_all: u64,
    /// Events acknowledged by another path than the expected one.
    pub(crate) astray: u64,
    pub(crate) measured: Duration,
    /// Microseconds from request to answer, measured time only.
    pub(crate) times: Histogram<u64>,
    /// Processor time of this load's thread, from first to last.
    pub(crate) cpu: Duration,
    /// Every answer, if they are kept.
    pub(crate) answers: Vec<Answer>,
}

impl Loaded {
    pub(crate) fn per_second(&self) -> f64 {
        self.events as f64 / self.measured.as_secs_f64()
    }

    /// Milliseconds that this part of the requests did not take longer than.
    pub(crate) fn quantile_ms(&self, quantile: f64) -> f64 {
        self.times.value_at_quantile(quantile) as f64 / 1000.0
    }
}

impl Load {
    /// Runs the load on a thread of its own.
    ///
    /// # Errors
    /// If any event is not acknowledged.
    pub(crate) async fn run(self) -> anyhow::Result<Loaded> {
        tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let cpu_before = cost::of_this_thread()?;
            let mut loaded = LocalSet::new().block_on(&runtime, self.run_here())?;
            loaded.cpu = cost::of_this_thread()? - cpu_before;
            Ok(loaded)
        })
        .await?
    }

    async fn run_here(self) -> anyhow::Result<Loaded> {
        let mut connections = Vec::new();
        for _ in 0..self.connections {
            connections.push(Connection::open(self.port).await?);
        }
        let run = Rc::new(Run::new(&self)?);
        self.began.notify_one();
        if let (Pace::Open { per_second, .. }, Some(end)) = (self.pace, run.end) {
            tokio::task::spawn_local(announce(Rc::clone(&run), end, per_second));
        }
        let tasks: Vec<_> = connections
            .into_iter()
            .map(|connection| tokio::task::spawn_local(work(Rc::clone(&run), connection)))
            .collect();
        for task in tasks {
            task.await??;
        }
        let measured = match self.pace {
            Pace::Closed { measured, .. } | Pace::Open { measured, .. } => measured,
            Pace::Until { .. } => run.began.elapsed(),
        };
        Ok(Loaded {
            events: run.events.get(),
            events_in_all: run.events_in_all.get(),
            astray: run.astray.get(),
            measured,
            times: run.times.borrow().clone(),
            cpu: Duration::ZERO,
            answers: run.answers.take(),
        })
    }
}

/// What the connections of one load share.
struct Run {
    load: Load,
    began: Instant,
    measure_from: Instant,
    /// When nothing new is begun; `None` ends with the number of requests.
    end: Option<Instant>,
    requests_left: Cell<u64>,
    stream: RefCell<Stream>,
    events: Cell<u64>,
    events_in_all: Cell<u64>,
    astray: Cell<u64>,
    times: RefCell<Histogram<u64>>,
    answers: RefCell<Vec<Answer>>,
    due: RefCell<VecDeque<Instant>>,
    /// Wakes connections that wait for something to fall due.
    fell_due: Notify,
    all_announced: Cell<bool>,
}

impl Run {
    fn new(load: &Load) -> anyhow::Result<Self> {
        let began = Instant::now();
        let (measure_from, end, requests) = match load.pace {
            Pace::Closed { warm_up, measured } => {
                (began + warm_up, Some(warm_up + measured), u64::MAX)
            }
            Pace::Open {
                warm_up, measured, ..
            } => (began + warm_up, Some(warm_up + measured), u64::MAX),
            Pace::Until { events } => (began, None, events / load.batch as u64),
        };
        Ok(Self {
            load: load.clone(),
            began,
            measure_from,
            end: end.map(|length| began + length),
            requests_left: Cell::new(requests),
            stream: RefCell::new(Stream::new()),
            events: Cell::new(0),
            events_in_all: Cell::new(0),
            astray: Cell::new(0),
            times: RefCell::new(Histogram::new_with_bounds(1, 60_000_000, 3)?),
            answers: RefCell::default(),
            due: RefCell::default(),
            fell_due: Notify::new(),
            all_announced: Cell::new(false),
        })
    }

    /// The moment from which the next request counts; `None` when there is none.
    async fn next(&self) -> Option<Instant> {
        if !matches!(self.load.pace, Pace::Open { .. }) {
            let now = Instant::now();
            let left = self.requests_left.get().checked_sub(1)?;
            self.requests_left.set(left);
            return self.end.is_none_or(|end| now < end).then_some(now);
        }
        loop {
            if let Some(due) = self.due.borrow_mut().pop_front() {
                return Some(due);
            }
            if self.all_announced.get() {
                return None;
            }
            self.fell_due.notified().await;
        }
    }

    fn answered(&self, due: Instant) {
        let now = Instant::now();
        let batch = self.load.batch as u64;
        self.events_in_all.set(self.events_in_all.get() + batch);
        // An open load measures the requests that fell due in its time, however late they were answered.
        let counts = match self.load.pace {
            Pace::Open { .. } => due >= self.measure_from,
            _ => now >= self.measure_from && self.end.is_none_or(|end| now < end),
        };
        if counts {
            self.events.set(self.events.get() + batch);
            let took = u64::try_from((now - due).as_micros()).unwrap_or(u64::MAX);
            self.times.borrow_mut().saturating_record(took);
        }
    }
}

async fn work(run: Rc<Run>, mut connection: Connection) -> anyhow::Result<()> {
    let mut request = EventRequest::new(&run.load.token, run.load.batch);
    let mode = format!("\"mode\":\"{}\"", run.load.mode);
    let all = format!("\"processed_count\":{}", run.load.batch);
    while let Some(due) = run.next().await {
        ensure!(
            due.elapsed() < BEHIND_MAX,
            "the server fell behind the rate for good"
        );
        let bytes = request.fill(&mut run.stream.borrow_mut());
        let (status, body) = connection.exchange(bytes).await?;
        // What matters stands at the beginning of the answer to a batch.
        let text = String::from_utf8_lossy(&body[..body.len().min(300)]);
        let is_astray = !text.contains(&mode);
        if run.load.keeps_answers {
            run.answers.borrow_mut().push(Answer {
                due,
                took: due.elapsed(),
                status,
                is_astray,
            });
            if status != 201 {
                continue;
            }
        } else {
            ensure!(
                status == 201 && (run.load.batch == 1 || text.contains(&all)),
                "not acknowledged: {status} {text}"
            );
        }
        if is_astray {
            run.astray.set(run.astray.get() + run.load.batch as u64);
        }
        run.answered(due);
    }
    Ok(())
}

/// Hands out due times until the end of an open load.
async fn announce(run: Rc<Run>, end: Instant, per_second: f64) {
    let began = run.began;
    // The runtime's own timer is no finer than a millisecond.
    let (ticker, mut ticks) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        while Instant::now() < end && ticker.send(()).is_ok() {
            #[expect(
                clippy::disallowed_methods,
                reason = "this thread has nothing else to do"
            )]
            std::thread::sleep(TICK);
        }
    });
    let interval = Duration::from_secs_f64(1.0 / per_second);
    let mut next = began;
    while ticks.recv().await.is_some() {
        let now = Instant::now();
        while next <= now && next < end {
            run.due.borrow_mut().push_back(next);
            run.fell_due.notify_one();
            next += interval;
        }
    }
    run.all_announced.set(true);
    run.fell_due.notify_waiters();
}
