//! The consumer program: how fast it drains a backlog, and how soon an accepted event is a row.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::ensure;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::figure::Sample;
use crate::intake::{Clients, Server};
use crate::load::Pace;
use crate::poison::Poison;
use crate::program::Program;
use crate::prometheus;
use crate::setting::{Setting, dead_letters_of};

/// Between two looks at how far the consumer is.
const LOOK: Duration = Duration::from_millis(20);
/// Longest time without any progress.
const STALLED: Duration = Duration::from_secs(30);
/// Between two looks for new rows: how exact the time of a row is.
const ROW_LOOK: Duration = Duration::from_millis(1);
/// Pages at the table's end that a look for new rows goes back, because writers fill several at a time.
const PAGES_BACK: i64 = 24;
/// Events a second while the time to the row is measured.
const CALM_RATE: f64 = 1_000.0;

impl Setting {
    pub(crate) async fn start_consumer(
        &self,
        topic: &str,
        refresh: bool,
    ) -> anyhow::Result<Program> {
        let settings = [
            ("KAFKA_TOPIC", topic.to_owned()),
            ("KAFKA_DLQ_TOPIC", dead_letters_of(topic)),
            ("KAFKA_GROUP_ID", format!("of-{topic}-{refresh}")),
            ("REFRESH_ENABLED", refresh.to_string()),
        ];
        let path = self.programs.path("consumer");
        self.programs
            .start("consumer", &path, &[], "CONSUMER_PORT", &settings)
            .await
    }

    /// Fills a topic through the API.
    pub(crate) async fn backlog(&self) -> anyhow::Result<String> {
        let topic = self.fresh_topic().await?;
        self.fill(&topic).await?;
        Ok(topic)
    }

    async fn fill(&self, topic: &str) -> anyhow::Result<()> {
        let records = self.options.backlog();
        self.fresh_tables().await?;
        let server = self.start(Server::Kafka, topic).await?;
        let filling = Clients {
            connections: 8,
            batch: 1_000,
            pace: Pace::Until { events: records },
        };
        let filled = self.load(Server::Kafka, server.port, filling).run().await?;
        ensure!(
            filled.astray == 0,
            "{} events went direct while the backlog was made",
            filled.astray
        );
        server.stop().await
    }

    /// Lets a consumer drain the topic from its beginning, with or without its refresher.
    pub(crate) async fn drain(&self, topic: &str, refresh: bool) -> anyhow::Result<Sample> {
        self.drain_all(topic, 0, refresh).await
    }

    /// Drains a backlog in which one record in a thousand can never be stored; each must be a dead letter at the end.
    pub(crate) async fn drain_poisoned(&self, poison: Poison) -> anyhow::Result<Sample> {
        let topic = self.fresh_topic().await?;
        let mut poisoner = self.poisoner(poison, &topic).await?;
        tokio::select! {
            filled = self.fill(&topic) => filled?,
            failed = poisoner.keep_up() => failed?,
        }
        let bad = poisoner.finish(self.options.backlog()).await?;
        let drained = self.drain_all(&topic, bad, true).await;
        self.cure().await?;
        drained
    }

    /// Drains a topic with so many bad records beside the good ones.
    async fn drain_all(&self, topic: &str, bad: u64, refresh: bool) -> anyhow::Result<Sample> {
        let good = self.options.backlog();
        let records = good + bad;
        self.fresh_tables().await?;
        let started = Instant::now();
        let consumer = self.start_consumer(topic, refresh).await?;
        let meter = self.meter(Some(consumer.pid))?;
        let (mut first, mut last) = (None, (started, 0));
        while last.1 < records {
            let stored = progress(&self.db, topic).await?;
            if stored > last.1 {
                last = (Instant::now(), stored);
                first.get_or_insert(last);
            }
            ensure!(
                last.0.elapsed() < STALLED,
                "the consumer stands at {} of {records} records; see its log",
                last.1
            );
            tokio::time::sleep(LOOK).await;
        }
        let (first_at, first_stored) = first.unwrap_or(last);
        let mut parts = vec![("s from start to end", (last.0 - started).as_secs_f64())];
        parts.extend(meter.per_event(records)?);
        consumer.stop().await?;
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM answers")
            .fetch_one(&self.db)
            .await?;
        ensure!(
            u64::try_from(rows)? == good,
            "{good} good records became {rows} rows"
        );
        let dead = self.records_in(&dead_letters_of(topic)).await?;
        ensure!(dead == bad, "{bad} bad records became {dead} dead letters");
        parts.push(("dead letters", dead as f64));
        Ok(Sample {
            value: (records - first_stored) as f64 / (last.0 - first_at).as_secs_f64(),
            parts,
        })
    }

    /// Time from acceptance to the row, seen from outside, with its parts.
    pub(crate) async fn stored(&self) -> anyhow::Result<Sample> {
        self.fresh_tables().await?;
        let topic = self.fresh_topic().await?;
        let server = self.start(Server::Kafka, &topic).await?;
        let consumer = self.start_consumer(&topic, true).await?;
        let (warm_up, measured) = (self.options.warm_up(), self.options.measured());
        let clients = Clients {
            connections: 64,
            batch: 1,
            pace: Pace::Open {
                warm_up,
                measured,
                per_second: CALM_RATE,
            },
        };
        let measure_from = OffsetDateTime::now_utc() + warm_up;
        let load = tokio::spawn(self.load(Server::Kafka, server.port, clients).run());
        let mut watch = RowWatch::default();
        while !load.is_finished() {
            watch.look(&self.db).await?;
            tokio::time::sleep(ROW_LOOK).await;
        }
        let loaded = load.await??;
        let ended = Instant::now();
        while (watch.seen.len() as u64) < loaded.events_in_all {
            ensure!(
                ended.elapsed() < STALLED,
                "of {} accepted events {} are stored; see the consumer's log",
                loaded.events_in_all,
                watch.seen.len()
            );
            watch.look(&self.db).await?;
            tokio::time::sleep(ROW_LOOK).await;
        }
        let produce = prometheus::histogram(server.port, "ingestor_kafka_produce_seconds").await?;
        let fresh =
            prometheus::histogram(consumer.port, "ingestor_event_freshness_seconds").await?;
        server.stop().await?;
        consumer.stop().await?;
        let rows = watch.since(measure_from);
        Ok(Sample {
            value: quantile(&rows, 0.99),
            parts: vec![
                ("p50 ms", quantile(&rows, 0.5)),
                ("events that went direct", loaded.astray as f64),
                ("HTTP p50 ms", loaded.quantile_ms(0.5)),
                ("HTTP p99 ms", loaded.quantile_ms(0.99)),
                ("produce p50 ms", produce.quantile_ms(0.5)),
                ("produce p99 ms", produce.quantile_ms(0.99)),
                ("consumer's own freshness p50 ms", fresh.quantile_ms(0.5)),
                ("p99 ms", fresh.quantile_ms(0.99)),
            ],
        })
    }

    /// The raw producer at the rate of [`Self::stored`].
    pub(crate) async fn raw_at_calm_rate(&self) -> anyhow::Result<Sample> {
        let (produced, mut sample) = self.produce(Some(CALM_RATE)).await?;
        sample.value = produced.p99_ms;
        Ok(sample)
    }
}

/// Records of a topic that are stored, as the consumer wrote with them.
async fn progress(db: &PgPool, topic: &str) -> anyhow::Result<u64> {
    let stored: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(next_offset), 0)::int8 FROM consumer_progress WHERE topic = $1",
    )
    .bind(topic)
    .fetch_one(db)
    .await?;
    Ok(u64::try_from(stored)?)
}

/// Sees rows of `answers` soon after they can be seen, by looking at the table's last pages only.
#[derive(Default)]
struct RowWatch {
    last_page: i64,
    seen: HashSet<Uuid>,
    /// When the event was accepted, and how many milliseconds later its row was seen.
    times: Vec<(OffsetDateTime, f64)>,
}

impl RowWatch {
    async fn look(&mut self, db: &PgPool) -> anyhow::Result<()> {
        let from = format!("({},0)", (self.last_page - PAGES_BACK).max(0));
        let rows: Vec<(Uuid, OffsetDateTime, i64)> = sqlx::query_as(
            "SELECT event_id, received_at, (ctid::text::point)[0]::int8 FROM answers WHERE ctid >= $1::text::tid",
        )
        .bind(from)
        .fetch_all(db)
        .await?;
        let now = OffsetDateTime::now_utc();
        for (event_id, received_at, page) in rows {
            self.last_page = self.last_page.max(page);
            if self.seen.insert(event_id) {
                let took = (now - received_at).as_seconds_f64() * 1000.0;
                self.times.push((received_at, took));
            }
        }
        Ok(())
    }

    /// Milliseconds of events accepted since then, in order.
    fn since(self, measure_from: OffsetDateTime) -> Vec<f64> {
        let mut times: Vec<f64> = self
            .times
            .into_iter()
            .filter(|(received_at, _)| *received_at >= measure_from)
            .map(|(_, took)| took)
            .collect();
        times.sort_by(f64::total_cmp);
        times
    }
}

fn quantile(sorted: &[f64], quantile: f64) -> f64 {
    let place = (sorted.len() as f64 * quantile) as usize;
    let last = sorted.len().saturating_sub(1);
    sorted.get(place.min(last)).copied().unwrap_or(f64::NAN)
}
