//! The rig's own PostgreSQL and Kafka: started by the project's scripts, hurt by signals.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::Signal;
use tokio::process::Command;

use crate::process;

/// Longest start, recovery from a kill and a busy machine included.
const START_MAX: Duration = Duration::from_secs(120);

/// A broker that was killed is only let in again once its former self is forgotten.
const KAFKA_SETTINGS: &str = "broker.session.timeout.ms=2000\nbroker.heartbeat.interval.ms=500";

/// Started often, never busy.
const KAFKA_JVM_OPTIONS: &str = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Postgres,
    Kafka,
}

/// One of the two.
#[derive(Debug)]
pub(crate) struct Service {
    kind: Kind,
    project: PathBuf,
    folder: PathBuf,
    settings: Vec<(&'static str, String)>,
    /// Since the last start; `None` while it is meant to be down.
    pid: Option<u32>,
}

impl Service {
    pub(crate) fn postgres(project: &Path, folder: &Path, port: u16) -> Self {
        Self {
            kind: Kind::Postgres,
            project: project.to_owned(),
            folder: folder.to_owned(),
            settings: vec![("PGPORT", port.to_string())],
            pid: None,
        }
    }

    /// `listeners` are the further ones, as (port, advertised port).
    pub(crate) fn kafka(
        project: &Path,
        folder: &Path,
        port: u16,
        controller: u16,
        listeners: &[(u16, u16)],
    ) -> Self {
        let listeners: Vec<String> = listeners
            .iter()
            .enumerate()
            .map(|(place, (port, advertised))| format!("PROXIED{place}:{port}:{advertised}"))
            .collect();
        Self {
            kind: Kind::Kafka,
            project: project.to_owned(),
            folder: folder.to_owned(),
            settings: vec![
                ("KAFKA_PORT", port.to_string()),
                ("KAFKA_CONTROLLER_PORT", controller.to_string()),
                ("KAFKA_EXTRA_LISTENERS", listeners.join(" ")),
                ("KAFKA_EXTRA_SETTINGS", KAFKA_SETTINGS.to_owned()),
                ("KAFKA_JVM_OPTIONS", KAFKA_JVM_OPTIONS.to_owned()),
            ],
            pid: None,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Postgres => "database",
            Kind::Kafka => "broker",
        }
    }

    /// Starts it and waits until it listens; nothing happens if it runs.
    ///
    /// # Errors
    /// If it does not start, with what the script says.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let (script, argument) = match self.kind {
            Kind::Postgres => ("scripts/postgres.sh", "start"),
            Kind::Kafka => ("./start-kafka.sh", "--no-topics"),
        };
        let started = Command::new(self.project.join(script))
            .arg(argument)
            .current_dir(&self.project)
            .env("INGESTOR_LOCAL", &self.folder)
            .envs(self.settings.iter().cloned())
            .stdin(Stdio::null())
            // A Ctrl-C for the rig must not reach what it is about to clean up.
            .process_group(0)
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(START_MAX, started)
            .await
            .with_context(|| format!("{} did not start within {START_MAX:?}", self.name()))??;
        ensure!(
            output.status.success(),
            "{} did not start: {}{}",
            self.name(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        self.pid = Some(self.recorded().context("no process is recorded")?);
        Ok(())
    }

    fn recorded(&self) -> Option<u32> {
        let file = match self.kind {
            Kind::Postgres => self.folder.join("postgres/data/postmaster.pid"),
            Kind::Kafka => self.folder.join("kafka/kafka.pid"),
        };
        let text = fs::read_to_string(file).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    /// In the command line of this service and of nothing else.
    fn mark(&self) -> String {
        match self.kind {
            Kind::Postgres => self.folder.join("postgres/data").display().to_string(),
            Kind::Kafka => self.folder.join("kafka/logs").display().to_string(),
        }
    }

    /// Whether it runs.
    pub(crate) fn runs(&self) -> bool {
        self.pid.is_some_and(|pid| process::runs(pid, &self.mark()))
    }

    /// Whether it is meant to run and does not.
    pub(crate) fn has_died(&self) -> bool {
        self.pid.is_some() && !self.runs()
    }

    /// Sends a signal after which it is meant to be down.
    pub(crate) fn end(&mut self, signal: Signal) {
        if let Some(pid) = self.pid.take() {
            process::signal(pid, signal);
        }
    }

    /// Whether it runs, also while it is excused.
    pub(crate) fn runs_by_record(&self) -> bool {
        !self.family().is_empty()
    }

    /// Waits so long, or until it has ended.
    pub(crate) async fn ended_within(&self, wait: Duration) {
        let ended = async {
            while self.runs_by_record() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        // Either is an answer.
        let _ = tokio::time::timeout(wait, ended).await;
    }

    /// It may go down from here on without that being anybody's fault, until it is started again.
    pub(crate) fn excuse(&mut self) {
        self.pid = None;
    }

    /// The signal of an orderly end: for PostgreSQL the "fast" one, which does not wait for clients.
    pub(crate) fn orderly(&self) -> Signal {
        match self.kind {
            Kind::Postgres => Signal::INT,
            Kind::Kafka => Signal::TERM,
        }
    }

    /// Waits until nothing of it runs any more; insists after a while.
    pub(crate) async fn ended(&self) {
        let Some(pid) = self.recorded() else { return };
        for _ in 0..600 {
            if !process::runs(pid, &self.mark()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        process::signal(pid, Signal::KILL);
    }

    /// All of its processes, the first one first.
    fn family(&self) -> Vec<u32> {
        let Some(pid) = self
            .recorded()
            .filter(|pid| process::runs(*pid, &self.mark()))
        else {
            return Vec::new();
        };
        let mut family = vec![pid];
        family.extend(process::children(pid));
        family
    }

    pub(crate) fn pause(&self) {
        self.signal_all(Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        self.signal_all(Signal::CONT);
    }

    fn signal_all(&self, signal: Signal) {
        for pid in self.family() {
            process::signal(pid, signal);
        }
    }

    /// One of the processes that serve clients, by chance.
    pub(crate) fn a_child(&self) -> Option<u32> {
        let family = self.family();
        let serves = |pid: &&u32| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains("127.0.0.1"))
        };
        let serving: Vec<&u32> = family.iter().skip(1).filter(serves).collect();
        serving
            .get(fastrand::usize(0..serving.len().max(1)))
            .map(|pid| **pid)
    }

    /// Files that say what it was about.
    pub(crate) fn log(&self) -> PathBuf {
        match self.kind {
            Kind::Postgres => self.folder.join("postgres/postgres.log"),
            Kind::Kafka => self.folder.join("kafka/logs/kafka.log"),
        }
    }
}
