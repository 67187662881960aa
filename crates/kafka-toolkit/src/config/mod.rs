//! Settings, read from the command line or the environment, and checked as a whole before the first connection.
//!
//! Every struct derives [`clap::Args`], so a service flattens it into its own command line and `--help` becomes the
//! reference. Nothing here connects anywhere. A secret is a [`SecretString`](secrecy::SecretString) and never prints.

mod connection;
mod consumer;
mod producer;

pub use connection::{KafkaConfig, SaslMechanism, SecurityProtocol};
pub use consumer::ConsumerConfig;
pub use producer::{Compression, ProducerConfig};

use std::fmt;

/// One setting that can't be used, named by its environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The environment variable to change.
    pub variable: &'static str,
    /// What is wrong with its value.
    pub reason: String,
}

/// Every problem found in the settings, so that one start-up shows them all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// A value could not be read as its type.
    Unreadable(String),
    /// Values were read, but can't be used.
    Unusable(Vec<Problem>),
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(message) => f.write_str(message),
            Self::Unusable(problems) => {
                for (place, problem) in problems.iter().enumerate() {
                    if place > 0 {
                        f.write_str("; ")?;
                    }
                    write!(f, "{} {}", problem.variable, problem.reason)?;
                }
                Ok(())
            }
        }
    }
}

/// Gathers the problems of one configuration group.
#[derive(Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn unless(
        &mut self,
        holds: bool,
        variable: &'static str,
        reason: impl Into<String>,
    ) {
        if !holds {
            self.0.push(Problem {
                variable,
                reason: reason.into(),
            });
        }
    }

    pub(crate) fn range(
        &mut self,
        variable: &'static str,
        value: u64,
        allowed: std::ops::RangeInclusive<u64>,
    ) {
        self.unless(
            allowed.contains(&value),
            variable,
            format!(
                "is {value}, but must be between {} and {}",
                allowed.start(),
                allowed.end()
            ),
        );
    }

    pub(crate) fn result(self) -> Result<(), ConfigError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Unusable(self.0))
        }
    }
}

/// Reads one group from the environment alone, as a program without a command line of its own does.
pub(crate) fn from_env<A: clap::Args>() -> Result<A, ConfigError> {
    #[derive(clap::Parser)]
    #[command(disable_help_flag = true)]
    struct Alone<A: clap::Args> {
        #[command(flatten)]
        group: A,
    }

    <Alone<A> as clap::Parser>::try_parse_from(["environment"])
        .map(|alone| alone.group)
        .map_err(|error| ConfigError::Unreadable(error.to_string().trim().to_owned()))
}
