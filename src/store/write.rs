//! The one door for events into PostgreSQL.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{Connection, PgPool, Row};
use time::OffsetDateTime;
use tokio::time::timeout;
use tracing::warn;

use super::answer_keys::{self, KEY_LOCK};
use super::columns::{Columns, Identity, Table, identity};
use super::failure::{Failure, classify, is_broken_connection};
use super::known::KnownEntities;
use super::progress::{Advance, Progress};
use super::write_pool::WritePool;
use crate::event::Event;
use crate::metrics;

/// Most tries of one statement that stood in another's way. Writers lock in one order, so a conflict needs a foreign
/// transaction, and those end.
const CONFLICT_TRIES_MAX: u32 = 5;

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The event is stored now.
    Stored,
    /// The event was stored before, or stands earlier in the same batch.
    Duplicate,
    /// The database refuses the event itself, and always will.
    Refused {
        /// The SQLSTATE of the refusal.
        sqlstate: String,
    },
}

/// The database could not take the batch; nothing is known to be stored, and writing the batch again is safe.
#[derive(Debug, thiserror::Error)]
#[error("the database is unavailable")]
pub struct Unavailable(#[source] pub sqlx::Error);

/// Which events of a statement were new.
enum New {
    All,
    Only(HashSet<Identity>),
}

/// Writes events; cheap to clone.
#[derive(Debug, Clone)]
pub struct EventWriter {
    pool: WritePool,
    /// Longest wait for one transaction before its connection is given up.
    deadline: Duration,
    /// Who writes, in the metrics.
    name: &'static str,
    known: KnownEntities,
}

impl EventWriter {
    /// Writes through `pool`, one for [`super::Purpose::Write`]; a transaction that takes longer than `deadline` counts as
    /// unavailable. `name` says in the metrics who writes.
    pub fn new(pool: PgPool, deadline: Duration, name: &'static str) -> Self {
        metrics::writer_started(name);
        Self {
            pool: WritePool::new(pool),
            deadline,
            name,
            known: KnownEntities::new(),
        }
    }

    /// Stores a batch of events and, in the same transaction as its last part, the consumer's progress.
    ///
    /// Idempotent and independent of order: any permutation of any copies of the same events leaves the same rows.
    /// Returns one outcome per event, in the order given. An event that the database refuses costs O(log n) further
    /// statements and does not keep the others out.
    ///
    /// # Errors
    /// If the database is away; some of the events may be stored, and writing all of them again is safe.
    pub async fn write_batch(
        &self,
        events: &[Event],
        progress: Option<&Progress>,
    ) -> Result<Vec<WriteOutcome>, Unavailable> {
        let began = Instant::now();
        // One order for every writer, so that no two can wait for each other in a circle.
        let mut order: Vec<usize> = (0..events.len()).collect();
        order.sort_by_cached_key(|index| identity(&events[*index]));
        order.dedup_by_key(|index| identity(&events[*index]));

        let mut outcomes = vec![WriteOutcome::Duplicate; events.len()];
        let mut waiting = vec![order.as_slice()];
        while let Some(part) = waiting.pop() {
            let part_events: Vec<&Event> = part.iter().map(|index| &events[*index]).collect();
            let progress = progress.filter(|_| waiting.is_empty());
            let advance = progress.map(|progress| progress.advance(&outcomes));
            match self.write_part(&part_events, advance.as_ref()).await {
                Ok(New::All) => {
                    for index in part {
                        outcomes[*index] = WriteOutcome::Stored;
                    }
                }
                Ok(New::Only(new)) => {
                    for index in part {
                        if new.contains(&identity(&events[*index])) {
                            outcomes[*index] = WriteOutcome::Stored;
                        }
                    }
                }
                Err(error) => match (classify(&error), part) {
                    (Failure::Refused(sqlstate), [index]) => {
                        outcomes[*index] = WriteOutcome::Refused {
                            sqlstate: sqlstate.into_owned(),
                        };
                        if let Some(progress) = progress {
                            self.write_part(&[], Some(&progress.advance(&outcomes)))
                                .await
                                .map_err(Unavailable)?;
                        }
                    }
                    (Failure::Refused(_), part) if part.len() > 1 => {
                        let (left, right) = part.split_at(part.len() / 2);
                        waiting.extend([right, left]);
                    }
                    _ => return Err(Unavailable(error)),
                },
            }
        }
        self.record(events, &outcomes, began.elapsed());
        Ok(outcomes)
    }

    fn record(&self, events: &[Event], outcomes: &[WriteOutcome], took: Duration) {
        let now = OffsetDateTime::now_utc();
        let is_stored = |outcome: &&WriteOutcome| **outcome == WriteOutcome::Stored;
        let stored = outcomes.iter().filter(is_stored).count();
        let fresh = events
            .iter()
            .zip(outcomes)
            .filter(|(_, outcome)| is_stored(outcome));
        metrics::events_fresh(self.name, fresh.map(|(event, _)| now - event.received_at));
        let duplicates = outcomes
            .iter()
            .filter(|outcome| **outcome == WriteOutcome::Duplicate)
            .count();
        metrics::batch_written(self.name, stored, duplicates, took);
    }

    /// Writes distinct, sorted events in one transaction and tells which were new.
    async fn write_part(
        &self,
        events: &[&Event],
        advance: Option<&Advance<'_>>,
    ) -> Result<New, sqlx::Error> {
        let columns = Columns::of(events, &self.known);
        let mut tries = 0;
        loop {
            tries += 1;
            let mut connection = match self.pool.acquire().await {
                Ok(connection) => connection,
                Err(error) if is_broken_connection(&error) && tries == 1 => {
                    metrics::write_retried(self.name, "connection", 1);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let writing = write_once(&mut connection, events, &columns, advance);
            let error = match timeout(self.deadline, writing).await {
                Ok(Ok(stored)) => {
                    columns.stubs().remember(&self.known);
                    return Ok(stored);
                }
                Ok(Err(error)) => error,
                Err(_) => {
                    // The answer is still to come on this connection: nobody else may use it.
                    connection.close_on_drop();
                    self.pool.close_idle();
                    return Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()));
                }
            };
            match classify(&error) {
                Failure::Conflict if tries < CONFLICT_TRIES_MAX => {
                    metrics::write_retried(self.name, "conflict", 1);
                    warn!(error = %error, tries, "a write stood in another transaction's way; trying again");
                }
                // The pool does not know that the server was restarted until it uses its connections.
                _ if is_broken_connection(&error) && tries == 1 => {
                    metrics::write_retried(self.name, "connection", 1);
                    connection.close_on_drop();
                }
                _ => {
                    if is_broken_connection(&error) {
                        connection.close_on_drop();
                    }
                    return Err(error);
                }
            }
        }
    }
}

async fn write_once(
    connection: &mut PgConnection,
    events: &[&Event],
    columns: &Columns<'_>,
    advance: Option<&Advance<'_>>,
) -> Result<New, sqlx::Error> {
    let keyed = answer_keys::carried_by(events);
    if keyed.is_empty() {
        return execute(connection, columns, advance).await;
    }
    let tenants: BTreeSet<i32> = events.iter().map(|event| event.tenant.id()).collect();
    let mut changing = BTreeSet::new();
    let (mut transaction, changes) = loop {
        let mut transaction = connection.begin().await?;
        answer_keys::lock(&mut transaction, &tenants, &changing).await?;
        let changes = answer_keys::find_changes(&mut transaction, &keyed).await?;
        let found = changes.tenants();
        if found.is_subset(&changing) {
            break (transaction, changes);
        }
        // A shared lock is never upgraded: two writers doing so would wait for each other.
        transaction.rollback().await?;
        changing.extend(found);
    };
    let stored = execute(&mut transaction, columns, advance).await?;
    changes.bump_sessions(&mut transaction).await?;
    transaction.commit().await?;
    Ok(stored)
}

async fn execute(
    connection: &mut PgConnection,
    columns: &Columns<'_>,
    advance: Option<&Advance<'_>>,
) -> Result<New, sqlx::Error> {
    let rows = columns
        .bind(sqlx::query(columns.size().sql()), KEY_LOCK, advance)
        .fetch_all(connection)
        .await?;
    if rows.is_empty() {
        return Ok(New::All);
    }
    let mut new = HashSet::with_capacity(rows.len());
    for row in &rows {
        let table = match row.try_get::<&str, _>(3)? {
            "answer" => Table::Answers,
            "publication" => Table::Publications,
            "session" => Table::SessionEvents,
            _ => continue,
        };
        new.insert((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, table));
    }
    Ok(New::Only(new))
}
