//! What PostgreSQL takes from a program that does nothing else: batches of answers, one statement each, into the
//! product's own table. No sessions, no stubs, no HTTP, no Kafka.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use analytics_ingestor::tenant::Tenant;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use time::OffsetDateTime;

use crate::stream::{Answer, Stream};

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Extent {
    /// After a warm-up and a measured time.
    Time {
        warm_up: Duration,
        measured: Duration,
    },
    /// After so many rows, all measured.
    Rows(u64),
}

/// Writes through so many connections at once, so many rows in each statement and so in each transaction; rows per second,
/// and how many rows in all.
pub(crate) async fn run(
    options: &PgConnectOptions,
    connections: usize,
    batch_rows: usize,
    extent: Extent,
) -> anyhow::Result<(f64, u64)> {
    let stream = Arc::new(Mutex::new(Stream::new()));
    let in_all = Arc::new(AtomicU64::new(0));
    let counted = Arc::new(AtomicU64::new(0));
    let mut opened = Vec::new();
    for _ in 0..connections {
        opened.push(PgConnection::connect_with(options).await?);
    }
    let began = Instant::now();
    let mut writers = tokio::task::JoinSet::new();
    for mut connection in opened {
        let (stream, in_all, counted) = (
            Arc::clone(&stream),
            Arc::clone(&in_all),
            Arc::clone(&counted),
        );
        writers.spawn(async move {
            loop {
                let goes_on = match extent {
                    Extent::Time { warm_up, measured } => began.elapsed() < warm_up + measured,
                    Extent::Rows(rows) => {
                        in_all.fetch_add(batch_rows as u64, Ordering::Relaxed) < rows
                    }
                };
                if !goes_on {
                    return anyhow::Ok(());
                }
                let mut batch: Vec<Answer> = {
                    let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
                    (0..batch_rows).map(|_| stream.answer()).collect()
                };
                batch.sort_unstable_by_key(|answer| (answer.session_id, answer.event_id));
                insert(&mut connection, &batch).await?;
                let counts = match extent {
                    Extent::Time { warm_up, measured } => {
                        in_all.fetch_add(batch_rows as u64, Ordering::Relaxed);
                        (warm_up..warm_up + measured).contains(&began.elapsed())
                    }
                    Extent::Rows(_) => true,
                };
                if counts {
                    counted.fetch_add(batch_rows as u64, Ordering::Relaxed);
                }
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    let took = match extent {
        Extent::Time { measured, .. } => measured,
        Extent::Rows(_) => began.elapsed(),
    };
    let counted = counted.load(Ordering::Relaxed);
    let written = match extent {
        Extent::Time { .. } => in_all.load(Ordering::Relaxed),
        Extent::Rows(_) => counted,
    };
    Ok((counted as f64 / took.as_secs_f64(), written))
}

async fn insert(connection: &mut PgConnection, batch: &[Answer]) -> Result<(), sqlx::Error> {
    fn column<T>(batch: &[Answer], of: impl Fn(&Answer) -> T) -> Vec<T> {
        batch.iter().map(of).collect()
    }
    let now = OffsetDateTime::now_utc();
    sqlx::query(
        "INSERT INTO answers (tenant_id, session_id, event_id, question_id, student_id, answer, submitted_at,
                              response_time_ms, client_event_id, received_at)
         SELECT * FROM unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[],
                              $7::timestamptz[], $8::int4[], $9::text[], $10::timestamptz[])
         ON CONFLICT DO NOTHING",
    )
    .bind(vec![Tenant::DEFAULT.id(); batch.len()])
    .bind(column(batch, |answer| answer.session_id))
    .bind(column(batch, |answer| answer.event_id))
    .bind(column(batch, |answer| answer.question_id))
    .bind(column(batch, |answer| answer.student_id))
    .bind(column(batch, |answer| answer.text))
    .bind(vec![now; batch.len()])
    .bind(column(batch, |answer| answer.response_time_ms))
    .bind(vec![None::<&str>; batch.len()])
    .bind(vec![now; batch.len()])
    .execute(connection)
    .await?;
    Ok(())
}
