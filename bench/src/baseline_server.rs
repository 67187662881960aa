//! The product's own server with another end: events are parsed and checked as ever, and then either dropped or
//! stored one INSERT each. It owns no HTTP of its own, so that a ratio to it measures the write path alone.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use analytics_ingestor::config::ServerConfig;
use analytics_ingestor::event::{Event, Fact};
use analytics_ingestor::http::{self, AppState, Leave};
use analytics_ingestor::sink::{Accepted, Baseline, Mode, Outcome, Refusal};
use analytics_ingestor::store::{self, Purpose};
use analytics_ingestor::{shutdown, telemetry};
use clap::{Parser, ValueEnum};
use sqlx::PgPool;
use tokio::net::TcpListener;

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum End {
    /// Acknowledged and dropped: what authenticating and parsing alone can do.
    Discard,
    /// One INSERT and one commit for each request, through a pool: the obvious way.
    Insert,
}

/// Connections of the pool behind [`End::Insert`].
pub(crate) const INSERT_CONNECTIONS: u32 = 8;

const ACCEPTED: Outcome = Ok(Accepted {
    mode: Mode::Direct,
    duplicate: false,
});

/// Serves until told to stop; settings are the product's own, from the environment.
pub(crate) async fn serve(end: End) -> anyhow::Result<()> {
    let config = ServerConfig::parse_from(["server"]);
    telemetry::install_logs(&config.telemetry)?;
    let metrics = telemetry::install_metrics()?;
    let shutdown = shutdown::on_signal()?;
    let mut state = AppState::assemble(&config, metrics)?;
    state.ingest = match end {
        End::Discard => state.ingest.replaced_by(Discard),
        End::Insert => {
            let pool = store::connect_lazy(&config.database, Purpose::Write)?;
            state.ingest.replaced_by(InsertEach { pool })
        }
    };
    let listener = TcpListener::bind((config.http.listen_address, config.http.port)).await?;
    http::serve(listener, state, shutdown, Leave::from(&config.http)).await?;
    Ok(())
}

#[derive(Debug)]
struct Discard;

impl Baseline for Discard {
    fn write(&self, events: Vec<Event>) -> Pin<Box<dyn Future<Output = Vec<Outcome>> + Send + '_>> {
        Box::pin(async move { vec![ACCEPTED; events.len()] })
    }
}

#[derive(Debug)]
struct InsertEach {
    pool: PgPool,
}

impl Baseline for InsertEach {
    fn write(&self, events: Vec<Event>) -> Pin<Box<dyn Future<Output = Vec<Outcome>> + Send + '_>> {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(events.len());
            for event in &events {
                outcomes.push(match insert(&self.pool, event).await {
                    Ok(()) => ACCEPTED,
                    Err(_) => Err(Refusal::Unavailable {
                        retry_after: Duration::from_secs(1),
                    }),
                });
            }
            outcomes
        })
    }
}

async fn insert(pool: &PgPool, event: &Event) -> Result<(), sqlx::Error> {
    let Fact::AnswerSubmitted {
        question_id,
        student_id,
        answer,
        response_time_ms,
    } = &event.fact
    else {
        return Err(sqlx::Error::Protocol(
            "the load has answers only".to_owned(),
        ));
    };
    sqlx::query(
        "INSERT INTO answers (tenant_id, session_id, event_id, question_id, student_id, answer, submitted_at,
                              response_time_ms, client_event_id, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(event.tenant.id())
    .bind(event.session_id)
    .bind(event.event_id.uuid())
    .bind(question_id)
    .bind(student_id)
    .bind(&**answer)
    .bind(event.occurred_at)
    .bind(response_time_ms)
    .bind(event.event_id.sent())
    .bind(event.received_at)
    .execute(pool)
    .await?;
    Ok(())
}
