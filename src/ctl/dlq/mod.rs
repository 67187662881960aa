//! `ctl dlq`: dead letters, listed, shown and put back.
//!
//! One file per subcommand. What they share: which dead letters are meant ([`filter`]), what is told of one
//! ([`letter`]), what has become of it ([`state`]), and what is told of many ([`summary`]).

mod filter;
mod letter;
mod list;
mod redrive;
mod show;
mod state;
mod summary;
mod text;

use clap::Subcommand;

use list::ListArgs;
use redrive::RedriveArgs;
use show::ShowArgs;

pub(super) use list::list;
pub(super) use redrive::redrive;
pub(super) use show::show;

/// Dead letters: records that could not be stored.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// Count them by what is wrong with them, and list the newest, oldest first.
    ///
    /// Payloads are not listed: they are somebody's answers. `ctl dlq show` shows one.
    List(ListArgs),
    /// Show one of them wholly: where it came from, why it is here, headers, key and payload.
    Show(ShowArgs),
    /// Put them back into the topics that they came from, once what they failed for is mended.
    ///
    /// Each record goes back with its key, bytes and headers as they were, and a counter in the header dlq.redrives.
    /// What was put back is noted after the brokers have confirmed it: a call that was stopped or killed is gone on with
    /// by calling again, and nothing is put back twice but at most the batch that was under way, which is stored once
    /// all the same. What a filter leaves out waits for another call. A record that fails again after 3 redrives is
    /// quarantined. If many come back as dead letters at once, the command ends by itself.
    Redrive(Box<RedriveArgs>),
}
