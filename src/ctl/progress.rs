//! How far long work has come: a bar on a terminal, a plain line now and then otherwise; always on standard error.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};

/// Pause between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Progress of work of a known size; shared by the tasks that do it.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    /// When the last plain line was written; `None` where there is a bar.
    lines: Option<Mutex<Instant>>,
    unit: &'static str,
}

impl Progress {
    pub(super) fn new(total: u64, unit: &'static str) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = if terminal {
            ProgressBar::new(total)
        } else {
            // Keeps count, draws nothing.
            ProgressBar::with_draw_target(Some(total), indicatif::ProgressDrawTarget::hidden())
        };
        let template = format!(
            "{{bar:32}} {{human_pos}} of {{human_len}} {unit}, {{per_sec}}, {{eta}} left {{msg}}"
        );
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self {
            bar,
            lines: (!terminal).then(|| Mutex::new(Instant::now())),
            unit,
        }
    }

    /// Counts so many more as done.
    pub(super) fn advance(&self, done: u64) {
        self.bar.inc(done);
        let Some(Ok(mut last)) = self.lines.as_ref().map(Mutex::lock) else {
            return;
        };
        if last.elapsed() >= LINE_EVERY {
            *last = Instant::now();
            drop(last);
            self.line();
        }
    }

    /// Says something in between, without a bar running through it.
    pub(super) fn say(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    /// Takes the bar away; the answer follows.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self) {
        let total = self.bar.length().unwrap_or_default();
        eprintln!(
            "{} of {} {}, {:.0}/s, {} left",
            HumanCount(self.bar.position()),
            HumanCount(total),
            self.unit,
            self.bar.per_sec(),
            HumanDuration(self.bar.eta())
        );
    }
}
