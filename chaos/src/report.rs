//! What is printed: a line for each run, and a table of all.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::plan::Kind;
use crate::run::{Phases, RunReport};

/// Violations that are printed of a run; all are in its folder.
const VIOLATIONS_SHOWN: usize = 5;

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            mode,
            events,
            outage_s,
            phases,
            ..
        } = self;
        let faults: u64 = self.faults.values().sum();
        let restarts: u64 = self.restarts.values().sum();
        let Phases {
            start_s,
            faults_s,
            settle_s,
            stop_s,
            check_s,
        } = phases;
        let verdict = if self.has_failed() { "FAILED" } else { "ok" };
        write!(
            f,
            "seed {seed:<5} {mode:<6}  {:>5} sent  {:>5} acknowledged  {:>4} invalid  {:>4} refused  {:>4} unknown  \
             {:>4} repeats  {:>3} poison  {faults:>2} faults  {restarts:>2} restarts  outage {outage_s:>5.2} s  \
             took {:>5.1} s ({start_s:.1} start, {faults_s:.1} faults, {settle_s:.1} rest, {stop_s:.1} stop, {check_s:.1} \
             check)  {verdict}",
            events.sent,
            events.acknowledged,
            events.invalid,
            events.refused,
            events.unknown,
            events.repeats,
            events.poison,
            phases.all_s(),
        )?;
        for wrong in &self.wrong {
            write!(f, "\n  {wrong}")?;
        }
        for violation in self.violations.iter().take(VIOLATIONS_SHOWN) {
            write!(f, "\n  {violation}")?;
        }
        if self.violations.len() > VIOLATIONS_SHOWN {
            write!(
                f,
                "\n  and {} more",
                self.violations.len() - VIOLATIONS_SHOWN
            )?;
        }
        if let Some(logs) = &self.logs {
            write!(f, "\n  logs, plan and all violations: {}", logs.display())?;
        }
        Ok(())
    }
}

/// Sums over all runs.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Summary {
    runs: u64,
    seconds: u64,
    failed_seeds: Vec<u64>,
    modes: BTreeMap<&'static str, u64>,
    /// Injected faults by kind; every kind is there.
    faults: BTreeMap<&'static str, u64>,
    /// Kinds that cannot be injected on this machine, and why.
    impossible: BTreeMap<&'static str, &'static str>,
    restarts: BTreeMap<&'static str, u64>,
    sent: u64,
    acknowledged: u64,
    by_path: BTreeMap<String, u64>,
    invalid: u64,
    refused: u64,
    unknown: u64,
    repeats: u64,
    stored: u64,
    poison: u64,
    dead_letters: u64,
    violations: u64,
    longest_outage_s: f64,
    longest_settle_s: f64,
}

impl Summary {
    pub(crate) fn new(seconds: u64, small_disks: bool) -> Self {
        let mut summary = Self {
            seconds,
            ..Self::default()
        };
        for kind in Kind::ALL {
            summary.faults.insert(kind.name(), 0);
            if !small_disks && matches!(kind, Kind::FullDatabase | Kind::FullBroker) {
                let why = "NOT INJECTED: no small file system could be mounted (that takes root)";
                summary.impossible.insert(kind.name(), why);
            }
        }
        summary
    }

    pub(crate) fn add(&mut self, report: &RunReport) {
        let events = &report.events;
        self.runs += 1;
        *self.modes.entry(report.mode).or_default() += 1;
        add_all(&mut self.faults, &report.faults);
        add_all(&mut self.restarts, &report.restarts);
        add_all(&mut self.by_path, &events.by_path);
        self.sent += events.sent;
        self.acknowledged += events.acknowledged;
        self.invalid += events.invalid;
        self.refused += events.refused;
        self.unknown += events.unknown;
        self.repeats += events.repeats;
        self.stored += events.stored;
        self.poison += events.poison;
        self.dead_letters += events.dead_letters;
        self.violations += (report.violations.len() + report.wrong.len()) as u64;
        self.longest_outage_s = self.longest_outage_s.max(report.outage_s);
        self.longest_settle_s = self.longest_settle_s.max(report.phases.settle_s);
        if report.has_failed() {
            self.failed_seeds.push(report.seed);
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        !self.failed_seeds.is_empty()
    }
}

fn add_all<K: Clone + Ord>(sums: &mut BTreeMap<K, u64>, counts: &BTreeMap<K, u64>) {
    for (name, count) in counts {
        *sums.entry(name.clone()).or_default() += count;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &BTreeMap<&'static str, u64>| {
            let parts: Vec<String> = counts
                .iter()
                .map(|(name, count)| format!("{name} {count}"))
                .collect();
            if parts.is_empty() {
                "none".to_owned()
            } else {
                parts.join(", ")
            }
        };
        let paths: Vec<String> = self
            .by_path
            .iter()
            .map(|(path, count)| format!("{path} {count}"))
            .collect();
        writeln!(f, "\nfault injected                          times")?;
        for (kind, times) in &self.faults {
            match self.impossible.get(kind) {
                Some(why) => writeln!(f, "  {kind:<36}  {why}")?,
                None => writeln!(f, "  {kind:<36} {times:>6}")?,
            }
        }
        let faults: u64 = self.faults.values().sum();
        writeln!(f, "  {:<36} {faults:>6}\n", "all")?;
        let rows = [
            (
                "runs",
                format!(
                    "{} of {} s ({})",
                    self.runs,
                    self.seconds,
                    list(&self.modes)
                ),
            ),
            ("different events sent", self.sent.to_string()),
            ("  acknowledged", self.acknowledged.to_string()),
            ("  refused as invalid", self.invalid.to_string()),
            ("  refused as unavailable", self.refused.to_string()),
            ("  unknown to the client", self.unknown.to_string()),
            ("sent again (retries, duplicates)", self.repeats.to_string()),
            ("acknowledgements by path", paths.join(", ")),
            ("events stored", self.stored.to_string()),
            ("poison records in the topic", self.poison.to_string()),
            (
                "dead letters, repeats included",
                self.dead_letters.to_string(),
            ),
            ("restarts", list(&self.restarts)),
            (
                "longest outage of acknowledgements",
                format!("{:.2} s", self.longest_outage_s),
            ),
            (
                "longest way back to rest",
                format!("{:.1} s", self.longest_settle_s),
            ),
            ("violations", self.violations.to_string()),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:<36}  {value}")?;
        }
        match self.failed_seeds.as_slice() {
            [] => write!(f, "all runs add up"),
            seeds => write!(f, "FAILED SEEDS: {seeds:?}"),
        }
    }
}
