//! How many cases run, from which seed, and what becomes of one that fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::mutate;

/// A case that takes longer is taken for one that never ends.
const HANGS_AFTER: Duration = Duration::from_secs(20);

/// Cases of a run without settings.
const CASES: u64 = 10_000;

/// A reader of bytes.
pub(crate) trait Target {
    /// Valid inputs.
    fn corpus() -> Vec<Vec<u8>>;

    /// Reads an input; returns whether it was taken for a valid one.
    ///
    /// # Panics
    /// If what must hold does not.
    fn check(input: &[u8]) -> bool;
}

/// What to run.
pub(crate) struct Plan {
    name: &'static str,
    seed: u64,
    until: Until,
}

enum Until {
    Cases(u64),
    Time(Duration),
    Only(u64),
}

/// The case at work, for whoever watches.
type AtWork = Arc<Mutex<Option<(Instant, u64, Vec<u8>)>>>;

#[expect(
    clippy::disallowed_methods,
    reason = "cargo test hands its own arguments to the test harness, so these come by the environment"
)]
fn setting<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    let value = text.parse().ok();
    Some(value.unwrap_or_else(|| panic!("{name} is no number: {text:?}")))
}

impl Plan {
    pub(crate) fn from_env(name: &'static str) -> Self {
        let seconds = setting("FUZZ_SECONDS").map(Duration::from_secs);
        let seed = setting("FUZZ_SEED");
        let until = match (setting("FUZZ_CASE"), seconds) {
            (Some(case), _) => Until::Only(case),
            (None, Some(time)) => Until::Time(time),
            (None, None) => Until::Cases(CASES),
        };
        let seed = seed.unwrap_or_else(|| match until {
            Until::Time(_) => fastrand::u64(..),
            Until::Cases(_) | Until::Only(_) => 0,
        });
        Self { name, seed, until }
    }

    pub(crate) fn run<T: Target>(&self) {
        let corpus = T::corpus();
        for input in &corpus {
            assert!(
                T::check(input),
                "{}: {:?} is not valid",
                self.name,
                String::from_utf8_lossy(input)
            );
        }
        println!("{}: seed {}", self.name, self.seed);
        let at_work = AtWork::default();
        self.watch(Arc::clone(&at_work));
        let began = Instant::now();
        let (mut cases, mut accepted) = (0_u64, 0_u64);
        let mut said = Duration::ZERO;
        loop {
            let case = match self.until {
                Until::Only(_) if cases > 0 => break,
                Until::Only(case) => case,
                Until::Cases(enough) if cases == enough => break,
                Until::Time(enough) if began.elapsed() >= enough => break,
                Until::Cases(_) | Until::Time(_) => cases,
            };
            // Each case has a seed of its own, so that one can be made without those before it.
            let mut rng = Rng::with_seed(self.seed ^ case.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let input = mutate::input(&mut rng, &corpus);
            lock(&at_work).replace((Instant::now(), case, input.clone()));
            let checked = catch_unwind(AssertUnwindSafe(|| T::check(&input)));
            lock(&at_work).take();
            match checked {
                Ok(valid) => accepted += u64::from(valid),
                Err(_) => panic!("{}", self.failure(case, &input, "panics")),
            }
            cases += 1;
            if began.elapsed() >= said + Duration::from_secs(60) {
                said = began.elapsed();
                println!("{}: {cases} cases in {} s", self.name, said.as_secs());
            }
        }
        println!(
            "{}: seed {}, {cases} cases in {} s, {accepted} of them valid, no failure",
            self.name,
            self.seed,
            began.elapsed().as_secs()
        );
        if !matches!(self.until, Until::Only(_)) {
            // Otherwise only the way out would have been tried.
            assert!(accepted * 20 > cases, "hardly any input is valid");
            assert!(accepted < cases, "no input is damaged");
        }
    }

    /// Ends the process if a case does not end by itself.
    fn watch(&self, at_work: AtWork) {
        let plan = Self {
            until: Until::Only(0),
            ..*self
        };
        let still_runs = Arc::downgrade(&at_work);
        drop(at_work);
        std::thread::spawn(move || {
            while let Some(at_work) = still_runs.upgrade() {
                if let Some((began, case, input)) = &*lock(&at_work)
                    && began.elapsed() > HANGS_AFTER
                {
                    eprintln!("{}", plan.failure(*case, input, "hangs"));
                    std::process::abort();
                }
                drop(at_work);
                std::thread::park_timeout(Duration::from_millis(500));
            }
        });
    }

    fn failure(&self, case: u64, input: &[u8], how: &str) -> String {
        let name = format!("fuzz-{}-{}-{case}", self.name, self.seed);
        let path: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let kept = match std::fs::write(&path, input) {
            Ok(()) => format!("the input is in {}", path.display()),
            Err(error) => format!("the input cannot be kept: {error}"),
        };
        format!(
            "{} {how} on {} bytes; {kept}; again: FUZZ_SEED={} FUZZ_CASE={case} cargo test --test fuzz {}",
            self.name,
            input.len(),
            self.seed,
            self.name
        )
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
