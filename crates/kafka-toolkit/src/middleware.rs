//! Wrappers around a [`Handler`] that do not change what it does: one line of log and a span, or metrics, per batch.
//!
//! They compose: `handler.measured(&kafka).logged()`. A wrapper of one's own is a struct that implements
//! [`Handler`] and calls the one inside.

use std::time::Instant;

use tracing::Instrument;

use crate::config::KafkaConfig;
use crate::consumer::Handler;
use crate::metrics::{HandlerMetrics, Registry};
use crate::outcome::{Failure, Outcome};
use crate::record::Batch;
use crate::trace::TraceContext;

/// Puts wrappers around a handler.
pub trait HandlerExt: Handler + Sized {
    /// A span around each batch and a line after it; never a payload, never a key.
    fn logged(self) -> Logged<Self> {
        Logged { inner: self }
    }

    /// Size and duration of each batch as metrics.
    fn measured(self, kafka: &KafkaConfig) -> Measured<Self> {
        Measured {
            inner: self,
            metrics: Registry::new(&kafka.metrics_prefix).handler(),
        }
    }
}

impl<H: Handler> HandlerExt for H {}

/// Logs each batch; see [`HandlerExt::logged`].
#[derive(Debug)]
pub struct Logged<H> {
    inner: H,
}

impl<H: Handler> Handler for Logged<H> {
    async fn handle(&self, batch: &Batch) -> Vec<Outcome> {
        let first = batch.records().first();
        let span = tracing::info_span!(
            "kafka_batch",
            kafka.topic = batch.topic(),
            kafka.partition = batch.partition(),
            kafka.offset = first.map(|record| record.offset),
            kafka.records = batch.len(),
            trace.id = tracing::field::Empty,
        );
        // A batch has many causes; the first that is traced finds the others by topic, partition and offset.
        if !span.is_disabled()
            && let Some(context) = batch
                .records()
                .iter()
                .find_map(|record| TraceContext::from_headers(&record.headers))
        {
            span.record("trace.id", format_args!("{:032x}", context.trace_id));
        }
        let started = Instant::now();
        async {
            let outcomes = self.inner.handle(batch).await;
            report(&outcomes, started);
            outcomes
        }
        .instrument(span)
        .await
    }
}

fn report(outcomes: &[Outcome], started: Instant) {
    let duration_ms = started.elapsed().as_millis();
    let failures: Vec<&Failure> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Done => None,
            Outcome::Failed(failure) => Some(failure),
        })
        .collect();
    // A refusal is a normal answer of the business, and not worth anybody's attention by itself.
    match failures.iter().find(|failure| !failure.class.is_final()) {
        None => tracing::debug!(duration_ms, refused = failures.len(), "handled a batch"),
        Some(first) => tracing::warn!(
            duration_ms,
            failed = failures.len(),
            error.class = first.class.as_str(),
            error.name = %first.name,
            error.message = %first.message,
            "handled a batch in part; this is its first failure"
        ),
    }
}

/// Measures each batch; see [`HandlerExt::measured`].
pub struct Measured<H> {
    inner: H,
    metrics: HandlerMetrics,
}

impl<H: std::fmt::Debug> std::fmt::Debug for Measured<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Measured")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<H: Handler> Handler for Measured<H> {
    async fn handle(&self, batch: &Batch) -> Vec<Outcome> {
        let started = Instant::now();
        let outcomes = self.inner.handle(batch).await;
        self.metrics.batch_records.record(batch.len() as f64);
        self.metrics
            .handle_seconds
            .record(started.elapsed().as_secs_f64());
        outcomes
    }
}
