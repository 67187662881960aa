//! An oracle for the reports: contract sections 7 to 9 written a second time, plainly, over lists in memory, and compared
//! with every field that the server sends about generated scenarios.
//!
//! It shares no code with `src/report`. Where the two disagree, the contract's text decides who is right.
//! `ORACLE_SCENARIOS` and `ORACLE_SEED` run more scenarios, or those of a failure again.

mod asks;
mod clock;
mod compare;
mod entry;
mod generate;
mod model;
mod number;
mod query;
mod reports;
mod scenario;
mod stage;

use clap::Parser;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use self::generate::a_scenario;
use self::stage::Stage;

#[derive(Parser)]
struct Environment {
    /// How many scenarios are played.
    #[arg(long, env = "ORACLE_SCENARIOS", default_value_t = 200)]
    scenarios: u32,
    /// Decides which scenarios; without it they are others in every run.
    #[arg(long, env = "ORACLE_SEED")]
    seed: Option<u64>,
}

#[test]
fn every_field_of_every_report_is_as_the_contract_defines_it() {
    let environment = Environment::try_parse_from(["it"]).unwrap_or_else(|error| panic!("{error}"));
    let seed = environment.seed.unwrap_or_else(|| fastrand::u64(..));
    let mut seed_bytes = [0; 32];
    seed_bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: environment.scenarios,
        max_shrink_iters: 400,
        failure_persistence: None,
        ..Config::default()
    };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed_bytes);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let stage = runtime.block_on(Stage::new());
    let outcome = TestRunner::new_with_rng(config, random).run(&a_scenario(), |scenario| {
        runtime
            .block_on(stage.play(&scenario))
            .map_err(TestCaseError::fail)
    });
    // The database is dropped inside the runtime that its connections belong to.
    let _guard = runtime.enter();
    drop(stage);
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, scenario)) => {
            panic!("{scenario}\n{reason}\nall of it again: ORACLE_SEED={seed}")
        }
        Err(error) => panic!("{error}"),
    }
}
