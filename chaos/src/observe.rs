//! What there is once everything has come to rest: rows, records, dead letters, offsets, the audit's word.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use kafka_toolkit::Inspector;
use kafka_toolkit::dead_letter::DeadLetter;
use kafka_toolkit::inspect::Located;
use serde::Deserialize;
use sqlx::Connection;
use uuid::Uuid;

use crate::check::{Audit, Figures, Letter, Observed, PartitionEnd, Row, TopicRecord};
use crate::event::Fact;
use crate::foreign::POISON;
use crate::rig::{Names, Rig};

const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_PAUSE: Duration = Duration::from_millis(300);

const ROWS: &str = "
    SELECT tenant_id, coalesce(client_event_id, event_id::text), session_id, 'answer', question_id, student_id, answer,
           (extract(epoch FROM submitted_at) * 1000)::bigint
    FROM answers
    UNION ALL
    SELECT tenant_id, coalesce(client_event_id, event_id::text), session_id, 'publication', question_id, NULL,
           correct_answer, (extract(epoch FROM published_at) * 1000)::bigint
    FROM publications
    UNION ALL
    SELECT tenant_id, coalesce(client_event_id, event_id::text), session_id, kind, NULL, NULL, NULL,
           (extract(epoch FROM occurred_at) * 1000)::bigint
    FROM session_events";

const FIGURES: &str =
    "SELECT tenant_id, session_id, attempts, publications FROM stored_session_figures";

type StoredRow = (
    i32,
    String,
    Uuid,
    String,
    Option<Uuid>,
    Option<Uuid>,
    Option<String>,
    i64,
);

/// Waits until the server has nothing in its local log any more.
///
/// # Errors
/// If that takes longer than `patience`.
pub(crate) async fn spool_empty(rig: &Rig, patience: Duration) -> anyhow::Result<()> {
    let began = Instant::now();
    let url = format!("{}/metrics", rig.direct_server_url());
    loop {
        let answer = rig.http.get(&url).timeout(PATIENCE).send().await;
        let text = match answer {
            Ok(answer) => answer.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        };
        let held = text
            .lines()
            .find_map(|line| line.strip_prefix("ingestor_spool_events "));
        if held.is_some_and(|held| held.trim() == "0") {
            return Ok(());
        }
        ensure!(
            began.elapsed() < patience,
            "the server's local log is not empty after {patience:?}: {held:?} events"
        );
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// Waits until the group has finished every record and no stored figure is behind its facts.
///
/// # Errors
/// If that takes longer than `patience`, with what is left.
pub(crate) async fn at_rest(rig: &Rig, names: &Names, patience: Duration) -> anyhow::Result<()> {
    let began = Instant::now();
    let inspector = Inspector::new(&rig.kafka, PATIENCE)?;
    let mut database = rig.connect(&names.database).await?;
    loop {
        let lags = inspector.lag(&names.group, &names.topic).await;
        let lag = lags
            .as_ref()
            .map_or(-1, |lags| lags.iter().map(|of| of.lag).sum());
        let behind: i64 = sqlx::query_scalar("SELECT count(*) FROM stale_sessions")
            .fetch_one(&mut database)
            .await?;
        if lag == 0 && behind == 0 {
            return Ok(database.close().await?);
        }
        ensure!(
            began.elapsed() < patience,
            "not at rest after {patience:?}: {lag} records are not finished ({lags:?}), {behind} sessions are behind"
        );
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// Takes one stored answer away, for seeing that the check notices.
///
/// # Errors
/// If the database does not answer.
pub(crate) async fn lose_a_row(rig: &Rig, names: &Names) -> anyhow::Result<()> {
    let mut database = rig.connect(&names.database).await?;
    sqlx::query("DELETE FROM answers WHERE ctid = (SELECT min(ctid) FROM answers)")
        .execute(&mut database)
        .await?;
    Ok(database.close().await?)
}

/// Looks at everything.
///
/// # Errors
/// If a service does not answer.
pub(crate) async fn observe(rig: &Rig, names: &Names) -> anyhow::Result<Observed> {
    let mut database = rig.connect(&names.database).await?;
    let rows: Vec<StoredRow> = sqlx::query_as(ROWS).fetch_all(&mut database).await?;
    let figures: Vec<(i32, Uuid, i64, i64)> =
        sqlx::query_as(FIGURES).fetch_all(&mut database).await?;
    database.close().await?;
    let inspector = Inspector::new(&rig.kafka, PATIENCE)?;
    let records = inspector
        .read_all(&names.topic, usize::MAX, |_| true)
        .await?;
    let letters = inspector
        .read_all(&names.dead_letters, usize::MAX, |_| true)
        .await?;
    let lags = inspector.lag(&names.group, &names.topic).await?;
    Ok(Observed {
        topic: names.topic.clone(),
        rows: rows.into_iter().map(row).collect(),
        figures: figures
            .into_iter()
            .map(|(tenant, session, attempts, publications)| Figures {
                tenant,
                session,
                attempts,
                publications,
            })
            .collect(),
        records: records.into_iter().map(topic_record).collect(),
        letters: letters.iter().map(letter).collect(),
        ends: lags
            .into_iter()
            .map(|of| PartitionEnd {
                partition: of.partition,
                committed: of.committed,
                end: of.high,
            })
            .collect(),
        audit: audit(rig, names).await?,
    })
}

fn row(row: StoredRow) -> Row {
    let (tenant, event_id, session, kind, question, student, text, at_ms) = row;
    Row {
        key: (tenant, event_id),
        fact: Fact {
            session,
            kind,
            question,
            student,
            text,
            at_ms,
        },
    }
}

#[derive(Deserialize)]
struct Envelope {
    tenant_id: i32,
    payload: Payload,
}

#[derive(Deserialize)]
struct Payload {
    event_id: String,
}

fn topic_record(located: Located) -> TopicRecord {
    let Located { partition, record } = located;
    let payload = record.payload.as_deref().unwrap_or_default();
    TopicRecord {
        partition,
        poison: record.headers.get_str(POISON).map(str::to_owned),
        event: serde_json::from_slice::<Envelope>(payload)
            .ok()
            .map(|envelope| (envelope.tenant_id, envelope.payload.event_id)),
        record,
    }
}

fn letter(located: &Located) -> Letter {
    let place = format!("{}/{}", located.partition, located.record.offset);
    match DeadLetter::from_record(&located.record) {
        Ok(letter) => Letter {
            place,
            origin: Some((letter.topic, letter.partition)),
            record: letter.record,
            reason: letter.error_name,
        },
        Err(error) => Letter {
            place,
            origin: None,
            record: located.record.clone(),
            reason: error.to_string(),
        },
    }
}

async fn audit(rig: &Rig, names: &Names) -> anyhow::Result<Audit> {
    let output = tokio::process::Command::new(rig.options.programs.join("ctl"))
        .args(["--json", "audit"])
        .env_clear()
        .env("DATABASE_URL", rig.direct_url(names))
        .stdin(Stdio::null())
        .output()
        .await?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("ctl audit: {}", String::from_utf8_lossy(&output.stderr)))
}
