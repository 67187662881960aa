//! What clients have sent and what they were told: the one account of events that the product has no part in.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::event::{Draft, Fact, Key};

/// What a client was told of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Told {
    /// It is durable, by this path.
    Acknowledged { mode: String, duplicate: bool },
    /// It can never be taken.
    Invalid(String),
    /// Nobody can take it now.
    Unavailable,
    /// Nothing: the connection broke or the time was over.
    Nothing(String),
    /// What the contract has no place for.
    Nonsense(String),
}

/// One sending of an event.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Attempt {
    /// Since the beginning of the run, in milliseconds.
    pub(crate) sent_ms: u64,
    pub(crate) told_ms: u64,
    /// `single`, `batch` or `topic`.
    pub(crate) by: &'static str,
    pub(crate) told: Told,
}

/// An event and everything that happened to it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    pub(crate) fact: Fact,
    pub(crate) attempts: Vec<Attempt>,
}

impl Entry {
    pub(crate) fn is_acknowledged(&self) -> bool {
        let mut told = self.attempts.iter().map(|attempt| &attempt.told);
        told.any(|told| matches!(told, Told::Acknowledged { .. }))
    }

    /// Whether every answer was that it is no event.
    pub(crate) fn is_invalid(&self) -> bool {
        let mut told = self.attempts.iter().map(|attempt| &attempt.told);
        told.all(|told| matches!(told, Told::Invalid(_)))
    }

    /// Whether nobody can know if it was stored.
    pub(crate) fn is_unknown(&self) -> bool {
        let mut told = self.attempts.iter().map(|attempt| &attempt.told);
        !self.is_acknowledged() && told.any(|told| matches!(told, Told::Nothing(_)))
    }
}

/// All events of a run.
pub(crate) type Entries = HashMap<Key, Entry>;

/// The account while it is being written.
#[derive(Debug)]
pub(crate) struct History {
    began: Instant,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    entries: Entries,
    acknowledged_at: Vec<Duration>,
}

impl History {
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            began,
            book: Mutex::default(),
        }
    }

    /// Notes that this event was sent at an instant, and what came of it now.
    pub(crate) fn note(&self, draft: &Draft, by: &'static str, sent: Instant, told: Told) {
        let now = self.began.elapsed();
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(told, Told::Acknowledged { .. }) && by != "topic" {
            book.acknowledged_at.push(now);
        }
        let entry = book.entries.entry(draft.key.clone());
        let entry = entry.or_insert_with(|| Entry {
            fact: draft.fact.clone(),
            attempts: Vec::new(),
        });
        entry.attempts.push(Attempt {
            sent_ms: millis(sent.saturating_duration_since(self.began)),
            told_ms: millis(now),
            by,
            told,
        });
    }

    /// The finished account, and the longest time without an acknowledgement until `end`.
    pub(crate) fn finish(self, end: Duration) -> (Entries, Duration) {
        let mut book = self
            .book
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let mut instants = std::mem::take(&mut book.acknowledged_at);
        (book.entries, longest_gap(&mut instants, end))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The longest time between two neighbours, the beginning and the end included.
fn longest_gap(instants: &mut Vec<Duration>, end: Duration) -> Duration {
    instants.push(end);
    instants.sort_unstable();
    let mut before = Duration::ZERO;
    let mut longest = Duration::ZERO;
    for instant in instants.iter().filter(|instant| **instant <= end) {
        longest = longest.max(*instant - before);
        before = *instant;
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_counts_beginning_and_end() {
        let seconds = |list: &[u64]| {
            list.iter()
                .copied()
                .map(Duration::from_secs)
                .collect::<Vec<_>>()
        };
        let gap = |list: &[u64]| longest_gap(&mut seconds(list), Duration::from_secs(10)).as_secs();
        assert_eq!(gap(&[]), 10);
        assert_eq!(gap(&[1, 2, 9]), 7);
        assert_eq!(gap(&[4, 5]), 5);
        assert_eq!(gap(&[9, 6]), 6);
        assert_eq!(gap(&[5, 30]), 5);
    }
}
