//! The least that a producer can do, as a limit to measure others against: sends the messages of a file over and
//! over, without the toolkit, and prints one line of JSON.
//!
//! Without `--per-second` as fast as the broker takes them. With it at that rate; times count from when a message was
//! due. The file holds, for each message, a count of parts (u32, big-endian) and each part as length (u32) and bytes:
//! key, payload, then name and value of each header.

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Parser;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};

/// Between two looks at what has fallen due, or at whether there is room again.
const TICK: Duration = Duration::from_micros(200);

#[derive(Parser)]
struct Settings {
    /// File of messages.
    #[arg(long)]
    messages: PathBuf,
    /// Topic to send to.
    #[arg(long)]
    topic: String,
    /// Brokers to ask first.
    #[arg(long, env = "KAFKA_BROKERS")]
    brokers: String,
    /// How long a message waits for company, in milliseconds.
    #[arg(long, env = "KAFKA_LINGER_MS", default_value = "1")]
    linger_ms: String,
    /// Most messages without an acknowledgement.
    #[arg(long, default_value_t = 20_000)]
    window: u64,
    /// Seconds before measuring.
    #[arg(long, default_value_t = 2.0)]
    warm_up: f64,
    /// Seconds to measure.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Messages a second; as many as possible when absent.
    #[arg(long)]
    per_second: Option<f64>,
}

struct Message {
    key: Vec<u8>,
    payload: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
}

/// What has been acknowledged.
struct Tally {
    began: Instant,
    measured: std::ops::Range<Duration>,
    /// Whether a message belongs to the time when it was due, or to that of its acknowledgement.
    by_due_time: bool,
    answered: AtomicU64,
    failed: AtomicU64,
    times_us: Mutex<Vec<u32>>,
}

impl ClientContext for Tally {}

impl ProducerContext for Tally {
    /// Microseconds from the beginning to when the message was due.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, due_us: usize) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        if result.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let now = self.began.elapsed();
        let due = Duration::from_micros(due_us as u64);
        let belongs = if self.by_due_time { due } else { now };
        if self.measured.contains(&belongs) {
            let took = u32::try_from((now - due).as_micros()).unwrap_or(u32::MAX);
            self.times_us
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(took);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::parse();
    let messages = read_messages(&std::fs::read(&settings.messages)?)?;
    let warm_up = Duration::from_secs_f64(settings.warm_up);
    let end = warm_up + Duration::from_secs_f64(settings.seconds);
    let tally = Tally {
        began: Instant::now(),
        measured: warm_up..end,
        by_due_time: settings.per_second.is_some(),
        answered: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        times_us: Mutex::default(),
    };
    let producer: ThreadedProducer<Tally> = ClientConfig::new()
        .set("bootstrap.servers", &settings.brokers)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("partitioner", "murmur2_random")
        .set("compression.type", "lz4")
        .set("linger.ms", &settings.linger_ms)
        .set(
            "queue.buffering.max.messages",
            settings.window.max(1000).to_string(),
        )
        .create_with_context(tally)?;

    let sent = match settings.per_second {
        None => send_as_fast_as_possible(&producer, &settings, &messages, end)?,
        Some(rate) => send_at_rate(&producer, &settings, &messages, end, rate)?,
    };
    producer.flush(Duration::from_secs(30))?;

    let tally: &Arc<Tally> = producer.context();
    if tally.failed.load(Ordering::Relaxed) > 0 {
        return Err("messages were not acknowledged".into());
    }
    let mut times = std::mem::take(
        &mut *tally
            .times_us
            .lock()
            .unwrap_or_else(PoisonError::into_inner),
    );
    times.sort_unstable();
    let quantile_ms = |quantile: f64| {
        let place = ((times.len() as f64 * quantile) as usize).min(times.len().saturating_sub(1));
        f64::from(times.get(place).copied().unwrap_or(0)) / 1000.0
    };
    println!(
        r#"{{"per_second":{:.1},"p50_ms":{:.3},"p99_ms":{:.3},"sent":{sent},"cpu_seconds":{:.2}}}"#,
        times.len() as f64 / settings.seconds,
        quantile_ms(0.5),
        quantile_ms(0.99),
        cpu_seconds()?,
    );
    Ok(())
}

/// Processor time of this process; the kernel counts in hundredths of a second.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = stat.rsplit_once(") ").ok_or("no process name")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}

fn send_as_fast_as_possible(
    producer: &ThreadedProducer<Tally>,
    settings: &Settings,
    messages: &[Message],
    end: Duration,
) -> Result<u64, KafkaError> {
    let tally = producer.context();
    let mut sent = 0;
    for message in messages.iter().cycle() {
        let now = tally.began.elapsed();
        if now >= end {
            break;
        }
        while sent - tally.answered.load(Ordering::Relaxed) >= settings.window {
            pause();
        }
        send(producer, settings, message, now)?;
        sent += 1;
    }
    Ok(sent)
}

fn send_at_rate(
    producer: &ThreadedProducer<Tally>,
    settings: &Settings,
    messages: &[Message],
    end: Duration,
    rate: f64,
) -> Result<u64, KafkaError> {
    let interval = Duration::from_secs_f64(1.0 / rate);
    let mut due = Duration::ZERO;
    let mut sent = 0;
    for message in messages.iter().cycle() {
        while producer.context().began.elapsed() < due {
            pause();
        }
        if due >= end {
            break;
        }
        send(producer, settings, message, due)?;
        sent += 1;
        due += interval;
    }
    Ok(sent)
}

#[expect(clippy::disallowed_methods, reason = "there is no runtime here")]
fn pause() {
    std::thread::sleep(TICK);
}

fn send(
    producer: &ThreadedProducer<Tally>,
    settings: &Settings,
    message: &Message,
    due: Duration,
) -> Result<(), KafkaError> {
    let due_us = usize::try_from(due.as_micros()).unwrap_or(usize::MAX);
    let mut headers = OwnedHeaders::new_with_capacity(message.headers.len());
    for (name, value) in &message.headers {
        headers = headers.insert(Header {
            key: name,
            value: Some(value),
        });
    }
    let mut record = BaseRecord::with_opaque_to(&settings.topic, due_us)
        .key(&message.key)
        .payload(&message.payload)
        .headers(headers);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), unsent)) => {
                record = unsent;
                pause();
            }
            Err((error, _)) => return Err(error),
        }
    }
}

fn read_messages(bytes: &[u8]) -> Result<Vec<Message>, Box<dyn Error>> {
    let mut rest = bytes;
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let mut parts = Vec::new();
        for _ in 0..read_number(&mut rest)? {
            let length = read_number(&mut rest)?;
            let (part, after) = rest.split_at_checked(length).ok_or("the file is cut off")?;
            parts.push(part.to_vec());
            rest = after;
        }
        let mut parts = parts.into_iter();
        let key = parts.next().ok_or("a message has no key")?;
        let payload = parts.next().ok_or("a message has no payload")?;
        let mut headers = Vec::new();
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            headers.push((String::from_utf8(name)?, value));
        }
        messages.push(Message {
            key,
            payload,
            headers,
        });
    }
    if messages.is_empty() {
        return Err("the file holds no messages".into());
    }
    Ok(messages)
}

fn read_number(rest: &mut &[u8]) -> Result<usize, Box<dyn Error>> {
    let (number, after) = rest.split_first_chunk().ok_or("the file is cut off")?;
    *rest = after;
    Ok(u32::from_be_bytes(*number) as usize)
}
