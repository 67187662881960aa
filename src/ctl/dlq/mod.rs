//! `ctl dlq`: dead letters, listed, shown and put back.
//!
//! One file per subcommand. What they share: which dead letters are meant ([`filter`]), what is told of one
//! ([`letter`]), and what is told of many ([`summary`]).

mod filter;
mod letter;
mod list;
mod show;
mod summary;
mod text;

use clap::Subcommand;

use list::ListArgs;
use show::ShowArgs;

pub(super) use list::list;
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
}
