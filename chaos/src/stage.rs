//! The programs of one run, and the patrol that notices when one is dead that nobody has killed.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::{Mutex, MutexGuard};

use crate::plan::{Mode, Target};
use crate::program::{self, Program};
use crate::proxy::Aftermath;
use crate::rig::{Names, Rig};

const PATROL_PAUSE: Duration = Duration::from_millis(100);
/// Server and consumers that run all the time.
const CONSUMERS: usize = 2;

/// One run's programs.
pub(crate) struct Stage {
    pub(crate) rig: Arc<Rig>,
    pub(crate) names: Names,
    pub(crate) server: Mutex<Program>,
    pub(crate) consumers: Vec<Mutex<Program>>,
    /// How far the producers' clocks are off, in seconds.
    pub(crate) clock_s: AtomicI64,
    /// Whether poison is due.
    pub(crate) poison: std::sync::atomic::AtomicBool,
    pub(crate) began: Instant,
    /// Whose turn it is to hurt a process: a fault may take longer than it was planned to.
    turns: BTreeMap<Target, Mutex<()>>,
    /// Whose turn it is to have guests in the group: they share a port, and may take long to leave.
    pub(crate) guests: Mutex<()>,
    notes: Lock<Notes>,
}

/// What happened to processes.
#[derive(Debug, Default, Clone)]
pub(crate) struct Notes {
    /// Starts after the first one, by what was started.
    pub(crate) restarts: BTreeMap<&'static str, u64>,
    /// What must not happen.
    pub(crate) wrong: Vec<String>,
}

impl Stage {
    /// Starts all programs and waits until they are ready.
    ///
    /// # Errors
    /// If one is not.
    pub(crate) async fn set(rig: Arc<Rig>, seed: u64, mode: Mode) -> anyhow::Result<Self> {
        let names = rig.fresh(seed).await?;
        let mut own = vec![("KAFKA_ENABLED", (mode != Mode::Direct).to_string())];
        if mode == Mode::Spool {
            let folder = names.folder.join("spool");
            own.push(("SPOOL_DIR", folder.display().to_string()));
        }
        let mut server = rig.server(&names, own);
        let mut consumers: Vec<Program> = (0..CONSUMERS)
            .map(|number| rig.consumer(&names, number))
            .collect();
        server.start()?;
        for consumer in &mut consumers {
            consumer.start()?;
        }
        server.ready(&rig.http).await.context("the server")?;
        for consumer in &mut consumers {
            consumer.ready(&rig.http).await.context("a consumer")?;
        }
        Ok(Self {
            rig,
            names,
            server: Mutex::new(server),
            consumers: consumers.into_iter().map(Mutex::new).collect(),
            clock_s: AtomicI64::new(0),
            poison: false.into(),
            began: Instant::now(),
            turns: [Target::Server, Target::Database, Target::Broker]
                .into_iter()
                .chain((0..CONSUMERS).map(Target::Consumer))
                .map(|target| (target, Mutex::default()))
                .collect(),
            guests: Mutex::default(),
            notes: Lock::default(),
        })
    }

    pub(crate) fn restarted(&self, what: &'static str) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        *notes.restarts.entry(what).or_default() += 1;
    }

    /// Notes what must not happen.
    pub(crate) fn wrong(&self, what: impl std::fmt::Display) {
        let at = self.began.elapsed().as_secs_f64();
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.wrong.push(format!("{at:.2} s: {what}"));
    }

    pub(crate) fn notes(&self) -> Notes {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.clone()
    }

    /// Waits until nobody else hurts these processes; targets come in one order.
    pub(crate) async fn turn_of(&self, targets: &[Target]) -> Vec<MutexGuard<'_, ()>> {
        let mut turns = Vec::new();
        for turn in targets.iter().filter_map(|target| self.turns.get(target)) {
            turns.push(turn.lock().await);
        }
        turns
    }

    /// The program behind a target that is one.
    pub(crate) fn program(&self, target: Target) -> Option<&Mutex<Program>> {
        match target {
            Target::Server => Some(&self.server),
            Target::Consumer(number) => self.consumers.get(number),
            Target::Database | Target::Broker => None,
        }
    }

    /// Looks after everything, for ever: whatever dies by itself is noted and started again.
    pub(crate) async fn patrol(&self) {
        loop {
            tokio::time::sleep(PATROL_PAUSE).await;
            self.look_after_programs();
            self.look_after_services().await;
        }
    }

    /// Notes who has died by itself, now.
    fn look_after_programs(&self) {
        let consumers = self.consumers.iter().map(|consumer| ("consumer", consumer));
        for (name, program) in [("server", &self.server)].into_iter().chain(consumers) {
            // Whoever holds the lock is about to hurt it or to start it.
            let Ok(mut program) = program.try_lock() else {
                continue;
            };
            if let Some(status) = program.died() {
                self.wrong(format!("{name} is dead and nobody killed it: {status}"));
                if let Err(error) = program.start() {
                    self.wrong(error);
                }
                self.restarted(name);
            }
        }
    }

    async fn look_after_services(&self) {
        for service in [&self.rig.database, &self.rig.broker] {
            let Ok(mut service) = service.try_lock() else {
                continue;
            };
            if service.has_died() {
                let name = service.name();
                self.wrong(format!("{name} is dead and nobody killed it"));
                if let Err(error) = service.start().await {
                    self.wrong(error);
                }
                self.restarted(name);
            }
        }
    }

    /// Everything that a fault may have left hurt is as it should be.
    pub(crate) async fn heal(&self) {
        self.rig.heal_network(Aftermath::Resume);
        for service in [&self.rig.database, &self.rig.broker] {
            let mut service = service.lock().await;
            if !service.runs() {
                if let Err(error) = service.start().await {
                    self.wrong(error);
                }
                self.restarted(service.name());
            }
        }
    }

    /// Asks the server to end: it finishes what it has accepted.
    pub(crate) async fn stop_server(&self) {
        let child = self.server.lock().await.take();
        if let Some(child) = child
            && let Err(error) = program::stop(child).await
        {
            self.wrong(format!("server at the end: {error}"));
        }
    }

    /// Asks the consumers to end, all at once.
    pub(crate) async fn stop_consumers(&self) {
        let mut ends = tokio::task::JoinSet::new();
        for consumer in &self.consumers {
            if let Some(child) = consumer.lock().await.take() {
                ends.spawn(program::stop(child));
            }
        }
        while let Some(ended) = ends.join_next().await {
            if let Err(error) = ended.unwrap_or_else(|error| Err(error.into())) {
                self.wrong(format!("consumer at the end: {error}"));
            }
        }
    }
}
