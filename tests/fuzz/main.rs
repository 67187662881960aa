//! Whatever bytes come in, the readers of bytes neither panic nor hang, and what they accept means something.
//!
//! Each target is fed valid inputs with damage, and plain noise. Without settings a fixed, small number of cases runs, the
//! same each time. `make fuzz TARGET=envelope SECONDS=600` runs one target for so long with a seed of its own; it prints
//! the seed and counts the cases. An input that fails is kept in a file and named with the number of its case:
//! `FUZZ_SEED=… FUZZ_CASE=…` makes it again.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't go on should stop where it is"
)]

mod corpus;
mod mutate;
mod run;
mod target;

use run::Plan;
use target::{BatchSplitter, Envelope, EventParser, SpoolReader};

#[test]
fn event_parser() {
    Plan::from_env("event_parser").run::<EventParser>();
}

#[test]
fn batch_splitter() {
    Plan::from_env("batch_splitter").run::<BatchSplitter>();
}

#[test]
fn envelope() {
    Plan::from_env("envelope").run::<Envelope>();
}

#[test]
fn spool_reader() {
    Plan::from_env("spool_reader").run::<SpoolReader>();
}
