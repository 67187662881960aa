//! Whether every record that the topic took has come to one of its ends: accepted = stored + dead-lettered + in flight.
//!
//! Nobody's counters are compared, since counters end with their process and copies make them differ. Each record has an
//! offset, and each class is a set of offsets that is durable where the truth about it is:
//!
//! - *accepted*: what the topic holds, from the first offset that retention has left to the next one to be given;
//! - *stored*: `consumer_progress.finished`, which the statement that stores the rows extends (`migrations/0006`);
//! - *dead-lettered*: the origins of what is in the dead-letter topic;
//! - *in flight*: in neither set, at or above the group's committed offset: still to be read;
//! - *missing*: in neither set, below the committed offset: nobody will read it any more.
//!
//! So one record that is skipped shows as exactly one, until it is read after all. The sets are read in an order that
//! makes a record which is on its way count as in flight or stored, never as missing.
//!
//! It says nothing about rows that are removed from the database afterwards.

mod count;
mod look;
mod watch;

pub use self::count::{Count, Partition};
pub use self::look::{Found, Look, LookError, Minute, Missing};
pub use self::watch::Watcher;
