//! The account of what came of the records.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::event::Event;
use crate::store::{Kinds, WriteOutcome};

/// What came of the records that were read.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Records that were read.
    pub read: u64,
    /// Those of them that are events of those that are meant.
    pub decoded: u64,
    /// Those that belong to another session or tenant.
    pub passed_over: u64,
    /// Those that can never be an event, by reason; the consumer has made dead letters of them.
    pub undecodable: BTreeMap<&'static str, u64>,
    /// Events that PostgreSQL refuses for good, by SQLSTATE.
    pub refused: BTreeMap<String, u64>,
    /// Rows that were new; in a dry run, rows that would be.
    pub new: Kinds,
    /// Events that were stored before, or came twice.
    pub duplicates: u64,
}

impl Tally {
    pub(super) fn count_written(&mut self, events: &[Event], outcomes: &[WriteOutcome]) {
        for (event, outcome) in events.iter().zip(outcomes) {
            match outcome {
                WriteOutcome::Stored => self.new.count(event),
                WriteOutcome::Duplicate => self.duplicates += 1,
                WriteOutcome::Refused { sqlstate } => {
                    *self.refused.entry(sqlstate.clone()).or_default() += 1;
                }
            }
        }
    }

    pub(super) fn count_asked(&mut self, events: u64, new: Kinds) {
        self.new += new;
        self.duplicates += events.saturating_sub(new.total().try_into().unwrap_or_default());
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.read += more.read;
        self.decoded += more.decoded;
        self.passed_over += more.passed_over;
        for (reason, count) in more.undecodable {
            *self.undecodable.entry(reason).or_default() += count;
        }
        for (sqlstate, count) in more.refused {
            *self.refused.entry(sqlstate).or_default() += count;
        }
        self.new += more.new;
        self.duplicates += more.duplicates;
    }
}
