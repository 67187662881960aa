//! The definition evaluated again, beside what is stored.

use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, PgExecutor};
use uuid::Uuid;

use super::SessionKey;

/// Sessions, and what is stored of sessions that are not there, in the order of their keys.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    pub(super) after: SessionKey,
    last_tenant: i32,
}

impl Scope {
    /// Those of one tenant, or of all.
    pub fn new(tenant: Option<i32>) -> Self {
        match tenant {
            None => Self {
                after: (i32::MIN, Uuid::nil()),
                last_tenant: i32::MAX,
            },
            Some(tenant) => Self {
                after: (tenant - 1, Uuid::max()),
                last_tenant: tenant,
            },
        }
    }

    /// What comes behind a session.
    #[must_use]
    pub fn after(self, session: SessionKey) -> Self {
        Self {
            after: session,
            ..self
        }
    }
}

/// A session as the refresher sees it.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub struct SessionState {
    tenant_id: i32,
    session_id: Uuid,
    /// The version of its facts; `None` for a session that does not exist.
    pub facts_version: Option<i64>,
    /// The version that its stored figures belong to; `None` if there are none.
    pub of_version: Option<i64>,
    /// Whether it is marked as behind.
    pub is_marked: bool,
}

impl SessionState {
    /// The session.
    pub fn key(&self) -> SessionKey {
        (self.tenant_id, self.session_id)
    }

    /// Whether its facts are ahead of its stored figures, and known to be.
    pub fn is_behind(&self) -> bool {
        self.is_marked && (self.facts_version.is_none() || self.of_version != self.facts_version)
    }
}

/// A row that is stored and is not what the facts say.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Difference {
    /// The tenant.
    pub tenant_id: i32,
    /// The session.
    pub session_id: Uuid,
    /// What the row is about: `session`, `question` or `student`.
    pub entity: String,
    /// The question or the student.
    pub id: Option<Uuid>,
    /// The row as stored; `None` if it is missing.
    pub stored: Option<Value>,
    /// The row as it should be; `None` if it should not be there.
    pub recomputed: Option<Value>,
}

/// Lists the next sessions of a scope.
///
/// # Errors
/// If the database fails.
pub async fn list_sessions(
    db: impl PgExecutor<'_>,
    scope: Scope,
    sessions_max: usize,
) -> Result<Vec<SessionState>, sqlx::Error> {
    sqlx::query_as(include_str!("sessions.sql"))
        .bind(scope.after.0)
        .bind(scope.after.1)
        .bind(scope.last_tenant)
        .bind(i64::try_from(sessions_max).unwrap_or(i64::MAX))
        .fetch_all(db)
        .await
}

/// Looks at the next sessions of a scope and at every row that is stored of those that are not known to be behind, all in
/// one snapshot.
///
/// # Errors
/// If the database fails.
pub async fn audit_sessions(
    connection: &mut PgConnection,
    scope: Scope,
    sessions_max: usize,
) -> Result<(Vec<SessionState>, Vec<Difference>), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    // The plan is one for a few sessions by their keys, whatever the tables' statistics make of it.
    sqlx::raw_sql(
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
         SET LOCAL enable_seqscan = off;
         SET LOCAL jit = off",
    )
    .execute(&mut *transaction)
    .await?;
    let sessions = list_sessions(&mut *transaction, scope, sessions_max).await?;
    let (tenants, ids): (Vec<i32>, Vec<Uuid>) = sessions
        .iter()
        .filter(|session| !session.is_behind())
        .map(SessionState::key)
        .unzip();
    let differences = sqlx::query_as(include_str!("differences.sql"))
        .bind(tenants)
        .bind(ids)
        .fetch_all(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok((sessions, differences))
}
