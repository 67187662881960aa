//! The operator's tool: one subcommand a file.
//!
//! A subcommand takes its arguments and gives back an answer, which `answer.rs` prints and turns into an exit code (0
//! done, 1 not done, 2 wrong use). Progress and warnings go to standard error, so that what is on standard output is the
//! answer and nothing else. The rules live elsewhere: this module only calls them.

mod answer;
mod audit;
mod brake;
mod completeness;
mod database;
mod dlq;
mod kafka;
mod lag;
mod load;
mod migrate;
mod progress;
mod rebuild;
mod replay;
mod seed;
mod table;
mod tenant;
mod timestamp;
mod topics;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{LogFormat, TelemetryConfig};

/// The operator's tool of the analytics pipeline of live quizzes.
///
/// `ctl help SUBCOMMAND` lists the settings of one subcommand; most can also be given by an environment variable, the
/// same ones that the server and the consumer read.
#[derive(Debug, Parser)]
#[command(name = "ctl", version)]
pub struct Ctl {
    /// Answer with one line of JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// Which log lines to write, as `level` or `module=level`, separated by commas.
    // Quieter than the programs: what a command has to say is its answer or its error.
    #[arg(
        long,
        env = "RUST_LOG",
        default_value = "warn,librdkafka=error",
        global = true
    )]
    pub rust_log: String,
    /// Form of the log lines.
    #[arg(long, env = "LOG_FORMAT", default_value = "text", global = true)]
    pub log_format: LogFormat,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Wait for the database and bring its schema up to date.
    Migrate(migrate::MigrateArgs),
    /// Load the fixture sets A and B.
    Seed(seed::SeedArgs),
    /// Tenants.
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Accounts.
    #[command(subcommand)]
    User(user::UserCommand),
    /// Topics.
    #[command(subcommand)]
    Topics(topics::TopicsCommand),
    /// How far the consumer group is behind, per partition.
    Lag(lag::LagArgs),
    /// Whether every record of the topic is stored, a dead letter or still to be read, per minute.
    ///
    /// Works beside everything. Lists the records that are missing; the exit code is 1 if there is one.
    Completeness(completeness::CompletenessArgs),
    /// Dead letters: records that could not be stored.
    #[command(subcommand)]
    Dlq(dlq::DlqCommand),
    /// The brake: a partition that is paused because too many of its records became dead letters.
    #[command(subcommand)]
    Brake(brake::BrakeCommand),
    /// Read events from the topic once more and store what is missing, beside the consumers.
    ///
    /// Whatever is stored already changes nothing, and the group's offsets stay where they are: it joins no group and
    /// commits nothing. Records that are no events are counted, and not made dead letters once more. Ctrl-C ends it well
    /// and says how to go on. The exit code is 1 if something that was asked for is not done: an interruption, offsets
    /// that are kept no longer, events that the database refuses.
    Replay(Box<replay::ReplayArgs>),
    /// Compare the stored figures of every session with its facts.
    ///
    /// Works beside writers and refreshers. Lists each difference; the exit code is 1 if there is one. Sessions that are
    /// known to be behind are counted only: reports compute their figures.
    Audit(audit::AuditArgs),
    /// Store the figures of sessions anew from their facts.
    ///
    /// Works beside writers and refreshers, and without them. Reports are exact all the while.
    Rebuild(rebuild::RebuildArgs),
    /// Send events to a server: a file of them, or simulated classrooms.
    ///
    /// Every event is accounted for at the end; the exit code is 1 if one is not acknowledged.
    Load(Box<load::LoadArgs>),
}

impl Ctl {
    /// Which logs to write, and how.
    pub fn telemetry(&self) -> TelemetryConfig {
        TelemetryConfig {
            rust_log: self.rust_log.clone(),
            log_format: self.log_format,
        }
    }

    /// Does what was asked and prints the answer.
    ///
    /// # Errors
    /// If it can't be done; the text says why.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let json = self.json;
        match self.command {
            Command::Migrate(args) => answer::print(json, &migrate::migrate(args).await?),
            Command::Seed(args) => answer::print(json, &seed::seed(args).await?),
            Command::Tenant(tenant::TenantCommand::Add(args)) => {
                answer::print(json, &tenant::add(args).await?)
            }
            Command::Tenant(tenant::TenantCommand::List(args)) => {
                answer::print(json, &tenant::list(args).await?)
            }
            Command::User(user::UserCommand::Add(args)) => {
                answer::print(json, &user::add(args).await?)
            }
            Command::Topics(topics::TopicsCommand::Ensure(args)) => {
                answer::print(json, &topics::ensure(args).await?)
            }
            Command::Lag(args) => answer::print(json, &lag::lag(args).await?),
            Command::Completeness(args) => {
                answer::print(json, &completeness::completeness(args).await?)
            }
            Command::Dlq(dlq::DlqCommand::List(args)) => {
                answer::print(json, &dlq::list(args).await?)
            }
            Command::Dlq(dlq::DlqCommand::Show(args)) => {
                answer::print(json, &dlq::show(args).await?)
            }
            Command::Dlq(dlq::DlqCommand::Redrive(args)) => {
                answer::print(json, &dlq::redrive(*args).await?)
            }
            Command::Brake(brake::BrakeCommand::Show(args)) => {
                answer::print(json, &brake::show(args).await?)
            }
            Command::Brake(brake::BrakeCommand::Release(args)) => {
                answer::print(json, &brake::release(args).await?)
            }
            Command::Replay(args) => answer::print(json, &replay::replay(*args).await?),
            Command::Audit(args) => answer::print(json, &audit::audit(args).await?),
            Command::Rebuild(args) => answer::print(json, &rebuild::rebuild(args).await?),
            Command::Load(args) => answer::print(json, &load::load(*args).await?),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Ctl::command().debug_assert();
    }
}
