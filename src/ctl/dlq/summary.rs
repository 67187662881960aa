//! What is told of many dead letters: how many there are of each kind.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::letter::Letter;
use super::state::State;
use super::text::one_line;
use crate::ctl::table::Table;

/// Most kinds to tell apart: names come from headers, which anybody can write.
const KINDS_MAX: usize = 1_000;

/// Counts by kind.
#[derive(Debug, Default)]
pub(super) struct Summary {
    counts: BTreeMap<Kind, u64>,
}

#[derive(Serialize)]
struct Counted<'a> {
    count: u64,
    #[serde(flatten)]
    kind: &'a Kind,
}

/// What dead letters have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Kind {
    error_class: String,
    error_name: String,
    original_topic: String,
    original_partition: Option<i32>,
    redrives: u32,
    state: State,
}

impl Kind {
    fn of(letter: &Letter) -> Self {
        match &letter.origin {
            Some(origin) => Self {
                error_class: origin.error_class.clone(),
                error_name: origin.error_name.clone(),
                original_topic: origin.original_topic.clone(),
                original_partition: Some(origin.original_partition),
                redrives: origin.redrives,
                state: letter.state,
            },
            None => Self::nameless("unreadable", letter.state),
        }
    }

    fn nameless(class: &str, state: State) -> Self {
        Self {
            error_class: class.to_owned(),
            error_name: "-".to_owned(),
            original_topic: "-".to_owned(),
            original_partition: None,
            redrives: 0,
            state,
        }
    }
}

impl Summary {
    pub(super) fn count(&mut self, letter: &Letter) {
        let kind = Kind::of(letter);
        let kind = if self.counts.len() < KINDS_MAX || self.counts.contains_key(&kind) {
            kind
        } else {
            Kind::nameless("other", letter.state)
        };
        *self.counts.entry(kind).or_default() += 1;
    }

    pub(super) fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The most frequent kind first.
    fn sorted(&self) -> Vec<Counted<'_>> {
        let counts = self.counts.iter();
        let mut counted: Vec<_> = counts
            .map(|(kind, &count)| Counted { count, kind })
            .collect();
        counted.sort_by_key(|counted| std::cmp::Reverse(counted.count));
        counted
    }
}

impl Serialize for Summary {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.sorted())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(["COUNT", "CLASS", "ERROR", "FROM", "REDRIVES", "STATE"]);
        for Counted { count, kind } in self.sorted() {
            let from = match kind.original_partition {
                Some(partition) => format!("{}/{partition}", one_line(&kind.original_topic)),
                None => "-".to_owned(),
            };
            table.row([
                count.to_string(),
                one_line(&kind.error_class),
                one_line(&kind.error_name),
                from,
                kind.redrives.to_string(),
                kind.state.as_str().to_owned(),
            ]);
        }
        table.fmt(f)
    }
}
