//! The operator's tool; every subcommand is a file under `src/ctl`.

use std::process::ExitCode;

use analytics_ingestor::ctl::Ctl;
use analytics_ingestor::{config, telemetry};

#[tokio::main]
async fn main() -> ExitCode {
    let ctl: Ctl = config::parse();
    let ran = match telemetry::install_logs(&ctl.telemetry()) {
        Ok(()) => ctl.run().await,
        Err(error) => Err(error),
    };
    ran.unwrap_or_else(|error| {
        eprintln!("ctl: {error:#}");
        ExitCode::FAILURE
    })
}
