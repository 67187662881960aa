//! Injects faults into the whole pipeline while clients write, and accounts for every event afterwards.
//!
//! It drives the product's own programs as processes, between a PostgreSQL, a Kafka and a network of its own, and knows
//! nothing of their inside. docs/CHAOS.md says what it does and how to read its table.

mod check;
mod disk;
mod event;
mod foreign;
mod history;
mod inject;
mod observe;
mod options;
mod plan;
mod ports;
mod process;
mod program;
mod proxy;
mod report;
mod rig;
mod run;
mod service;
mod stage;
mod writer;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::options::Options;
use crate::plan::{Plan, Scope};
use crate::report::Summary;
use crate::rig::Rig;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    if options.plan {
        let scope = scope(&options, options.small_disks, true);
        for seed in seeds(&options) {
            println!("{}", Plan::draw(seed, &scope));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut terminated = signal(SignalKind::terminate())?;
    // Whatever is under way is dropped then, and with it every program; the script removes the services.
    tokio::select! {
        ran = run_all(options) => ran,
        _ = tokio::signal::ctrl_c() => Ok(ExitCode::from(130)),
        _ = terminated.recv() => Ok(ExitCode::from(143)),
    }
}

fn seeds(options: &Options) -> impl Iterator<Item = u64> + use<> {
    let (first, runs) = (options.seed, options.runs);
    (0..runs).map(move |run| first.wrapping_add(run))
}

fn scope(options: &Options, small_disks: bool, has_spool: bool) -> Scope {
    Scope {
        seconds: options.seconds,
        small_disks,
        has_spool,
        only: options.faults.clone(),
        mode: options.mode,
    }
}

async fn run_all(options: Options) -> anyhow::Result<ExitCode> {
    let folder = options
        .folder
        .clone()
        .context("CHAOS_FOLDER is not set; scripts/chaos.sh makes one")?;
    let rig = Arc::new(Rig::start(options, folder).await?);
    let options = &rig.options;
    let scope = scope(options, options.small_disks, rig.has_spool);
    let mut summary = Summary::new(options.seconds, options.small_disks);
    for seed in seeds(options) {
        let plan = Plan::draw(seed, &scope);
        if !options.json {
            println!("{plan}");
        }
        let report = run::run(&rig, &plan)
            .await
            .with_context(|| format!("seed {seed}"))?;
        summary.add(&report);
        if options.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!("{report}");
        }
    }
    if options.json {
        println!("{}", serde_json::to_string(&summary)?);
    } else {
        println!("{summary}");
    }
    Ok(if summary.has_failed() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
