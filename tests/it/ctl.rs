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
mod retries;
mod seed;

use std::io::Write;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::harness::TestDb;

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
        Started(child)
    }
}

/// A call that is under way.
struct Started(Child);

impl Started {
    /// As Ctrl-C does.
    fn interrupt(&self) {
        let kill = format!("kill -INT {}", self.0.id());
        let killed = Command::new("sh").args(["-c", &kill]).status();
        assert!(killed.expect("sh starts").success());
    }

    /// Without a chance to say goodbye.
    fn kill(&mut self) {
        self.0.kill().expect("it can be killed");
    }

    async fn end(self) -> Ran {
        let output = tokio::task::spawn_blocking(|| self.0.wait_with_output());
        let output = output.await.expect("waiting does not panic");
        let output = output.expect("ctl ends");
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("it writes UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("it writes UTF-8"),
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
