//! What has become of a dead letter since it was written.

use clap::{Args, ValueEnum};
use kafka_toolkit::Inspector;
use kafka_toolkit::inspect::{InspectError, Located};
use kafka_toolkit::redrive::{self, Redriven};
use serde::Serialize;

use super::letter::Letter;

/// Redrives after which a record that fails again is left alone: by then the fault is in the record.
pub(super) const REDRIVES_MAX: u32 = 3;

/// Where it is kept which dead letters have been put back.
#[derive(Debug, Clone, Args)]
pub struct RedriveGroup {
    /// Consumer group whose commits in the dead-letter topic say which ones have been put back.
    #[arg(
        long = "kafka-dlq-redrive-group",
        env = "KAFKA_DLQ_REDRIVE_GROUP",
        default_value = "analytics-dlq-redrive",
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    pub redrive_group: String,
}

/// What has become of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing yet; a redrive puts it back.
    Pending,
    /// It has been put back into its topic.
    Redriven,
    /// It has failed again after 3 redrives, and is put back no more unless asked for by name.
    Quarantined,
    /// It is no dead letter of ours, and cannot be put back.
    Unreadable,
}

impl State {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Redriven => "redriven",
            Self::Quarantined => "quarantined",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Tells the state of dead letters.
#[derive(Debug)]
pub(super) struct States(Redriven);

impl States {
    /// As they are now.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub(super) async fn read(
        inspector: &Inspector,
        topic: &str,
        group: &RedriveGroup,
    ) -> Result<Self, InspectError> {
        let redriven = redrive::redriven(inspector, topic, &group.redrive_group).await?;
        Ok(Self(redriven))
    }

    /// A dead letter with its state.
    pub(super) fn letter(&self, located: &Located) -> Letter {
        let mut letter = Letter::read(located);
        letter.state = match &letter.origin {
            None => State::Unreadable,
            Some(_) if self.0.contains(letter.partition, letter.offset) => State::Redriven,
            Some(origin) if origin.redrives >= REDRIVES_MAX => State::Quarantined,
            Some(_) => State::Pending,
        };
        letter
    }
}
