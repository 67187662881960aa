//! `ctl rebuild`: the stored figures of sessions anew from their facts.
//!
//! Marks sessions as behind and helps whoever refreshes, so that it ends without a server or a consumer as well. Facts that
//! came by plain SQL are taken in this way, too.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use sqlx::postgres::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::answer::Answer;
use super::database;
use super::progress::Progress;
use super::timestamp;
use crate::config::DatabaseConfig;
use crate::store::figures::{
    self, Choice, GROUP_SESSIONS_MAX, Scope, SessionKey, SessionState, refresh_apart,
};

/// Sessions that are marked in one transaction, whose events wait for its commit.
const SESSIONS_AT_ONCE: usize = 4 * GROUP_SESSIONS_MAX;

/// Pause where all that is left is being refreshed by others.
const PAUSE: Duration = Duration::from_millis(100);

/// Most failed sessions to name; all are counted.
const FAILED_NAMED_MAX: usize = 100;

/// Arguments of `ctl rebuild`.
#[derive(Debug, Args)]
pub struct RebuildArgs {
    /// Only sessions of this tenant.
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..))]
    pub tenant: Option<i32>,
    /// Only sessions of this classroom.
    #[arg(long, value_name = "CLASSROOM_ID")]
    pub classroom: Option<Uuid>,
    /// Only sessions of this quiz.
    #[arg(long, value_name = "QUIZ_ID")]
    pub quiz: Option<Uuid>,
    /// Only sessions that started at this time or later, RFC 3339; of one that never started, its first event counts.
    #[arg(long, value_name = "TIME", value_parser = timestamp::parse)]
    pub since: Option<OffsetDateTime>,
    /// Only sessions that started before this time, RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = timestamp::parse)]
    pub until: Option<OffsetDateTime>,
    /// PostgreSQL.
    #[command(flatten)]
    pub database: DatabaseConfig,
}

/// What was rebuilt.
#[derive(Debug, Serialize)]
pub(super) struct Rebuilt {
    /// Sessions whose stored figures are as their facts were, at some moment after the command began.
    sessions: usize,
    /// Sessions whose figures cannot be computed.
    failed: usize,
    /// Some of them, and why.
    failures: Vec<FailedSession>,
}

#[derive(Debug, Serialize)]
struct FailedSession {
    tenant_id: i32,
    session_id: Uuid,
    error: String,
}

/// Sessions whose figures cannot be computed, and why.
type Failed = BTreeMap<SessionKey, String>;

pub(super) async fn rebuild(args: RebuildArgs) -> anyhow::Result<Rebuilt> {
    let mut connection = database::connect(&args.database).await?;
    let choice = Choice {
        tenant: args.tenant,
        classroom: args.classroom,
        quiz: args.quiz,
        since: args.since,
        until: args.until,
    };
    rebuild_chosen(&mut connection, &choice)
        .await
        .map_err(database::explain)
}

async fn rebuild_chosen(
    connection: &mut PgConnection,
    choice: &Choice,
) -> Result<Rebuilt, sqlx::Error> {
    let total = figures::count_sessions(&mut *connection, choice).await?;
    let progress = Progress::new(total.try_into().unwrap_or_default(), "sessions");
    let mut failed = Failed::new();
    let mut marked = 0;
    let mut scope = Scope::new(choice.tenant);
    let mut has_statistics = false;
    loop {
        // What is stored grows while this goes on, if nothing was.
        has_statistics = has_statistics || figures::ensure_statistics(connection).await?;
        let sessions = list_next(connection, choice, scope).await?;
        let Some(last) = sessions.last() else { break };
        scope = scope.after(*last);
        figures::outdate(connection, &sessions).await?;
        refresh(connection, &sessions, &mut failed).await?;
        marked += sessions.len();
        progress.advance(sessions.len() as u64);
    }
    finish_pending(connection, choice, &mut failed).await?;
    progress.finish();
    Ok(Rebuilt {
        sessions: marked.saturating_sub(failed.len()),
        failed: failed.len(),
        failures: failed
            .into_iter()
            .take(FAILED_NAMED_MAX)
            .map(|((tenant_id, session_id), error)| FailedSession {
                tenant_id,
                session_id,
                error,
            })
            .collect(),
    })
}

async fn list_next(
    connection: &mut PgConnection,
    choice: &Choice,
    scope: Scope,
) -> Result<Vec<SessionKey>, sqlx::Error> {
    if choice.is_whole() {
        let sessions = figures::list_sessions(connection, scope, SESSIONS_AT_ONCE).await?;
        Ok(sessions.iter().map(SessionState::key).collect())
    } else {
        figures::list_chosen(connection, choice, scope, SESSIONS_AT_ONCE).await
    }
}

/// What others were at when it was this command's turn, or events came for in between, may be as it was before it was
/// marked: waits for it, and helps.
async fn finish_pending(
    connection: &mut PgConnection,
    choice: &Choice,
    failed: &mut Failed,
) -> Result<(), sqlx::Error> {
    let marked_at: OffsetDateTime = sqlx::query_scalar("SELECT clock_timestamp()")
        .fetch_one(&mut *connection)
        .await?;
    loop {
        let without: Vec<SessionKey> = failed.keys().copied().collect();
        let pending = figures::list_pending(
            &mut *connection,
            choice,
            marked_at,
            &without,
            SESSIONS_AT_ONCE,
        )
        .await?;
        if pending.is_empty() {
            return Ok(());
        }
        if refresh(connection, &pending, failed).await? == 0 {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Refreshes what nobody else is at, and returns how many sessions that were.
async fn refresh(
    connection: &mut PgConnection,
    sessions: &[SessionKey],
    failed: &mut Failed,
) -> Result<usize, sqlx::Error> {
    let mut refreshed = 0;
    for group in sessions.chunks(GROUP_SESSIONS_MAX) {
        let (of_group, failures) = refresh_apart(connection, group).await?;
        refreshed += of_group;
        failed.extend(
            failures
                .into_iter()
                .map(|(session, error)| (session, error.to_string())),
        );
    }
    Ok(refreshed)
}

impl Answer for Rebuilt {
    fn is_failure(&self) -> bool {
        self.failed > 0
    }
}

impl fmt::Display for Rebuilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for FailedSession {
            tenant_id,
            session_id,
            error,
        } in &self.failures
        {
            writeln!(f, "tenant {tenant_id}, session {session_id}: {error}")?;
        }
        write!(f, "rebuilt the figures of {} sessions", self.sessions)?;
        if self.failed > 0 {
            write!(f, "; those of {} cannot be computed", self.failed)?;
        }
        Ok(())
    }
}
