//! The stored figures of the sessions: which are behind, and bringing them up to their facts.
//!
//! `migrations/0003_session_figures.sql` defines the figures and says when the stored ones are valid,
//! `0004_refresh.sql` how they are kept up. Figures are exact for whoever reads them, refreshed or not: this only makes
//! reading cheap.

mod audit;
mod outdate;
mod statistics;

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

pub use self::audit::{Difference, Scope, SessionState, audit_sessions, list_sessions};
pub use self::outdate::{Choice, count_sessions, list_chosen, list_pending, outdate};
pub use self::statistics::ensure_statistics;
use super::WRITER;
use super::failure::{Failure, classify};

/// Most sessions in one transaction: large enough to spread its fixed cost, small enough to end soon.
pub const GROUP_SESSIONS_MAX: usize = 50;

/// A session, with its tenant's number.
pub type SessionKey = (i32, Uuid);

/// Brings up to so many stale sessions up to their facts now, those that have been stale for longest first, and returns
/// how many that were. Sessions that another refresher is at are left to it.
///
/// # Errors
/// If the database fails; what was brought up until then stays so.
pub async fn refresh_stale(db: &PgPool, sessions_max: usize) -> Result<usize, sqlx::Error> {
    let sessions: Vec<SessionKey> =
        sqlx::query_as("SELECT tenant_id, session_id FROM stale_sessions ORDER BY since LIMIT $1")
            .bind(i64::try_from(sessions_max).unwrap_or(i64::MAX))
            .fetch_all(db)
            .await?;
    let mut refreshed = 0;
    for group in sessions.chunks(GROUP_SESSIONS_MAX) {
        refreshed += refresh_group(db, group).await?;
    }
    Ok(refreshed)
}

/// Brings those of the named sessions up to their facts that are stale and that no other refresher is at, in one
/// transaction, and returns how many that were.
///
/// # Errors
/// If the database fails; nothing is changed then.
pub async fn refresh_group(
    db: impl PgExecutor<'_>,
    sessions: &[SessionKey],
) -> Result<usize, sqlx::Error> {
    let (tenants, ids): (Vec<i32>, Vec<Uuid>) = sessions.iter().copied().unzip();
    let refreshed: i32 = sqlx::query_scalar("SELECT refresh_sessions($1, $2)")
        .bind(tenants)
        .bind(ids)
        .fetch_one(db)
        .await?;
    Ok(usize::try_from(refreshed).unwrap_or_default())
}

/// Brings a group up to its facts, each session on its own if they fail together, and returns how many that were and those
/// whose figures cannot be computed.
///
/// # Errors
/// If the database fails.
pub async fn refresh_apart(
    connection: &mut PgConnection,
    sessions: &[SessionKey],
) -> Result<(usize, Vec<(SessionKey, sqlx::Error)>), sqlx::Error> {
    match refresh_group(&mut *connection, sessions).await {
        Ok(refreshed) => return Ok((refreshed, Vec::new())),
        Err(error) if is_own_fault(&error) => {}
        Err(error) => return Err(error),
    }
    let (mut refreshed, mut failed) = (0, Vec::new());
    for session in sessions {
        match refresh_group(&mut *connection, &[*session]).await {
            Ok(one) => refreshed += one,
            Err(error) if is_own_fault(&error) => failed.push((*session, error)),
            Err(error) => return Err(error),
        }
    }
    Ok((refreshed, failed))
}

/// Which sessions are due for a refresh.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    /// No fact came for so long; `None` leaves this rule out.
    pub quiet: Option<Duration>,
    /// Behind for so long, facts or not.
    pub stale: Duration,
}

/// Lists sessions that are due, those that have been behind for longest first; not those that are named.
///
/// # Errors
/// If the database fails.
pub async fn list_due(
    db: &PgPool,
    due: Due,
    without: &[SessionKey],
    sessions_max: usize,
) -> Result<Vec<SessionKey>, sqlx::Error> {
    let (tenants, ids): (Vec<i32>, Vec<Uuid>) = without.iter().copied().unzip();
    sqlx::query_as(
        "SELECT tenant_id, session_id
         FROM stale_sessions
         WHERE (since <= now() - make_interval(secs => $1) OR touched_at <= now() - make_interval(secs => $2))
           AND (tenant_id, session_id) NOT IN (SELECT * FROM unnest($3::int4[], $4::uuid[]))
         ORDER BY since
         LIMIT $5",
    )
    .bind(due.stale.as_secs_f64())
    .bind(due.quiet.map(|quiet| quiet.as_secs_f64()))
    .bind(tenants)
    .bind(ids)
    .bind(i64::try_from(sessions_max).unwrap_or(i64::MAX))
    .fetch_all(db)
    .await
}

/// How far the stored figures are behind.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub struct Backlog {
    /// Sessions with facts that their stored figures do not have.
    pub sessions: i64,
    /// How long the one has been behind that has been for longest, in seconds; 0 without one.
    pub oldest_seconds: f64,
    /// Whether a writer is at work at this moment, in whatever process.
    pub is_writing: bool,
}

/// Looks how far the stored figures are behind, and whether events are being written.
///
/// # Errors
/// If the database fails.
pub async fn get_backlog(db: &PgPool) -> Result<Backlog, sqlx::Error> {
    sqlx::query_as(
        "SELECT count(*) AS sessions,
                coalesce(greatest(extract(epoch FROM now() - min(since)), 0), 0)::float8 AS oldest_seconds,
                EXISTS (SELECT FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name = $1 AND state = 'active')
                    AS is_writing
         FROM stale_sessions",
    )
    .bind(WRITER)
    .fetch_one(db)
    .await
}

/// Whether a failed refresh is the fault of one of its sessions, such as a sum past all bounds or figures that take too
/// long, so that the others may do without it.
fn is_own_fault(error: &sqlx::Error) -> bool {
    // 57014: the statement took too long.
    matches!(classify(error), Failure::Refused(_))
        || error
            .as_database_error()
            .and_then(|error| error.code())
            .is_some_and(|code| code == "57014")
}
