//! A program under measurement: started with its settings, awaited until it answers, stopped as an operator would.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::process::{Child, Command};

use crate::http;

const START_MAX: Duration = Duration::from_secs(30);
const STOP_MAX: Duration = Duration::from_secs(60);

/// What is common to all programs: where they lie, where they log, and the settings that they share.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) folder: PathBuf,
    pub(crate) logs: PathBuf,
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// A running program.
#[derive(Debug)]
pub(crate) struct Program {
    name: &'static str,
    child: Child,
    pub(crate) pid: u32,
    pub(crate) port: u16,
}

impl Programs {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Starts a program that serves HTTP on the port in the variable `port`, and waits until it is ready.
    pub(crate) async fn start(
        &self,
        name: &'static str,
        program: &Path,
        arguments: &[&str],
        port: &'static str,
        settings: &[(&'static str, String)],
    ) -> anyhow::Result<Program> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.logs.join(format!("{name}.log")))?;
        let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new(program)
            .args(arguments)
            .envs(self.settings.iter().cloned())
            .env(port, free.to_string())
            .envs(settings.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let pid = child.id().context("the program has ended")?;
        let mut program = Program {
            name,
            child,
            pid,
            port: free,
        };
        program.await_ready().await?;
        Ok(program)
    }
}

impl Program {
    async fn await_ready(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at its start: {status}; see its log", self.name);
            }
            if matches!(http::get(self.port, "/readyz").await, Ok((200, _))) {
                return Ok(());
            }
            ensure!(
                began.elapsed() < START_MAX,
                "{} is not ready after {START_MAX:?}; see its log",
                self.name
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks the program to end, and waits until it has.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let asked = Command::new("kill")
            .args(["-TERM", &self.pid.to_string()])
            .status()
            .await?;
        ensure!(
            asked.success(),
            "{} had ended by itself; see its log",
            self.name
        );
        let status = tokio::time::timeout(STOP_MAX, self.child.wait())
            .await
            .with_context(|| format!("{} did not end within {STOP_MAX:?}", self.name))??;
        ensure!(
            status.success(),
            "{} ended with {status}; see its log",
            self.name
        );
        Ok(())
    }
}
