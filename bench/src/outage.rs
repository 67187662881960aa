//! Kafka lost under load: what the requests notice, before, while it is being noticed, during the outage and after it.
//!
//! The broker is frozen first (connections stay, nothing answers), then killed (connections are refused), then started
//! again. The load is open at half of the lower of the two modes' peak rates, so that what the outage adds is waiting and
//! not a lack of capacity; the direct mode of the same minutes at the same rate is what the outage is compared with.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::figure::aligned;
use crate::intake::{Clients, Server};
use crate::load::{Answer, Load, Pace};
use crate::setting::Setting;

/// Default of `KAFKA_PRODUCE_DEADLINE_MS`.
const PRODUCE_DEADLINE_MS: f64 = 1_000.0;

/// How much slower an open breaker may be than direct mode: two measurements of the same thing differ as much.
const OPEN_RATIO_MAX: f64 = 1.5;

/// Longest time for the consumer to make no progress after the outage.
const STALLED: Duration = Duration::from_secs(60);

/// The answers to requests that fell due in one phase.
struct Phase {
    name: &'static str,
    answers: Vec<Answer>,
}

impl Phase {
    /// Milliseconds; 0 without answers.
    fn quantile_ms(&self, quantile: f64) -> f64 {
        let mut times: Vec<Duration> = self.answers.iter().map(|answer| answer.took).collect();
        times.sort_unstable();
        let place = (times.len() as f64 * quantile).ceil() as usize;
        times
            .get(place.saturating_sub(1))
            .map_or(0.0, |took| took.as_secs_f64() * 1_000.0)
    }

    fn count(&self, wanted: impl Fn(&Answer) -> bool) -> usize {
        self.answers.iter().filter(|answer| wanted(answer)).count()
    }

    fn line(&self) -> [String; 8] {
        [
            self.name.to_owned(),
            self.answers.len().to_string(),
            format!("{:.1}", self.quantile_ms(0.5)),
            format!("{:.1}", self.quantile_ms(0.99)),
            format!("{:.1}", self.quantile_ms(1.0)),
            self.count(|answer| answer.is_astray).to_string(),
            self.count(|answer| answer.status >= 500).to_string(),
            self.count(|answer| answer.status != 201).to_string(),
        ]
    }
}

/// Runs the load through an outage; the table says what it did to the requests, and whether what must hold holds.
pub(crate) async fn measure(setting: &Setting) -> anyhow::Result<String> {
    let broker = setting
        .options
        .broker_pid
        .context("the outage needs a broker of its own (BENCH_BROKER_PID)")?;
    let (calm, outage) = (
        setting.options.measured(),
        Duration::from_secs(setting.options.outage_seconds),
    );
    let mut peaks = Vec::new();
    for server in [Server::Kafka, Server::Direct] {
        let (loaded, _) = setting.intake(server, setting.closed(256, 1)).await?;
        peaks.push(loaded.per_second());
    }
    let per_second = peaks
        .iter()
        .fold(f64::INFINITY, |least, rate| least.min(*rate))
        / 2.0;
    // Everything that falls due until the breaker opens is under way at one time.
    let connections = ((per_second * 1.5) as usize).clamp(256, 8_000);
    eprintln!("  {per_second:.0} requests a second over {connections} connections");

    let reference = Phase {
        name: "direct mode",
        // As long as the outage: its checkpoints and its growing tables are no work of the breaker.
        answers: at_rate(setting, Server::Direct, per_second, connections, outage)
            .await?
            .answers,
    };

    setting.fresh_tables().await?;
    let topic = setting.fresh_topic().await?;
    let server = setting.start(Server::Kafka, &topic).await?;
    let load = load(
        setting,
        Server::Kafka,
        server.port,
        per_second,
        connections,
        // Time to start the broker, and to measure after it.
        calm + outage + Duration::from_secs(60) + calm,
    );
    let began = Arc::clone(&load.began);
    let load = tokio::spawn(load.run());
    began.notified().await;
    tokio::time::sleep(setting.options.warm_up() + calm).await;
    let lost = Instant::now();
    eprintln!("  freezing the broker for {} s", outage.as_secs() / 2);
    signal("STOP", broker).await?;
    tokio::time::sleep(outage / 2).await;
    eprintln!("  killing the broker for {} s", outage.as_secs() / 2);
    signal("KILL", broker).await?;
    tokio::time::sleep(outage / 2).await;
    eprintln!("  starting the broker");
    let restarting = Instant::now();
    start_broker().await?;
    let loaded = load.await??;
    server.stop().await?;

    let back = loaded
        .answers
        .iter()
        .filter(|answer| answer.due >= restarting && !answer.is_astray && answer.status == 201)
        .map(|answer| answer.due)
        .min()
        .context("Kafka was not used again after its start")?;
    let noticed = loaded
        .answers
        .iter()
        .filter(|answer| answer.due >= lost && answer.is_astray)
        .map(|answer| answer.due + answer.took)
        .min()
        .context("the outage was not noticed")?;
    let measure_from = lost - calm;
    let phase = |name, from: Instant, to: Instant| Phase {
        name,
        answers: loaded
            .answers
            .iter()
            .filter(|answer| (from..to).contains(&answer.due))
            .copied()
            .collect(),
    };
    let far = back + Duration::from_secs(3_600);
    let before = phase("Kafka, before", measure_from, lost);
    let affected = phase("lost, until the breaker opens", lost, noticed);
    let open = phase("breaker open", noticed, back);
    let after = phase("Kafka, after", back, far);

    let acknowledged = loaded
        .answers
        .iter()
        .filter(|answer| answer.status == 201)
        .count();
    let rows = drain(setting, &topic, i64::try_from(acknowledged)?).await?;
    let phases = [&reference, &before, &affected, &open, &after];
    let mut lines = vec![
        [
            "phase",
            "requests",
            "p50 ms",
            "p99 ms",
            "max ms",
            "went direct",
            "5xx",
            "not 201",
        ]
        .map(str::to_owned),
    ];
    lines.extend(phases.map(Phase::line));
    let mut text = aligned(&lines);

    let added = affected.quantile_ms(0.99) - before.quantile_ms(0.99);
    let ratio = open.quantile_ms(0.99) / reference.quantile_ms(0.99);
    let failed: usize = phases
        .iter()
        .map(|phase| phase.count(|answer| answer.status != 201))
        .sum();
    let waited =
        open.count(|answer| answer.took.as_secs_f64() * 1_000.0 >= PRODUCE_DEADLINE_MS * 0.9);
    for (what, holds) in [
        (
            format!(
                "added at p99 until the breaker opens: {added:.0} ms, at most {PRODUCE_DEADLINE_MS:.0}"
            ),
            added <= PRODUCE_DEADLINE_MS,
        ),
        (
            format!(
                "p99 while it is open against direct mode: {ratio:.2}, at most {OPEN_RATIO_MAX} ({waited} of {} requests were probes that waited)",
                open.answers.len()
            ),
            ratio <= OPEN_RATIO_MAX,
        ),
        (
            format!("requests that were not answered 201: {failed}, at most 0"),
            failed == 0,
        ),
        (
            format!("acknowledged {acknowledged}, stored {rows}"),
            i64::try_from(acknowledged)? == rows,
        ),
    ] {
        writeln!(
            text,
            "{what}: {}",
            if holds { "holds" } else { "DOES NOT HOLD" }
        )?;
    }
    Ok(text)
}

fn load(
    setting: &Setting,
    server: Server,
    port: u16,
    per_second: f64,
    connections: usize,
    measured: Duration,
) -> Load {
    let clients = Clients {
        connections,
        batch: 1,
        pace: Pace::Open {
            warm_up: setting.options.warm_up(),
            measured,
            per_second,
        },
    };
    Load {
        keeps_answers: true,
        ..setting.load(server, port, clients)
    }
}

/// A load at this rate on a fresh server, without its warm-up.
async fn at_rate(
    setting: &Setting,
    server: Server,
    per_second: f64,
    connections: usize,
    measured: Duration,
) -> anyhow::Result<crate::load::Loaded> {
    setting.fresh_tables().await?;
    let program = setting.start(server, "unused").await?;
    let load = load(
        setting,
        server,
        program.port,
        per_second,
        connections,
        measured,
    );
    let mut loaded = load.run().await?;
    program.stop().await?;
    let first = loaded.answers.iter().map(|answer| answer.due).min();
    let measured_from = first.context("nothing was answered")? + setting.options.warm_up();
    loaded.answers.retain(|answer| answer.due >= measured_from);
    Ok(loaded)
}

/// Lets a consumer store what is in the topic, and counts the rows.
async fn drain(setting: &Setting, topic: &str, expected: i64) -> anyhow::Result<i64> {
    let consumer = setting.start_consumer(topic, true).await?;
    let (mut rows, mut grown) = (0, Instant::now());
    while rows < expected && grown.elapsed() < STALLED {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now: i64 = sqlx::query_scalar("SELECT count(*) FROM answers")
            .fetch_one(&setting.db)
            .await?;
        if now > rows {
            (rows, grown) = (now, Instant::now());
        }
    }
    consumer.stop().await?;
    Ok(rows)
}

async fn signal(name: &str, pid: u32) -> anyhow::Result<()> {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status()
        .await?;
    ensure!(sent.success(), "the broker (process {pid}) is not there");
    Ok(())
}

/// With the script that has started it, which has left its ports and folder in the environment.
async fn start_broker() -> anyhow::Result<()> {
    let project = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let started = Command::new("./start-kafka.sh")
        .current_dir(project)
        .stdout(std::process::Stdio::null())
        .status()
        .await?;
    ensure!(started.success(), "the broker cannot be started again");
    Ok(())
}
