//! One run: a fresh start, clients and faults for a while, rest, and the account.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

use crate::check::{self, Observed, Violation};
use crate::history::{Entries, History, Told};
use crate::inject::inject;
use crate::plan::{Mode, Plan};
use crate::proxy::Aftermath;
use crate::rig::Rig;
use crate::stage::{Notes, Stage};
use crate::{foreign, observe, writer};

/// What came of a run.
#[derive(Debug, Serialize)]
pub(crate) struct RunReport {
    pub(crate) seed: u64,
    pub(crate) mode: &'static str,
    /// Injected faults by kind.
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// Starts after the first one, by what was started.
    pub(crate) restarts: BTreeMap<&'static str, u64>,
    pub(crate) events: Counts,
    /// Longest time without any acknowledgement, in seconds.
    pub(crate) outage_s: f64,
    /// Where the time went, in seconds.
    pub(crate) phases: Phases,
    /// What is wrong with processes.
    pub(crate) wrong: Vec<String>,
    /// What is wrong with events.
    pub(crate) violations: Vec<Violation>,
    /// Where the logs of a failed run are.
    pub(crate) logs: Option<PathBuf>,
}

/// Where the time of a run went, in seconds.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub(crate) struct Phases {
    /// Until all programs were ready.
    pub(crate) start_s: f64,
    /// Until clients and faults were done and everything was started again.
    pub(crate) faults_s: f64,
    /// Until everything was at rest.
    pub(crate) settle_s: f64,
    /// Until the consumers had ended.
    pub(crate) stop_s: f64,
    /// Until every event was accounted for.
    pub(crate) check_s: f64,
}

impl Phases {
    pub(crate) fn all_s(&self) -> f64 {
        self.start_s + self.faults_s + self.settle_s + self.stop_s + self.check_s
    }
}

/// Since the last call.
struct Stopwatch(Instant);

impl Stopwatch {
    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        (now - std::mem::replace(&mut self.0, now)).as_secs_f64()
    }
}

/// Events of a run, by what became of them.
#[derive(Debug, Default, Clone, Serialize)]
pub(crate) struct Counts {
    /// Different events that clients and foreign producers sent.
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    /// Refused as no event.
    pub(crate) invalid: u64,
    /// Never acknowledged, and some sending had no answer.
    pub(crate) unknown: u64,
    /// Never acknowledged, and always told so.
    pub(crate) refused: u64,
    /// Sendings of an event after its first one.
    pub(crate) repeats: u64,
    /// Acknowledgements, by path.
    pub(crate) by_path: BTreeMap<String, u64>,
    pub(crate) stored: u64,
    /// Records that can be no event.
    pub(crate) poison: u64,
    pub(crate) dead_letters: u64,
}

impl RunReport {
    pub(crate) fn has_failed(&self) -> bool {
        !self.wrong.is_empty() || !self.violations.is_empty()
    }
}

/// Carries a plan out and accounts for every event.
///
/// # Errors
/// If the rig itself cannot go on.
pub(crate) async fn run(rig: &Arc<Rig>, plan: &Plan) -> anyhow::Result<RunReport> {
    let (mut watch, mut phases) = (Stopwatch(Instant::now()), Phases::default());
    let stage = Stage::set(Arc::clone(rig), plan.seed, plan.mode)
        .await
        .context("the run cannot begin")?;
    let stage = Arc::new(stage);
    phases.start_s = watch.lap();
    let patrol = tokio::spawn({
        let stage = Arc::clone(&stage);
        async move { stage.patrol().await }
    });
    let history = Arc::new(History::new(stage.began));
    let length = Duration::from_secs(rig.options.seconds);
    let until = stage.began + length;
    let (wrote, wrote_to_topic, ()) = tokio::join!(
        writer::write(&stage, &history, plan.seed, until),
        foreign::write(Arc::clone(&stage), Arc::clone(&history), plan.seed, until),
        inject(&stage, plan),
    );
    wrote?;
    wrote_to_topic?;
    stage.heal().await;

    phases.faults_s = watch.lap();
    let patience = Duration::from_secs(rig.options.settle_seconds);
    if plan.mode == Mode::Spool
        && let Err(error) = observe::spool_empty(rig, patience).await
    {
        stage.wrong(error);
    }
    // It finishes what it has accepted; afterwards nobody writes to the topic any more.
    stage.stop_server().await;
    if let Err(error) = observe::at_rest(rig, &stage.names, patience).await {
        stage.wrong(error);
    }
    phases.settle_s = watch.lap();
    patrol.abort();
    stage.stop_consumers().await;
    phases.stop_s = watch.lap();
    if rig.options.lose_a_row {
        observe::lose_a_row(rig, &stage.names).await?;
    }
    let observed = observe::observe(rig, &stage.names).await?;
    let history = Arc::into_inner(history).context("somebody still writes")?;
    let (entries, outage) = history.finish(length);
    let Notes { restarts, wrong } = stage.notes();
    let mut report = RunReport {
        seed: plan.seed,
        mode: plan.mode.name(),
        faults: BTreeMap::new(),
        restarts,
        events: count(&entries, &observed),
        outage_s: outage.as_secs_f64(),
        phases,
        wrong,
        violations: check::check(&entries, &observed),
        logs: None,
    };
    for fault in &plan.faults {
        *report.faults.entry(fault.kind.name()).or_default() += 1;
    }
    rig.heal_network(Aftermath::Reset);
    if report.has_failed() {
        report.logs = Some(keep(rig, &stage, plan, &report).await?);
    }
    rig.remove(&stage.names).await?;
    report.phases.check_s = watch.lap();
    Ok(report)
}

/// Logs, plan and every violation with its history, in a folder that stays.
async fn keep(
    rig: &Rig,
    stage: &Stage,
    plan: &Plan,
    report: &RunReport,
) -> anyhow::Result<PathBuf> {
    let folder = rig.options.failures.join(&stage.names.database);
    rig.keep_logs(&stage.names, &folder).await?;
    std::fs::write(folder.join("plan.txt"), plan.to_string())?;
    std::fs::write(
        folder.join("report.json"),
        serde_json::to_string_pretty(report)?,
    )?;
    Ok(std::path::absolute(folder)?)
}

fn count(entries: &Entries, observed: &Observed) -> Counts {
    let poison = observed
        .records
        .iter()
        .filter(|record| record.poison.is_some());
    let mut counts = Counts {
        sent: entries.len() as u64,
        stored: observed.rows.len() as u64,
        poison: poison.count() as u64,
        dead_letters: observed.letters.len() as u64,
        ..Counts::default()
    };
    for entry in entries.values() {
        counts.repeats += entry.attempts.len().saturating_sub(1) as u64;
        if entry.is_acknowledged() {
            counts.acknowledged += 1;
        } else if entry.is_invalid() {
            counts.invalid += 1;
        } else if entry.is_unknown() {
            counts.unknown += 1;
        } else {
            counts.refused += 1;
        }
        for attempt in &entry.attempts {
            if let Told::Acknowledged { mode, .. } = &attempt.told {
                *counts.by_path.entry(mode.clone()).or_default() += 1;
            }
        }
    }
    counts
}
