//! The account of a load: what became of every event, and how long it took.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use indicatif::HumanCount;
use serde::Serialize;

use crate::ctl::answer::Answer;

/// Most reasons that are kept word for word; the counts are always complete.
const REASONS_MAX: usize = 10;

/// Longest latency that is told apart, in microseconds.
const LATENCY_MICROS_MAX: u64 = 3_600_000_000;

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// Stored in the database before the answer.
    Direct,
    /// Taken by Kafka before the answer.
    Kafka,
    /// Stored before; only the direct path can tell.
    Duplicate,
    /// Refused for what it is; never to be sent again.
    Invalid(String),
    /// Not acknowledged in all its tries.
    GivenUp(String),
}

/// Counts of one connection, or of all.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    direct: u64,
    kafka: u64,
    duplicates: u64,
    invalid: u64,
    given_up: u64,
    /// Requests that were answered or failed, repetitions included.
    pub(super) requests: u64,
    /// Events that were sent once more.
    pub(super) sent_again: u64,
    reasons: Vec<String>,
    micros: Histogram<u64>,
}

impl Tally {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            direct: 0,
            kafka: 0,
            duplicates: 0,
            invalid: 0,
            given_up: 0,
            requests: 0,
            sent_again: 0,
            reasons: Vec::new(),
            micros: Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, 3)?,
        })
    }

    pub(super) fn count(&mut self, fate: Fate) {
        match fate {
            Fate::Direct => self.direct += 1,
            Fate::Kafka => self.kafka += 1,
            Fate::Duplicate => self.duplicates += 1,
            Fate::Invalid(reason) => {
                self.invalid += 1;
                self.keep(reason);
            }
            Fate::GivenUp(reason) => {
                self.given_up += 1;
                self.keep(reason);
            }
        }
    }

    /// Counts one request whose events are all settled.
    pub(super) fn time(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.micros.saturating_record(micros);
    }

    pub(super) fn add(&mut self, other: Self) -> anyhow::Result<()> {
        self.direct += other.direct;
        self.kafka += other.kafka;
        self.duplicates += other.duplicates;
        self.invalid += other.invalid;
        self.given_up += other.given_up;
        self.requests += other.requests;
        self.sent_again += other.sent_again;
        other
            .reasons
            .into_iter()
            .for_each(|reason| self.keep(reason));
        self.micros.add(other.micros)?;
        Ok(())
    }

    fn keep(&mut self, reason: String) {
        if self.reasons.len() < REASONS_MAX && !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }
}

/// The answer of `ctl load`; every event stands in exactly one of its counts.
#[derive(Debug, Serialize)]
pub(in crate::ctl) struct Account {
    events: u64,
    acknowledged: u64,
    direct: u64,
    kafka: u64,
    duplicates: u64,
    invalid: u64,
    given_up: u64,
    /// Left when the load was stopped.
    not_sent: u64,
    requests: u64,
    sent_again: u64,
    seconds: f64,
    events_per_second: f64,
    /// From when a request was due until all its events were settled, repetitions included.
    latency_ms: Latency,
    reasons: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

impl Account {
    pub(super) fn new(events: u64, tally: Tally, elapsed: Duration) -> Self {
        let acknowledged = tally.direct + tally.kafka + tally.duplicates;
        let settled = acknowledged + tally.invalid + tally.given_up;
        let seconds = elapsed.as_secs_f64();
        let millis = |micros: u64| micros as f64 / 1000.0;
        let quantile = |quantile| millis(tally.micros.value_at_quantile(quantile));
        Self {
            events,
            acknowledged,
            direct: tally.direct,
            kafka: tally.kafka,
            duplicates: tally.duplicates,
            invalid: tally.invalid,
            given_up: tally.given_up,
            not_sent: events.saturating_sub(settled),
            requests: tally.requests,
            sent_again: tally.sent_again,
            seconds,
            events_per_second: if seconds > 0.0 {
                acknowledged as f64 / seconds
            } else {
                0.0
            },
            latency_ms: Latency {
                p50: quantile(0.50),
                p90: quantile(0.90),
                p99: quantile(0.99),
                max: millis(tally.micros.max()),
            },
            reasons: tally.reasons,
        }
    }
}

impl Answer for Account {
    fn is_failure(&self) -> bool {
        self.acknowledged != self.events
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "acknowledged  {} of {} events (direct {}, kafka {}, duplicates {})",
            HumanCount(self.acknowledged),
            HumanCount(self.events),
            HumanCount(self.direct),
            HumanCount(self.kafka),
            HumanCount(self.duplicates),
        )?;
        for (what, count) in [
            ("invalid", self.invalid),
            ("given up", self.given_up),
            ("not sent", self.not_sent),
        ] {
            writeln!(f, "{what:<12}  {}", HumanCount(count))?;
        }
        for reason in &self.reasons {
            writeln!(f, "  {reason}")?;
        }
        writeln!(
            f,
            "time          {:.2} s, {:.0} events/s",
            self.seconds, self.events_per_second
        )?;
        writeln!(
            f,
            "requests      {} ({} events sent again)",
            HumanCount(self.requests),
            HumanCount(self.sent_again)
        )?;
        let Latency { p50, p90, p99, max } = &self.latency_ms;
        write!(
            f,
            "latency       p50 {p50:.1} ms, p90 {p90:.1} ms, p99 {p99:.1} ms, max {max:.1} ms"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(fates: impl IntoIterator<Item = Fate>) -> Tally {
        let mut tally = Tally::new().unwrap();
        fates.into_iter().for_each(|fate| tally.count(fate));
        tally
    }

    #[test]
    fn every_event_stands_in_exactly_one_count() {
        let mut all = tally([Fate::Direct, Fate::Kafka, Fate::Duplicate]);
        let other = [Fate::Invalid("a".into()), Fate::GivenUp("b".into())];
        all.add(tally(other)).unwrap();
        let account = Account::new(7, all, Duration::from_secs(2));
        assert_eq!(account.acknowledged, 3);
        assert_eq!(account.not_sent, 2);
        assert_eq!(
            account.acknowledged + account.invalid + account.given_up + account.not_sent,
            account.events
        );
        assert_eq!(account.events_per_second, 1.5);
        assert!(account.is_failure());
    }

    #[test]
    fn a_load_with_every_event_acknowledged_is_no_failure() {
        let all = tally([Fate::Direct, Fate::Kafka, Fate::Duplicate]);
        assert!(!Account::new(3, all, Duration::from_secs(1)).is_failure());
    }

    #[test]
    fn the_percentiles_are_those_of_all_connections_together() {
        let mut all = tally([]);
        for slow in [false, true] {
            let mut one = tally([]);
            for n in 1..=50 {
                let millis = if slow { 50 + n } else { n };
                one.time(Duration::from_millis(millis));
            }
            all.add(one).unwrap();
        }
        let latency = Account::new(0, all, Duration::from_secs(1)).latency_ms;
        assert!((latency.p50 - 50.0).abs() < 0.1, "{latency:?}");
        assert!((latency.p90 - 90.0).abs() < 0.1, "{latency:?}");
        assert!((latency.p99 - 99.0).abs() < 0.1, "{latency:?}");
        assert!((latency.max - 100.0).abs() < 0.2, "{latency:?}");
    }

    #[test]
    fn reasons_are_kept_once_and_not_without_end() {
        let fates = (0..100).map(|n| Fate::Invalid(format!("reason {}", n / 2)));
        let tally = tally(fates);
        assert_eq!(tally.invalid, 100);
        assert_eq!(tally.reasons.len(), REASONS_MAX);
        assert_eq!(tally.reasons[1], "reason 1");
    }
}
