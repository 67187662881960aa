//! The raw producer, which lives with the Kafka toolkit, as a program beside the others.

use std::process::Stdio;

use anyhow::{Context, ensure};
use serde::Deserialize;
use tokio::process::Command;

use crate::figure::Sample;
use crate::setting::Setting;

/// What the program prints.
#[derive(Debug, Deserialize)]
pub(crate) struct Produced {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    sent: u64,
    cpu_seconds: f64,
}

impl Setting {
    /// Sends at a rate, or as fast as the broker takes the messages.
    pub(crate) async fn produce(
        &self,
        per_second: Option<f64>,
    ) -> anyhow::Result<(Produced, Sample)> {
        let topic = self.fresh_topic().await?;
        let path = self.programs.path("examples/raw_producer");
        let mut command = Command::new(&path);
        command
            .arg("--messages")
            .arg(self.messages())
            .args(["--topic", &topic])
            .args(["--brokers", &self.options.kafka.brokers.join(",")])
            .args([
                "--warm-up",
                &self.options.warm_up().as_secs_f64().to_string(),
            ])
            .args([
                "--seconds",
                &self.options.measured().as_secs_f64().to_string(),
            ])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true);
        if let Some(rate) = per_second {
            command.args(["--per-second", &rate.to_string()]);
        }
        let meter = self.meter(None)?;
        let output = command
            .output()
            .await
            .with_context(|| format!("{} cannot be run", path.display()))?;
        ensure!(output.status.success(), "the raw producer failed");
        let produced: Produced = serde_json::from_slice(&output.stdout)?;
        let mut parts = vec![
            ("p50 ms", produced.p50_ms),
            ("p99 ms", produced.p99_ms),
            (
                "program µs",
                produced.cpu_seconds * 1e6 / produced.sent.max(1) as f64,
            ),
        ];
        parts.extend(
            meter
                .per_event(produced.sent)?
                .into_iter()
                .filter(|(name, _)| name.starts_with("broker")),
        );
        let value = produced.per_second;
        Ok((produced, Sample { value, parts }))
    }
}
