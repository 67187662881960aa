//! The store alone: `write_batch` called in this process, against the bare writer of the same rows.

use std::time::{Duration, Instant};

use analytics_ingestor::config::DatabaseConfig;
use analytics_ingestor::event::{Event, EventIn, Origin};
use analytics_ingestor::store::{EventWriter, Purpose, WriteOutcome, connect_lazy};
use analytics_ingestor::tenant::Tenant;
use anyhow::ensure;
use clap::Parser;
use secrecy::ExposeSecret;
use time::OffsetDateTime;

use crate::bare_writer::{self, Extent};
use crate::figure::Sample;
use crate::setting::Setting;
use crate::stream::{EVENT_BYTES, Stream};

/// Batches before the measured ones: sessions and stubs are there then, as they are in a live stream.
const WARM_UP_EVENTS: usize = 40_000;
const WRITE_MAX: Duration = Duration::from_secs(30);

/// The product's own settings of its database, from the environment.
#[derive(Debug, Parser)]
struct Environment {
    #[command(flatten)]
    database: DatabaseConfig,
}

fn events(stream: &mut Stream, count: usize) -> anyhow::Result<Vec<Event>> {
    let origin = Origin {
        tenant: Tenant::DEFAULT,
        received_at: OffsetDateTime::now_utc(),
    };
    let mut json = [0; EVENT_BYTES];
    (0..count)
        .map(|_| {
            stream.write_json(&mut json);
            Ok(EventIn::from_json(&json)?.parse(origin)?)
        })
        .collect()
}

async fn write(writer: &EventWriter, events: &[Event], batch: usize) -> anyhow::Result<()> {
    for batch in events.chunks(batch) {
        let outcomes = writer.write_batch(batch, None).await?;
        ensure!(
            outcomes
                .iter()
                .all(|outcome| *outcome == WriteOutcome::Stored),
            "a new event was not stored"
        );
    }
    Ok(())
}

impl Setting {
    /// So many writers at once, all on the same sessions; rows per second.
    pub(crate) async fn store(&self, writers: usize, batch: usize) -> anyhow::Result<Sample> {
        self.fresh_tables().await?;
        let environment = Environment::try_parse_from([
            "bench",
            "--database-url",
            self.options.database_url.expose_secret(),
        ])?;
        let pool = connect_lazy(&environment.database, Purpose::Write)?;
        let writer = EventWriter::new(pool.clone(), WRITE_MAX, "bench");
        let mut stream = Stream::new();
        write(&writer, &events(&mut stream, WARM_UP_EVENTS)?, batch).await?;
        let rows = self.options.store_rows() * writers;
        let all = events(&mut stream, rows)?;
        // Batch by batch in turn, so that the writers meet on the same sessions.
        let mut shares = vec![Vec::new(); writers];
        for (number, part) in all.chunks(batch).enumerate() {
            shares[number % writers].extend_from_slice(part);
        }
        let meter = self.meter(None)?;
        let began = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for share in shares {
            let writer = writer.clone();
            tasks.spawn(async move { write(&writer, &share, batch).await });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        let took = began.elapsed();
        let parts = meter.per_event(rows as u64)?;
        pool.close().await;
        Ok(Sample {
            value: rows as f64 / took.as_secs_f64(),
            parts,
        })
    }

    /// The bare writer with as many connections and rows.
    pub(crate) async fn bare_store(&self, writers: usize, batch: usize) -> anyhow::Result<Sample> {
        self.fresh_tables().await?;
        let meter = self.meter(None)?;
        let extent = Extent::Rows((self.options.store_rows() * writers) as u64);
        let (value, rows) = bare_writer::run(&self.connect, writers, batch, extent).await?;
        Ok(Sample {
            value,
            parts: meter.per_event(rows)?,
        })
    }
}
