//! Processor time and memory of processes, as the kernel counts them.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// The kernel counts in hundredths of a second on every Linux that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

/// The numbers of a `stat` file behind the process's name, which may hold spaces.
fn stat(path: &str) -> anyhow::Result<Vec<u64>> {
    let text = fs::read_to_string(path).with_context(|| path.to_owned())?;
    let (_, rest) = text.rsplit_once(") ").context("no process name")?;
    Ok(rest
        .split(' ')
        .map(|number| number.trim().parse().unwrap_or(0))
        .collect())
}

fn ticks(count: u64) -> Duration {
    TICK * u32::try_from(count).unwrap_or(u32::MAX)
}

/// Processor time of the calling thread.
pub(crate) fn of_this_thread() -> anyhow::Result<Duration> {
    let numbers = stat("/proc/thread-self/stat")?;
    Ok(ticks(numbers[11] + numbers[12]))
}

/// Processor time of a process.
pub(crate) fn of_process(pid: u32) -> anyhow::Result<Duration> {
    let numbers = stat(&format!("/proc/{pid}/stat"))?;
    Ok(ticks(numbers[11] + numbers[12]))
}

/// Processor time of a process and of all its children, the ended ones too.
pub(crate) fn of_family(parent: u32) -> anyhow::Result<Duration> {
    let numbers = stat(&format!("/proc/{parent}/stat"))?;
    let mut sum = ticks(numbers[11..15].iter().sum());
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        // A process may end between being listed and being read.
        if let Ok(numbers) = stat(&format!("/proc/{pid}/stat"))
            && numbers[1] == u64::from(parent)
        {
            sum += ticks(numbers[11] + numbers[12]);
        }
    }
    Ok(sum)
}

/// The parent of a process.
pub(crate) fn parent_of(pid: u32) -> anyhow::Result<u32> {
    Ok(u32::try_from(stat(&format!("/proc/{pid}/stat"))?[1])?)
}

/// Resident memory of a process, in mebibytes.
pub(crate) fn memory_mib(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|line| line.split_whitespace().next())
        .context("the process has no memory")?
        .parse()?;
    Ok(kib / 1024.0)
}
