//! The product's programs: server and consumers, as processes that may be killed and started again.

use std::fs::File;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::Signal;
use tokio::process::{Child, Command};

use crate::process;

const READY_MAX: Duration = Duration::from_secs(60);
/// Longest orderly end: what was accepted is finished for 20 s at most, by default.
const STOP_MAX: Duration = Duration::from_secs(40);

/// How to start a program.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) path: PathBuf,
    pub(crate) settings: Vec<(&'static str, String)>,
    pub(crate) port: u16,
    pub(crate) log: PathBuf,
    /// The pid is written here, for whoever cleans up after a rig that was killed.
    pub(crate) pid_file: PathBuf,
}

/// A program that is started, or meant to be down.
#[derive(Debug)]
pub(crate) struct Program {
    launch: Launch,
    child: Option<Child>,
}

impl Program {
    pub(crate) fn new(launch: Launch) -> Self {
        Self {
            launch,
            child: None,
        }
    }

    /// Starts it; not yet ready then.
    ///
    /// # Errors
    /// If there is no such program.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        let Launch { path, log, .. } = &self.launch;
        let log = File::options().create(true).append(true).open(log)?;
        let child = Command::new(path)
            .env_clear()
            .envs(self.launch.settings.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", path.display()))?;
        let pid = child.id().context("the program has ended")?;
        std::fs::write(&self.launch.pid_file, pid.to_string())?;
        self.child = Some(child);
        Ok(())
    }

    /// Waits until it says that it is ready.
    ///
    /// # Errors
    /// If it ends or takes too long.
    pub(crate) async fn ready(&mut self, http: &reqwest::Client) -> anyhow::Result<()> {
        let began = Instant::now();
        let url = format!("http://127.0.0.1:{}/readyz", self.launch.port);
        loop {
            if let Some(status) = self.died() {
                bail!("ended at its start: {status}");
            }
            let answer = http.get(&url).timeout(Duration::from_secs(2)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            ensure!(
                began.elapsed() < READY_MAX,
                "is not ready after {READY_MAX:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How it ended, if it is meant to run and does not.
    pub(crate) fn died(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        self.child = None;
        Some(status)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.child.as_ref().and_then(Child::id) {
            process::signal(pid, signal);
        }
    }

    /// Takes the process out of supervision, so that its end is no surprise.
    pub(crate) fn take(&mut self) -> Option<Child> {
        self.child.take()
    }
}

/// Ends a process without a chance to say goodbye.
pub(crate) async fn kill(mut child: Child) {
    let _ = child.kill().await;
}

/// Asks a process to end and waits until it has.
///
/// # Errors
/// If it takes too long, after it has been killed, or ends with a failure.
pub(crate) async fn stop(mut child: Child) -> anyhow::Result<()> {
    if let Some(pid) = child.id() {
        process::signal(pid, Signal::TERM);
    }
    let Ok(ended) = tokio::time::timeout(STOP_MAX, child.wait()).await else {
        kill(child).await;
        bail!("did not end within {STOP_MAX:?} of SIGTERM");
    };
    let status = ended?;
    ensure!(status.success(), "ended with {status} after SIGTERM");
    Ok(())
}
