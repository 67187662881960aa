//! Measures both write paths of the product against baselines of the same run, and prints a table of ratios.
//!
//! It drives the product's own programs as processes and knows nothing of their inside; only the baseline servers
//! share code with the product. docs/BENCHMARKS.md says what each line of the table means.

mod bare_writer;
mod baseline_server;
mod consumer;
mod cost;
mod figure;
mod http;
mod intake;
mod live;
mod load;
mod messages;
mod options;
mod outage;
mod poison;
mod program;
mod prometheus;
mod raw_producer;
mod reading;
mod setting;
mod store_writer;
mod stream;

use std::time::Instant;

use clap::Parser;

use crate::bare_writer::Extent;
use crate::baseline_server::End;
use crate::figure::{Figure, Run, Sample};
use crate::intake::{Clients, Server};
use crate::load::Pace;
use crate::options::{Cell, Options};
use crate::poison::Poison;
use crate::setting::{Setting, micros_each};

/// Connections that batches come over.
const BATCH_CONNECTIONS: usize = 8;
/// Events in a batch.
const BATCH: usize = 1_000;

/// Measures both write paths and prints a table of ratios.
#[derive(Debug, Parser)]
#[command(name = "ingestor-bench", version)]
enum Command {
    /// Measure and print the table.
    Run(Box<Options>),
    /// Serve as a baseline: the product's server with another end.
    Serve {
        /// What becomes of an event.
        end: End,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Serve { end } => baseline_server::serve(end).await,
        Command::Run(options) => run(*options).await,
    }
}

async fn run(options: Options) -> anyhow::Result<()> {
    let began = Instant::now();
    let load_before = load_average()?;
    let setting = Setting::prepare(options).await?;
    if setting.options.wants(Cell::Reading) {
        println!("{}", reading::measure(&setting).await?);
    }
    if setting.options.wants_only(Cell::Reading) {
        println!("{}", database_settings(&setting).await?);
        return Ok(());
    }
    warm_broker_up(&setting).await?;
    if setting.options.wants_only(Cell::Outage) {
        println!("{}", outage::measure(&setting).await?);
        return Ok(());
    }
    let mut runs = Vec::new();
    for number in 1..=setting.options.runs() {
        if setting.options.wants_only(Cell::Memory) {
            break;
        }
        eprintln!("run {number} of {}", setting.options.runs());
        let mut run = Run::new();
        measure_direct(&setting, &mut run).await?;
        measure_kafka(&setting, &mut run).await?;
        measure_batches(&setting, &mut run).await?;
        measure_store(&setting, &mut run).await?;
        measure_consumer(&setting, &mut run).await?;
        measure_live(&setting, &mut run).await?;
        measure_half_peak(&setting, &mut run).await?;
        runs.push(run);
    }
    if setting.options.wants(Cell::Memory) {
        let mut run = Run::new();
        measure_memory(&setting, &mut run).await?;
        runs.push(run);
    }
    println!("{}\n{}", figure::ratios(&runs), figure::parts(&runs));
    println!(
        "medians of {} runs of {} s each (least..greatest); {} processors; {}; load average {load_before} before, \
         {} after; {} s in all",
        setting.options.runs(),
        setting.options.measured().as_secs(),
        std::thread::available_parallelism()?,
        database_settings(&setting).await?,
        load_average()?,
        began.elapsed().as_secs(),
    );
    // Last, because the broker that it leaves is another process.
    if setting.options.wants(Cell::Outage) {
        println!("{}", outage::measure(&setting).await?);
    }
    Ok(())
}

/// A young broker is several times slower than one whose code has been compiled, and would fail the first run.
async fn warm_broker_up(setting: &Setting) -> anyhow::Result<()> {
    let cells = [
        Cell::Kafka,
        Cell::KafkaBatch,
        Cell::Drain,
        Cell::Poison,
        Cell::Stored,
        Cell::HalfPeak,
        Cell::Outage,
    ];
    if cells.into_iter().any(|cell| setting.options.wants(cell)) {
        eprintln!("warming the broker up");
        let clients = setting.closed(256, 1);
        setting.intake(Server::Kafka, clients).await?;
        setting.produce(None).await?;
    }
    Ok(())
}

fn note(run: &mut Run, figure: Figure, sample: Sample) {
    eprintln!("  {figure:?} {:.2}", sample.value);
    run.insert(figure, sample);
}

async fn measure_direct(setting: &Setting, run: &mut Run) -> anyhow::Result<()> {
    if !setting.options.wants(Cell::Direct) {
        return Ok(());
    }
    for (figure, server, connections) in [
        (Figure::Discard64, Server::Baseline(End::Discard), 64),
        (Figure::Direct64, Server::Direct, 64),
        (Figure::Insert64, Server::Baseline(End::Insert), 64),
        (Figure::Insert256, Server::Baseline(End::Insert), 256),
        (Figure::Direct256, Server::Direct, 256),
        (Figure::Discard256, Server::Baseline(End::Discard), 256),
    ] {
        let (_, sample) = setting
            .intake(server, setting.closed(connections, 1))
            .await?;
        note(run, figure, sample);
    }
    Ok(())
}

async fn measure_kafka(setting: &Setting, run: &mut Run) -> anyhow::Result<()> {
    if !setting.options.wants(Cell::Kafka) {
        return Ok(());
    }
    measure_kafka_peak(setting, run).await?;
    if !run.contains_key(&Figure::Discard256) {
        let clients = setting.closed(256, 1);
        let (_, sample) = setting
            .intake(Server::Baseline(End::Discard), clients)
            .await?;
        note(run, Figure::Discard256, sample);
    }
    Ok(())
}

/// The peak rate of Kafka mode, unless this run has it already.
async fn measure_kafka_peak(setting: &Setting, run: &mut Run) -> anyhow::Result<f64> {
    if let Some(sample) = run.get(&Figure::Kafka256) {
        return Ok(sample.value);
    }
    let (loaded, sample) = setting
        .intake(Server::Kafka, setting.closed(256, 1))
        .await?;
    note(run, Figure::Kafka256, sample);
    Ok(loaded.per_second())
}

async fn measure_batches(setting: &Setting, run: &mut Run) -> anyhow::Result<()> {
    let clients = setting.closed(BATCH_CONNECTIONS, BATCH);
    if setting.options.wants(Cell::KafkaBatch) {
        let (_, sample) = setting.intake(Server::Kafka, clients).await?;
        note(run, Figure::KafkaBatch, sample);
        let (_, sample) = setting.produce(None).await?;
        note(run, Figure::RawProducer, sample);
    }
    if setting.options.wants(Cell::DirectBatch) {
        let (_, sample) = setting.intake(Server::Direct, clients).await?;
        note(run, Figure::DirectBatch, sample);
        let extent = Extent::Time {
            warm_up: setting.options.warm_up(),
            measured: setting.options.measured(),
        };
        note(
            run,
            Figure::BareWriter4,
            bare_write(setting, 4, extent).await?,
        );
    }
    Ok(())
}

async fn bare_write(
    setting: &Setting,
    connections: usize,
    extent: Extent,
) -> anyhow::Result<Sample> {
    setting.fresh_tables().await?;
    let own = std::process::id();
    let before = cost::of_process(own)?;
    let meter = setting.meter(None)?;
    let (value, rows) = bare_writer::run(&setting.connect, connections, BATCH, extent).await?;
    let mut parts = vec![(
        "program µs",
        micros_each(cost::of_process(own)? - before, rows),
    )];
    parts.extend(meter.per_event(rows)?);
    Ok(Sample { value, parts })
}

async fn measure_store(setting: &Setting, run: &mut Run) -> anyhow::Result<()> {
    if !setting.options.wants(Cell::Store) {
        return Ok(());
    }
    for (ours, bare, batch, writers) in [
        (Figure::Store1000By1, Figure::Bare1000By1, 1_000, 1),
        (Figure::Store1000By2, Figure::Bare1000By2, 1_000, 2),
        (Figure::Store200By1, Figure::Bare200By1, 200, 1),
        (Figure::Store200By2, Figure::Bare200By2, 200, 2),
    ] {
        note(run, ours, setting.store(writers, batch).await?);
        note(run, bare, setting.bare_store(writers, batch).await?);
    }
    Ok(())
}

async fn measure_consumer(setting: &Setting, run: &mut Run) -> anyhow::Result<()> {
    if setting.options.wants(Cell::Drain) {
        let topic = setting.backlog().await?;
        note(run, Figure::Drain, setting.drain(&topic, true).await?);
        note(run, Figure::DrainAlone, setting.drain(&topic, false).await?);
        let extent = Extent::Rows(setting.options.backlog());
        note(
            run,
            Figure::BareWriter2,
            bare_write(setting, 2, extent).await?,
        );
    }
    if setting.options.wants(Cell::Poison) {
        let undecodable = setting.drain_poisoned(Poison::Undecodable).await?;
        note(run, Figure::DrainUndecodable, undecodable);
        if !run.contains_key(&Figure::Drain) {
            let topic = setting.backlog().await?;
            note(run, Figure::Drain, setting.drain(&topic, true).await?);
        }
        let refused = setting.drain_poisoned(Poison::Refused).await?;
        note(run, Figure::DrainRefused, refused);
    }
    if setting.options.wants(Cell::Stored) {
        note(run, Figure::StoredP99, setting.stored().await?);
        note(run, Figure::StoredRawP99, setting.raw_at_calm_rate().await?);
    }
    Ok(())
}

async fn measure_live(setting: &Setting, run: &mut Run) -> anyhow::Result<()> {
    if setting.options.wants(Cell::Live) {
        let (share, oldest) = setting.live().await?;
        note(run, Figure::LiveShare, share);
        note(run, Figure::LiveOldest, oldest);
    }
    Ok(())
}

async fn measure_half_peak(setting: &Setting, run: &mut Run) -> anyhow::Result<()> {
    if !setting.options.wants(Cell::HalfPeak) {
        return Ok(());
    }
    let per_second = measure_kafka_peak(setting, run).await? / 2.0;
    let clients = Clients {
        connections: 256,
        batch: 1,
        pace: Pace::Open {
            warm_up: setting.options.warm_up(),
            measured: setting.options.measured(),
            per_second,
        },
    };
    let (loaded, mut sample) = setting.intake(Server::Kafka, clients).await?;
    sample.value = loaded.quantile_ms(0.99);
    sample.parts.insert(0, ("events/s", loaded.per_second()));
    note(run, Figure::HalfPeakP99, sample);
    let (produced, mut sample) = setting.produce(Some(per_second)).await?;
    sample.value = produced.p99_ms;
    sample.parts.insert(0, ("events/s", produced.per_second));
    note(run, Figure::HalfPeakRawP99, sample);
    Ok(())
}

async fn measure_memory(setting: &Setting, run: &mut Run) -> anyhow::Result<()> {
    for (server, early, late) in [
        (
            Server::Direct,
            Figure::MemoryDirectEarly,
            Figure::MemoryDirectLate,
        ),
        (
            Server::Kafka,
            Figure::MemoryKafkaEarly,
            Figure::MemoryKafkaLate,
        ),
    ] {
        let (after_a_minute, at_the_end) = setting.memory(server).await?;
        note(run, early, after_a_minute);
        note(run, late, at_the_end);
    }
    Ok(())
}

fn load_average() -> anyhow::Result<String> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').take(3).collect::<Vec<_>>().join(" "))
}

async fn database_settings(setting: &Setting) -> anyhow::Result<String> {
    Ok(sqlx::query_scalar(
        "SELECT 'PostgreSQL ' || current_setting('server_version') || ', ' || string_agg(name || ' ' ||
                current_setting(name), ', ' ORDER BY name)
         FROM pg_settings WHERE name IN ('fsync', 'jit', 'max_wal_size', 'shared_buffers', 'synchronous_commit')",
    )
    .fetch_one(&setting.db)
    .await?)
}
