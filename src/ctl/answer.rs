//! How an answer leaves the program: as text for people or as one line of JSON.

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use serde::Serialize;

/// What a subcommand found or did.
pub(super) trait Answer: Serialize + Display {
    /// Whether the answer is that something is not as it was asked for.
    fn is_failure(&self) -> bool {
        false
    }
}

/// Prints an answer and turns it into the exit code.
pub(super) fn print(json: bool, answer: &impl Answer) -> anyhow::Result<ExitCode> {
    let mut text = if json {
        serde_json::to_string(answer)?
    } else {
        answer.to_string()
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    match std::io::stdout().write_all(text.as_bytes()) {
        // The reader has seen enough, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        written => written?,
    }
    Ok(if answer.is_failure() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
