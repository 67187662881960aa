//! The operator's tool, run as an operator runs it: contract 12.1.

mod accounts;
mod audit;
mod brake;
mod completeness;
mod dlq;
mod kafka;
mod load;
mod migrate;
mod rebuild;
mod redrive;
mod replay;
mod retries;
mod seed;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;

use crate::harness::{PATIENCE, TestDb};

/// A call of `ctl` in the making; it sees no environment but its own.
struct Ctl {
    command: Command,
    stdin: String,
}

/// What it did.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ctl {
    fn new<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ctl"));
        command.env_clear().args(arguments);
        Self {
            command,
            stdin: String::new(),
        }
    }

    fn on(self, db: &TestDb) -> Self {
        self.with("DATABASE_URL", db.url())
    }

    fn with(mut self, variable: &str, value: impl AsRef<str>) -> Self {
        self.command.env(variable, value.as_ref());
        self
    }

    fn reading(mut self, stdin: &str) -> Self {
        stdin.clone_into(&mut self.stdin);
        self
    }

    async fn run(self) -> Ran {
        self.start().end().await
    }

    fn start(mut self) -> Started {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ctl starts");
        let mut stdin = child.stdin.take().expect("its standard input is a pipe");
        // A command that reads nothing may be gone already.
        let _ = stdin.write_all(self.stdin.as_bytes());
        let stderr = child.stderr.take().expect("its standard error is a pipe");
        Started {
            child,
            stderr: BufReader::new(stderr),
            heard: String::new(),
        }
    }
}

/// A call that is under way.
struct Started {
    child: Child,
    stderr: BufReader<ChildStderr>,
    /// What has been read of its standard error.
    heard: String,
}

impl Started {
    /// As Ctrl-C does.
    fn interrupt(&self) {
        let kill = format!("kill -INT {}", self.child.id());
        let killed = Command::new("sh").args(["-c", &kill]).status();
        assert!(killed.expect("sh starts").success());
    }

    /// Without a chance to say goodbye.
    fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
    }

    /// Waits until it has said this on its standard error.
    async fn says(mut self, part: &'static str) -> Self {
        let heard = tokio::task::spawn_blocking(move || {
            while !self.heard.contains(part) {
                let read = self.stderr.read_line(&mut self.heard);
                assert!(read.expect("it writes UTF-8") > 0, "{}", self.heard);
            }
            self
        });
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        heard
            .expect("it says so in time")
            .expect("it says so before it ends")
    }

    async fn end(self) -> Ran {
        let Self {
            child,
            mut stderr,
            mut heard,
        } = self;
        let stderr = tokio::task::spawn_blocking(move || {
            let read = stderr.read_to_string(&mut heard);
            read.map(|_| heard)
        });
        let output = tokio::task::spawn_blocking(|| child.wait_with_output());
        let output = output.await.expect("waiting does not panic");
        let output = output.expect("ctl ends");
        let stderr = stderr.await.expect("reading does not panic");
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("it writes UTF-8"),
            stderr: stderr.expect("it writes UTF-8"),
        }
    }
}

impl Ran {
    /// The answer, once the exit code is as expected.
    #[track_caller]
    fn exits(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        &self.stdout
    }

    /// The answer of a call with `--json`, once the exit code is as expected.
    #[track_caller]
    fn answers(&self, code: i32) -> Value {
        let text = self.exits(code);
        serde_json::from_str(text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// Whether it failed with exit code 1 and said this.
    #[track_caller]
    fn fails_saying(&self, part: &str) {
        self.exits(1);
        assert!(self.stderr.contains(part), "{self:?}");
    }
}
