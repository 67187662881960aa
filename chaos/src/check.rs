//! The account of every event: what clients were told against what there is. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use kafka_toolkit::Record;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::{Fact, Key};
use crate::history::{Entries, Entry, Told};

/// A stored event.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) key: Key,
    pub(crate) fact: Fact,
}

/// What is stored of a session as a whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) tenant: i32,
    pub(crate) session: Uuid,
    pub(crate) attempts: i64,
    pub(crate) publications: i64,
}

/// A record of the topic of events.
#[derive(Debug, Clone)]
pub(crate) struct TopicRecord {
    pub(crate) partition: i32,
    /// What is wrong with it, if something is.
    pub(crate) poison: Option<String>,
    /// The event in it, if there is one.
    pub(crate) event: Option<Key>,
    pub(crate) record: Record,
}

/// A record of the topic of dead letters.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    /// Where it lies.
    pub(crate) place: String,
    /// The topic and the partition it says that it comes from; `None` if it is no dead letter.
    pub(crate) origin: Option<(String, i32)>,
    /// The record in it, with its offset.
    pub(crate) record: Record,
    pub(crate) reason: String,
}

/// Where the group stands in a partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartitionEnd {
    pub(crate) partition: i32,
    pub(crate) committed: Option<i64>,
    pub(crate) end: i64,
}

/// The word of `ctl audit`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Audit {
    pub(crate) behind: u64,
    pub(crate) differences: u64,
    #[serde(default)]
    pub(crate) findings: Vec<serde_json::Value>,
}

/// Everything that there is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    /// Name of the topic of events.
    pub(crate) topic: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) figures: Vec<Figures>,
    pub(crate) records: Vec<TopicRecord>,
    pub(crate) letters: Vec<Letter>,
    pub(crate) ends: Vec<PartitionEnd>,
    pub(crate) audit: Audit,
}

/// What must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    /// Acknowledged and not stored.
    Lost,
    /// Stored more than once.
    Doubled,
    /// Stored with other content than was sent.
    Altered,
    /// Stored, and nobody has sent it or it was refused for good.
    Invented,
    /// In the topic, and not stored.
    Skipped,
    /// Poison without a dead letter.
    Unburied,
    /// A dead letter that does not say truly what it comes from, or comes from no poison.
    FalseLetter,
    /// Stored figures that are not what the events say.
    Figures,
    /// The group has not finished.
    Offsets,
    /// An answer that the contract has no place for.
    Nonsense,
}

/// One case of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Violation {
    pub(crate) fault: Fault,
    pub(crate) what: String,
    /// The event that it is about, and its history.
    pub(crate) event: Option<(Key, Entry)>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.fault, self.what)?;
        if let Some(((tenant, id), entry)) = &self.event {
            write!(f, "\n    event {id} of tenant {tenant}: {:?}", entry.fact)?;
            for attempt in &entry.attempts {
                write!(
                    f,
                    "\n    sent at {:.3} s ({}), at {:.3} s {:?}",
                    attempt.sent_ms as f64 / 1e3,
                    attempt.by,
                    attempt.told_ms as f64 / 1e3,
                    attempt.told
                )?;
            }
        }
        Ok(())
    }
}

/// Accounts for every event.
pub(crate) fn check(entries: &Entries, observed: &Observed) -> Vec<Violation> {
    let mut account = Account {
        entries,
        violations: Vec::new(),
    };
    account.check_events(observed);
    account.check_dead_letters(observed);
    account.check_figures(observed);
    account.check_offsets(observed);
    account.violations
}

struct Account<'a> {
    entries: &'a Entries,
    violations: Vec<Violation>,
}

impl Account<'_> {
    fn add(&mut self, fault: Fault, key: Option<&Key>, what: impl Into<String>) {
        let event = key.and_then(|key| Some((key.clone(), self.entries.get(key)?.clone())));
        self.violations.push(Violation {
            fault,
            what: what.into(),
            event,
        });
    }

    fn check_events(&mut self, observed: &Observed) {
        let mut stored: HashMap<&Key, Vec<&Fact>> = HashMap::new();
        for Row { key, fact } in &observed.rows {
            stored.entry(key).or_default().push(fact);
        }
        let in_topic: BTreeSet<&Key> = observed
            .records
            .iter()
            .filter(|record| record.poison.is_none())
            .filter_map(|record| record.event.as_ref())
            .collect();
        for (key, facts) in &stored {
            let Some(entry) = self.entries.get(*key) else {
                self.add(
                    Fault::Invented,
                    None,
                    format!("{key:?} is stored, and nobody has sent it"),
                );
                continue;
            };
            if facts.len() > 1 {
                self.add(
                    Fault::Doubled,
                    Some(key),
                    format!("stored {} times", facts.len()),
                );
            }
            if entry.is_invalid() {
                self.add(
                    Fault::Invented,
                    Some(key),
                    "stored, and refused as no event",
                );
            }
            for fact in facts {
                if **fact != entry.fact {
                    self.add(Fault::Altered, Some(key), format!("stored as {fact:?}"));
                }
            }
        }
        for (key, entry) in self.entries {
            let is_stored = stored.contains_key(key);
            if entry.is_acknowledged() && !is_stored {
                let topic = if in_topic.contains(key) {
                    "in"
                } else {
                    "not in"
                };
                self.add(
                    Fault::Lost,
                    Some(key),
                    format!("acknowledged, not stored, {topic} the topic"),
                );
            } else if in_topic.contains(key) && !is_stored {
                self.add(Fault::Skipped, Some(key), "in the topic, not stored");
            }
            for attempt in &entry.attempts {
                if let Told::Nonsense(what) = &attempt.told {
                    self.add(Fault::Nonsense, Some(key), what.clone());
                }
            }
        }
    }

    fn check_dead_letters(&mut self, observed: &Observed) {
        let mut poison: BTreeMap<(i32, i64), (&TopicRecord, u32)> = BTreeMap::new();
        for record in &observed.records {
            let place = (record.partition, record.record.offset);
            if record.poison.is_some() {
                poison.insert(place, (record, 0));
            } else if record.event.is_none() {
                let what = format!("partition {} offset {} holds no event", place.0, place.1);
                self.add(Fault::Nonsense, None, what);
            }
        }
        for letter in &observed.letters {
            let Letter {
                place,
                origin,
                record,
                reason,
            } = letter;
            let Some((topic, partition)) = origin else {
                self.add(Fault::FalseLetter, None, format!("{place}: {reason}"));
                continue;
            };
            let origin = (*partition, record.offset);
            let found = poison.get_mut(&origin).filter(|_| *topic == observed.topic);
            let Some((source, letters)) = found else {
                let what = format!(
                    "{place} says that it comes from {topic} partition {partition} offset {} ({reason}), where no \
                     poison is",
                    record.offset
                );
                self.add(Fault::FalseLetter, None, what);
                continue;
            };
            *letters += 1;
            let source = &source.record;
            let same = (
                &source.key,
                &source.payload,
                &source.headers,
                source.timestamp_ms,
            ) == (
                &record.key,
                &record.payload,
                &record.headers,
                record.timestamp_ms,
            );
            if !same {
                let what = format!(
                    "{place} is not what {topic} has in partition {partition} at {}",
                    record.offset
                );
                self.add(Fault::FalseLetter, None, what);
            }
        }
        for ((partition, offset), (record, letters)) in poison {
            if letters == 0 {
                let what = format!(
                    "{:?} in partition {partition} at offset {offset} has no dead letter",
                    record.poison.as_deref().unwrap_or_default()
                );
                self.add(Fault::Unburied, None, what);
            }
        }
    }

    /// The stored figures against a recount of the client's own account.
    fn check_figures(&mut self, observed: &Observed) {
        let Audit {
            behind,
            differences,
            findings,
        } = &observed.audit;
        if *behind > 0 || *differences > 0 {
            let first = findings.first().map(ToString::to_string);
            let what = format!(
                "the audit has {differences} differences, {behind} sessions behind: {}",
                first.unwrap_or_default()
            );
            self.add(Fault::Figures, None, what);
        }
        let mut counts: BTreeMap<(i32, Uuid), (i64, i64)> = BTreeMap::new();
        let stored: BTreeSet<&Key> = observed.rows.iter().map(|row| &row.key).collect();
        for key in stored {
            let Some(entry) = self.entries.get(key) else {
                continue;
            };
            let count = counts.entry((key.0, entry.fact.session)).or_default();
            match entry.fact.kind.as_str() {
                "answer" => count.0 += 1,
                "publication" => count.1 += 1,
                _ => {}
            }
        }
        let figures: BTreeMap<(i32, Uuid), (i64, i64)> = observed
            .figures
            .iter()
            .map(|of| ((of.tenant, of.session), (of.attempts, of.publications)))
            .collect();
        let sessions: BTreeSet<_> = counts.keys().chain(figures.keys()).copied().collect();
        for session in sessions {
            let (counted, figured) = (counts.get(&session), figures.get(&session));
            if counted != figured {
                let what = format!(
                    "session {} of tenant {}: (answers, publications) are {figured:?} and should be {counted:?}",
                    session.1, session.0
                );
                self.add(Fault::Figures, None, what);
            }
        }
    }

    fn check_offsets(&mut self, observed: &Observed) {
        for PartitionEnd {
            partition,
            committed,
            end,
        } in &observed.ends
        {
            if committed.unwrap_or(0) != *end {
                let what = format!("partition {partition}: committed {committed:?}, end {end}");
                self.add(Fault::Offsets, None, what);
            }
        }
    }
}

#[cfg(test)]
mod tests;
