//! Which seeds to run, how long, and with which folders.

use std::path::PathBuf;

use clap::Parser;

use crate::plan::{Kind, Mode};

/// Injects faults into the whole pipeline while clients write, and accounts for every event afterwards.
#[derive(Debug, Clone, Parser)]
#[command(name = "ingestor-chaos", version)]
pub(crate) struct Options {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many seeds, one after the other.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) runs: u64,
    /// How long clients write and faults happen in each run.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(5..=3_600))]
    pub(crate) seconds: u64,
    /// Draw only this kind of fault; several times at will. Another plan then, of course.
    #[arg(long = "fault", value_name = "KIND")]
    pub(crate) faults: Vec<Kind>,
    /// The server's mode, which is drawn otherwise.
    #[arg(long)]
    pub(crate) mode: Option<Mode>,
    /// Print the plans and do nothing.
    #[arg(long)]
    pub(crate) plan: bool,
    /// One line of JSON for each run and one for all, instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// Most seconds that everything may take to come to rest once all faults are over.
    #[arg(long, default_value_t = 90)]
    pub(crate) settle_seconds: u64,
    /// Take one stored answer away behind the rig's back before it is checked, to see it noticed.
    #[arg(long)]
    pub(crate) lose_a_row: bool,
    /// The project, whose scripts start the services.
    #[arg(long, env = "CHAOS_PROJECT", default_value = ".")]
    pub(crate) project: PathBuf,
    /// Folder of the built programs.
    #[arg(long, env = "CHAOS_PROGRAMS", default_value = "target/debug")]
    pub(crate) programs: PathBuf,
    /// Folder for services, data and logs; removed by whoever made it.
    #[arg(long, env = "CHAOS_FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// Whether the folders `postgres` and `kafka/data` in it are small file systems that may be filled.
    #[arg(long, env = "CHAOS_SMALL_DISKS", default_value_t = false, action = clap::ArgAction::Set)]
    pub(crate) small_disks: bool,
    /// Folder that the logs of failed runs are copied to.
    #[arg(long, env = "CHAOS_FAILURES", default_value = ".local/chaos/failures")]
    pub(crate) failures: PathBuf,
}
