//! What goes wrong in a run, and when: a pure function of the seed.
//!
//! Each seed draws one kind of fault by turns, so that as many seeds in a row as there are kinds have had every one, and
//! the others by chance. Faults overlap, except two of the same thing.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

use crate::proxy::{Aftermath, Condition, Direction};

/// The time before the first fault, in milliseconds: what is there must have worked once.
const CALM_MS: u64 = 1_000;
/// The time behind the last beginning of a fault, in milliseconds.
const END_MS: u64 = 3_000;
/// Most times that the broker is started in one run: a Java machine costs seconds of two processors.
const BROKER_STARTS_MAX: usize = 2;

/// A process that can be hurt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Target {
    Server,
    Consumer(usize),
    Database,
    Broker,
}

/// Two that talk to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Pair {
    ClientServer,
    ServerDatabase,
    ServerBroker,
    ConsumerDatabase(usize),
    ConsumerBroker(usize),
}

impl Pair {
    pub(crate) const ALL: [Self; 7] = [
        Self::ClientServer,
        Self::ServerDatabase,
        Self::ServerBroker,
        Self::ConsumerDatabase(0),
        Self::ConsumerBroker(0),
        Self::ConsumerDatabase(1),
        Self::ConsumerBroker(1),
    ];
}

macro_rules! kinds {
    ($($kind:ident $name:literal,)*) => {
        /// What can go wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, clap::ValueEnum)]
        pub(crate) enum Kind { $($kind,)* }

        impl Kind {
            pub(crate) const ALL: &[Self] = &[$(Self::$kind,)*];

            /// As tables have it.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }
        }
    };
}

kinds! {
    KillServer "kill -9 server",
    StopServer "SIGTERM server",
    PauseServer "pause server",
    KillConsumer "kill -9 consumer",
    StopConsumer "SIGTERM consumer",
    PauseConsumer "pause consumer",
    KillBroker "kill -9 broker",
    StopBroker "SIGTERM broker",
    PauseBroker "pause broker",
    KillDatabase "kill -9 database",
    ImmediateDatabase "immediate shutdown of database",
    StopDatabase "fast shutdown of database",
    KillBackend "kill -9 one database backend",
    PauseDatabase "pause database",
    BothAway "broker and database away",
    SlowNetwork "slow network",
    BlackHole "black hole",
    HalfOpen "half-open connections",
    Resets "resets",
    Cut "cut network",
    FullDatabase "full disk under database",
    FullBroker "full disk under broker",
    ClockStep "clock step of producers",
    Rebalance "rebalance storm",
    Poison "poison records",
}

/// What exactly is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Action {
    Kill(Target),
    /// Asks the process to end as an operator would.
    Stop(Target),
    Pause(Target),
    ImmediateShutdown,
    KillBackend,
    BothAway,
    Network {
        pair: Pair,
        condition: Condition,
        aftermath: Aftermath,
    },
    FillDisk(Target),
    /// The producers' clocks are off by so many seconds.
    ClockStep(i64),
    Rebalance,
    Poison,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) action: Action,
    /// Since the beginning of the run.
    pub(crate) at: Duration,
    pub(crate) lasts: Duration,
}

/// Which way the server writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    Direct,
    Kafka,
    /// Kafka mode with a local log for when both stores refuse.
    Spool,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Kafka => "kafka",
            Self::Spool => "spool",
        }
    }
}

/// What is to be had on this machine and wanted by whoever asked.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) seconds: u64,
    /// Whether database and broker have small file systems of their own.
    pub(crate) small_disks: bool,
    /// Whether the server has a local log.
    pub(crate) has_spool: bool,
    /// Only these, if any are named.
    pub(crate) only: Vec<Kind>,
    pub(crate) mode: Option<Mode>,
}

impl Scope {
    fn kinds(&self) -> Vec<Kind> {
        let possible = Kind::ALL.iter().copied().filter(|kind| {
            self.small_disks || !matches!(kind, Kind::FullDatabase | Kind::FullBroker)
        });
        possible
            .filter(|kind| self.only.is_empty() || self.only.contains(kind))
            .collect()
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) mode: Mode,
    /// In the order of their beginning.
    pub(crate) faults: Vec<Fault>,
}

impl Plan {
    /// The plan of a seed; the same for the same scope, always.
    pub(crate) fn draw(seed: u64, scope: &Scope) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mode = match rng.u8(0..10) {
            0 | 1 => Mode::Direct,
            2..=5 if scope.has_spool => Mode::Spool,
            _ => Mode::Kafka,
        };
        let kinds = scope.kinds();
        let mut faults: Vec<Fault> = Vec::new();
        let wanted = 3 + scope.seconds / 5;
        let places = u64::try_from(kinds.len()).unwrap_or(1).max(1);
        let by_turns = kinds.get(usize::try_from(seed % places).unwrap_or(0));
        let by_chance = (1..wanted)
            .filter_map(|_| rng.choice(&kinds))
            .collect::<Vec<_>>();
        for kind in by_turns.into_iter().chain(by_chance) {
            // A fault that has no room beside the others is left out; the first one always has.
            for _ in 0..5 {
                let fault = draw_fault(*kind, scope.seconds, &mut rng);
                if has_room(&fault, &faults) {
                    faults.push(fault);
                    break;
                }
            }
        }
        faults.sort_by_key(|fault| fault.at);
        Self {
            seed,
            mode: scope.mode.unwrap_or(mode),
            faults,
        }
    }
}

fn draw_fault(kind: Kind, seconds: u64, rng: &mut Rng) -> Fault {
    let end_ms = (seconds * 1_000).saturating_sub(END_MS).max(CALM_MS + 1);
    let at = Duration::from_millis(rng.u64(CALM_MS..end_ms));
    let consumer = rng.usize(0..2);
    let lasts_ms = match kind {
        Kind::KillBackend => 0..1,
        Kind::KillServer | Kind::StopServer | Kind::KillConsumer | Kind::StopConsumer => 0..4_000,
        Kind::KillBroker | Kind::StopBroker => 0..3_000,
        Kind::Rebalance | Kind::Poison | Kind::ClockStep => 2_000..6_000,
        _ => 300..6_000,
    };
    let lasts = Duration::from_millis(rng.u64(lasts_ms));
    let action = match kind {
        Kind::KillServer => Action::Kill(Target::Server),
        Kind::StopServer => Action::Stop(Target::Server),
        Kind::PauseServer => Action::Pause(Target::Server),
        Kind::KillConsumer => Action::Kill(Target::Consumer(consumer)),
        Kind::StopConsumer => Action::Stop(Target::Consumer(consumer)),
        Kind::PauseConsumer => Action::Pause(Target::Consumer(consumer)),
        Kind::KillBroker => Action::Kill(Target::Broker),
        Kind::StopBroker => Action::Stop(Target::Broker),
        Kind::PauseBroker => Action::Pause(Target::Broker),
        Kind::KillDatabase => Action::Kill(Target::Database),
        Kind::ImmediateDatabase => Action::ImmediateShutdown,
        Kind::StopDatabase => Action::Stop(Target::Database),
        Kind::KillBackend => Action::KillBackend,
        Kind::PauseDatabase => Action::Pause(Target::Database),
        Kind::BothAway => Action::BothAway,
        Kind::FullDatabase => Action::FillDisk(Target::Database),
        Kind::FullBroker => Action::FillDisk(Target::Broker),
        // Up to a day ahead an event is taken; beyond that it is refused.
        Kind::ClockStep => Action::ClockStep(3_600 * *choice(rng, &[-72, -2, -1, 1, 23, 30])),
        Kind::Rebalance => Action::Rebalance,
        Kind::Poison => Action::Poison,
        Kind::SlowNetwork | Kind::BlackHole | Kind::HalfOpen | Kind::Resets | Kind::Cut => {
            Action::Network {
                pair: *choice(rng, &Pair::ALL),
                condition: draw_condition(kind, rng),
                aftermath: match kind {
                    Kind::BlackHole | Kind::HalfOpen => {
                        *choice(rng, &[Aftermath::Resume, Aftermath::Dead, Aftermath::Reset])
                    }
                    _ => Aftermath::Resume,
                },
            }
        }
    };
    Fault {
        kind,
        action,
        at,
        lasts,
    }
}

fn draw_condition(kind: Kind, rng: &mut Rng) -> Condition {
    match kind {
        Kind::SlowNetwork => Condition::Slow(Duration::from_millis(rng.u64(5..400))),
        Kind::BlackHole => Condition::BlackHole,
        Kind::HalfOpen => Condition::HalfOpen(*choice(rng, &[Direction::Up, Direction::Down])),
        Kind::Resets => Condition::Resets(Duration::from_millis(rng.u64(0..500))),
        _ => Condition::Cut,
    }
}

fn choice<'c, T>(rng: &mut Rng, of: &'c [T]) -> &'c T {
    &of[rng.usize(0..of.len())]
}

/// What only one fault at a time can have.
#[derive(PartialEq, Eq)]
enum Resource {
    Process(Target),
    Network(Pair),
    Clock,
    Group,
    Topic,
}

impl Fault {
    /// The processes that it hurts, in one order.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let mut targets: Vec<Target> = self
            .resources()
            .into_iter()
            .filter_map(|resource| match resource {
                Resource::Process(target) => Some(target),
                _ => None,
            })
            .collect();
        targets.sort_unstable();
        targets
    }

    fn resources(&self) -> Vec<Resource> {
        match self.action {
            Action::Kill(target)
            | Action::Stop(target)
            | Action::Pause(target)
            | Action::FillDisk(target) => vec![Resource::Process(target)],
            Action::ImmediateShutdown | Action::KillBackend => {
                vec![Resource::Process(Target::Database)]
            }
            Action::BothAway => vec![
                Resource::Process(Target::Database),
                Resource::Process(Target::Broker),
            ],
            Action::Network { pair, .. } => vec![Resource::Network(pair)],
            Action::ClockStep(_) => vec![Resource::Clock],
            Action::Rebalance => vec![Resource::Group],
            Action::Poison => vec![Resource::Topic],
        }
    }

    fn starts_broker(&self) -> bool {
        self.resources()
            .contains(&Resource::Process(Target::Broker))
            && !matches!(self.action, Action::Pause(_))
    }

    /// When what it has hurt has had the time to be itself again.
    fn recovered(&self) -> Duration {
        let needs = if self.starts_broker() { 6 } else { 1 };
        self.at + self.lasts + Duration::from_secs(needs)
    }
}

fn has_room(fault: &Fault, others: &[Fault]) -> bool {
    let starts = others.iter().filter(|other| other.starts_broker()).count();
    if fault.starts_broker() && starts >= BROKER_STARTS_MAX {
        return false;
    }
    let wanted = fault.resources();
    others.iter().all(|other| {
        let apart = fault.recovered() <= other.at || other.recovered() <= fault.at;
        apart
            || other
                .resources()
                .iter()
                .all(|taken| !wanted.contains(taken))
    })
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}, {} mode", self.seed, self.mode.name())?;
        for Fault {
            kind,
            action,
            at,
            lasts,
        } in &self.faults
        {
            write!(
                f,
                "\n  {:6.2} s for {:5.2} s  {}",
                at.as_secs_f64(),
                lasts.as_secs_f64(),
                kind.name()
            )?;
            match action {
                Action::Network {
                    pair,
                    condition,
                    aftermath,
                } => write!(f, ": {pair:?}, {condition:?}, then {aftermath:?}")?,
                Action::ClockStep(seconds) => write!(f, ": {} h", seconds / 3_600)?,
                Action::Kill(Target::Consumer(number))
                | Action::Stop(Target::Consumer(number))
                | Action::Pause(Target::Consumer(number)) => write!(f, " {}", number + 1)?,
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn scope() -> Scope {
        Scope {
            seconds: 30,
            small_disks: true,
            has_spool: true,
            only: Vec::new(),
            mode: None,
        }
    }

    #[test]
    fn a_seed_has_one_plan() {
        for seed in 0..100 {
            assert_eq!(Plan::draw(seed, &scope()), Plan::draw(seed, &scope()));
        }
    }

    #[test]
    fn as_many_seeds_as_there_are_kinds_have_every_kind() {
        for first in [0, 1, 1_000] {
            let drawn: BTreeSet<Kind> = (first..first + Kind::ALL.len() as u64)
                .flat_map(|seed| Plan::draw(seed, &scope()).faults)
                .map(|fault| fault.kind)
                .collect();
            assert_eq!(drawn.len(), Kind::ALL.len());
        }
    }

    #[test]
    fn nothing_is_hurt_twice_at_a_time_and_every_fault_begins_within_the_run() {
        for seconds in [10, 15, 30, 60] {
            let scope = Scope { seconds, ..scope() };
            for seed in 0..300 {
                let faults = Plan::draw(seed, &scope).faults;
                assert!(!faults.is_empty());
                for (place, fault) in faults.iter().enumerate() {
                    assert!(fault.at < Duration::from_secs(seconds));
                    assert!(has_room(fault, &faults[..place]), "{seed}: {fault:?}");
                }
            }
        }
    }

    #[test]
    fn without_small_disks_no_disk_is_filled() {
        let scope = Scope {
            small_disks: false,
            ..scope()
        };
        for seed in 0..100 {
            for fault in Plan::draw(seed, &scope).faults {
                assert!(!matches!(fault.action, Action::FillDisk(_)), "{seed}");
            }
        }
    }
}
