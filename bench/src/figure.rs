//! The figures that are measured, and the table of their ratios.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Something measured once in each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    Direct64,
    Discard64,
    Insert64,
    Direct256,
    Discard256,
    Insert256,
    Kafka256,
    KafkaBatch,
    RawProducer,
    DirectBatch,
    BareWriter4,
    Store1000By1,
    Bare1000By1,
    Store1000By2,
    Bare1000By2,
    Store200By1,
    Bare200By1,
    Store200By2,
    Bare200By2,
    Drain,
    DrainAlone,
    BareWriter2,
    LiveShare,
    LiveOldest,
    DrainUndecodable,
    DrainRefused,
    StoredP99,
    StoredRawP99,
    HalfPeakP99,
    HalfPeakRawP99,
    MemoryDirectEarly,
    MemoryDirectLate,
    MemoryKafkaEarly,
    MemoryKafkaLate,
}

/// A value, and whatever explains it.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) value: f64,
    pub(crate) parts: Vec<(&'static str, f64)>,
}

/// The figures of one run.
pub(crate) type Run = BTreeMap<Figure, Sample>;

impl Figure {
    fn name(self) -> &'static str {
        match self {
            Self::Direct64 => "direct, single events, 64 connections",
            Self::Discard64 => "authenticate and parse, 64 connections",
            Self::Insert64 => "one INSERT a request, 64 connections",
            Self::Direct256 => "direct, single events, 256 connections",
            Self::Discard256 => "authenticate and parse, 256 connections",
            Self::Insert256 => "one INSERT a request, 256 connections",
            Self::Kafka256 => "Kafka, single events, 256 connections",
            Self::KafkaBatch => "Kafka, batches of 1,000",
            Self::RawProducer => "raw producer loop",
            Self::DirectBatch => "direct, batches of 1,000",
            Self::BareWriter4 => "bare unnest writer, 4 connections",
            Self::Store1000By1 => "store, batches of 1,000, 1 writer",
            Self::Bare1000By1 => "bare unnest, batches of 1,000, 1 writer",
            Self::Store1000By2 => "store, batches of 1,000, 2 writers",
            Self::Bare1000By2 => "bare unnest, batches of 1,000, 2 writers",
            Self::Store200By1 => "store, batches of 200, 1 writer",
            Self::Bare200By1 => "bare unnest, batches of 200, 1 writer",
            Self::Store200By2 => "store, batches of 200, 2 writers",
            Self::Bare200By2 => "bare unnest, batches of 200, 2 writers",
            Self::Drain => "consumer on a backlog",
            Self::DrainAlone => "consumer without the refresher",
            Self::BareWriter2 => "bare unnest writer, 2 connections",
            Self::LiveShare => "refresher at 2,000/s over 100 sessions",
            Self::LiveOldest => "longest that a session was behind then",
            Self::DrainUndecodable => "backlog, 1 in 1,000 undecodable",
            Self::DrainRefused => "backlog, 1 in 1,000 refused by PostgreSQL",
            Self::StoredP99 => "accepted to stored, p99, at 1,000/s",
            Self::StoredRawP99 => "raw producer's p99 at 1,000/s",
            Self::HalfPeakP99 => "Kafka, single event, p99 at half of the peak",
            Self::HalfPeakRawP99 => "raw producer's p99 at that rate",
            Self::MemoryDirectEarly => "memory after 1 minute, direct",
            Self::MemoryDirectLate => "memory at the end, direct",
            Self::MemoryKafkaEarly => "memory after 1 minute, Kafka",
            Self::MemoryKafkaLate => "memory at the end, Kafka",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::StoredP99 | Self::StoredRawP99 | Self::HalfPeakP99 | Self::HalfPeakRawP99 => "ms",
            Self::MemoryDirectEarly
            | Self::MemoryDirectLate
            | Self::MemoryKafkaEarly
            | Self::MemoryKafkaLate => "MiB",
            Self::LiveShare => "of a core",
            Self::LiveOldest => "s",
            _ => "/s",
        }
    }
}

/// What must hold.
enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// Of the first figure alone.
    Below(f64),
    None,
}

/// One line of the table: a figure against another of the same run.
struct Ratio(Figure, Figure, Target);

const RATIOS: [Ratio; 25] = {
    use Figure as F;
    use Target::{AtLeast, AtMost, Below, None};
    [
        Ratio(F::Direct64, F::Insert64, AtLeast(3.5)),
        Ratio(F::Direct256, F::Insert256, None),
        Ratio(F::Direct64, F::Discard64, AtLeast(0.30)),
        Ratio(F::Direct256, F::Discard256, AtLeast(0.30)),
        Ratio(F::Kafka256, F::Discard256, AtLeast(0.35)),
        Ratio(F::KafkaBatch, F::RawProducer, AtLeast(0.50)),
        Ratio(F::DirectBatch, F::BareWriter4, AtLeast(0.70)),
        Ratio(F::Store1000By1, F::Bare1000By1, AtLeast(0.80)),
        Ratio(F::Store1000By2, F::Bare1000By2, AtLeast(0.80)),
        Ratio(F::Store200By1, F::Bare200By1, AtLeast(0.70)),
        Ratio(F::Store200By2, F::Bare200By2, AtLeast(0.70)),
        Ratio(F::Drain, F::BareWriter2, AtLeast(0.70)),
        Ratio(F::Drain, F::DrainAlone, AtLeast(0.80)),
        Ratio(F::LiveShare, F::LiveShare, Below(0.10)),
        Ratio(F::LiveOldest, F::LiveOldest, Below(30.0)),
        Ratio(F::DrainUndecodable, F::Drain, AtLeast(0.95)),
        Ratio(F::DrainRefused, F::Drain, None),
        Ratio(F::StoredP99, F::StoredRawP99, None),
        Ratio(F::HalfPeakP99, F::HalfPeakRawP99, AtMost(3.0)),
        Ratio(F::KafkaBatch, F::Kafka256, None),
        Ratio(F::DirectBatch, F::Direct256, None),
        Ratio(F::MemoryDirectLate, F::MemoryDirectEarly, AtMost(1.1)),
        Ratio(F::MemoryDirectLate, F::MemoryDirectLate, Below(150.0)),
        Ratio(F::MemoryKafkaLate, F::MemoryKafkaEarly, AtMost(1.1)),
        Ratio(F::MemoryKafkaLate, F::MemoryKafkaLate, Below(150.0)),
    ]
};

/// Median, least and greatest of the runs.
pub(crate) struct Spread {
    pub(crate) median: f64,
    least: f64,
    greatest: f64,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, greatest) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self {
            median,
            least,
            greatest,
        })
    }

    fn text(&self, form: impl Fn(f64) -> String) -> String {
        if self.least.total_cmp(&self.greatest).is_eq() {
            form(self.median)
        } else {
            format!(
                "{} ({}..{})",
                form(self.median),
                form(self.least),
                form(self.greatest)
            )
        }
    }
}

fn values(runs: &[Run], figure: Figure) -> Vec<f64> {
    runs.iter()
        .filter_map(|run| run.get(&figure).map(|sample| sample.value))
        .collect()
}

fn number(value: f64) -> String {
    match value {
        0.0..10.0 => format!("{value:.2}"),
        10.0..1_000.0 => format!("{value:.0}"),
        1_000.0..10_000.0 => format!("{:.1}k", value / 1_000.0),
        _ => format!("{:.0}k", value / 1_000.0),
    }
}

/// The ratios, their targets, and whether each holds. A ratio is taken within each run, then the median of them.
pub(crate) fn ratios(runs: &[Run]) -> String {
    let mut lines = vec![
        [
            "what", "measured", "against", "measured", "ratio", "target", "holds",
        ]
        .map(str::to_owned),
    ];
    for Ratio(figure, against, target) in RATIOS {
        let of_runs = runs
            .iter()
            .filter_map(|run| Some(run.get(&figure)?.value / run.get(&against)?.value));
        let Some(ratio) = Spread::of(of_runs.collect()) else {
            continue;
        };
        let shown = |figure: Figure| {
            let text = Spread::of(values(runs, figure)).map(|spread| spread.text(number));
            format!("{} {}", text.unwrap_or_default(), figure.unit())
        };
        let holds = |yes: bool| if yes { "yes" } else { "NO" }.to_owned();
        let two_decimals = |value: f64| format!("{value:.2}");
        let (target, verdict) = match target {
            Target::AtLeast(least) => {
                (format!("at least {least:.2}"), holds(ratio.median >= least))
            }
            Target::AtMost(most) => (format!("at most {most:.2}"), holds(ratio.median <= most)),
            Target::Below(most) => {
                let value = Spread::of(values(runs, figure)).map_or(0.0, |spread| spread.median);
                let line = [
                    figure.name().to_owned(),
                    shown(figure),
                    String::new(),
                    String::new(),
                    String::new(),
                    format!("below {} {}", number(most), figure.unit()),
                    holds(value < most),
                ];
                lines.push(line);
                continue;
            }
            Target::None => ("reported".to_owned(), String::new()),
        };
        lines.push([
            figure.name().to_owned(),
            shown(figure),
            against.name().to_owned(),
            shown(against),
            ratio.text(two_decimals),
            target,
            verdict,
        ]);
    }
    aligned(&lines)
}

/// What explains the figures: medians of the parts of each.
pub(crate) fn parts(runs: &[Run]) -> String {
    let mut lines = vec![["figure", "median", "parts"].map(str::to_owned)];
    let figures: BTreeMap<Figure, &Sample> = runs
        .iter()
        .flat_map(|run| run.iter().map(|(figure, sample)| (*figure, sample)))
        .collect();
    for (figure, sample) in figures {
        let parts = sample.parts.iter().map(|(name, _)| {
            let of_runs = runs.iter().filter_map(|run| {
                let (_, value) = run
                    .get(&figure)?
                    .parts
                    .iter()
                    .find(|part| part.0 == *name)?;
                Some(*value)
            });
            let median = Spread::of(of_runs.collect()).map_or(0.0, |spread| spread.median);
            format!("{name} {}", number(median))
        });
        let parts: Vec<String> = parts.collect();
        let median = Spread::of(values(runs, figure)).map_or(0.0, |spread| spread.median);
        lines.push([
            figure.name().to_owned(),
            format!("{} {}", number(median), figure.unit()),
            parts.join(", "),
        ]);
    }
    aligned(&lines)
}

/// A Markdown table whose columns line up in a terminal too.
pub(crate) fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let widths: [usize; N] = std::array::from_fn(|column| {
        lines
            .iter()
            .map(|line| line[column].len())
            .max()
            .unwrap_or(0)
    });
    let mut text = String::new();
    for (place, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
        if place == 0 {
            for width in widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(figures: &[(Figure, f64)]) -> Run {
        figures
            .iter()
            .map(|(figure, value)| {
                (
                    *figure,
                    Sample {
                        value: *value,
                        parts: Vec::new(),
                    },
                )
            })
            .collect()
    }

    #[test]
    fn a_ratio_is_taken_within_each_run() {
        let runs = [
            run(&[(Figure::Direct64, 40.0), (Figure::Insert64, 10.0)]),
            run(&[(Figure::Direct64, 400.0), (Figure::Insert64, 50.0)]),
            run(&[(Figure::Direct64, 60.0), (Figure::Insert64, 20.0)]),
        ];
        let table = ratios(&runs);
        assert!(table.contains("4.00 (3.00..8.00)"), "{table}");
        assert!(table.contains("| at least 3.50 | yes"), "{table}");
    }

    #[test]
    fn a_missed_target_is_said_so() {
        let runs = [run(&[
            (Figure::HalfPeakP99, 31.0),
            (Figure::HalfPeakRawP99, 10.0),
        ])];
        assert!(ratios(&runs).contains("| at most 3.00 | NO"));
    }

    #[test]
    fn what_was_not_measured_is_not_shown() {
        assert!(!ratios(&[run(&[(Figure::Drain, 1.0)])]).contains("backlog"));
    }
}
