//! Marking sessions as behind on an operator's word.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Scope, SessionKey};
use crate::store::answer_keys;

/// Which sessions an operator means; every part that is given must hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice {
    /// Sessions of this tenant.
    pub tenant: Option<i32>,
    /// Sessions of this classroom.
    pub classroom: Option<Uuid>,
    /// Sessions of this quiz.
    pub quiz: Option<Uuid>,
    /// Sessions that started then or later; of one that never started, its first event counts.
    pub since: Option<OffsetDateTime>,
    /// Sessions that started before then.
    pub until: Option<OffsetDateTime>,
}

impl Choice {
    /// Whether it means everything of its tenants, what is left of lost sessions included.
    pub fn is_whole(&self) -> bool {
        self.classroom.is_none()
            && self.quiz.is_none()
            && self.since.is_none()
            && self.until.is_none()
    }
}

/// `chosen` over a table `s` with the columns of sessions, as `$1` to `$5`.
macro_rules! chosen {
    () => {
        "($1::int4 IS NULL OR s.tenant_id = $1) AND ($2::uuid IS NULL OR s.classroom_id = $2)
         AND ($3::uuid IS NULL OR s.quiz_id = $3)
         AND ($4::timestamptz IS NULL OR coalesce(s.started_at, s.named_at) >= $4)
         AND ($5::timestamptz IS NULL OR coalesce(s.started_at, s.named_at) < $5)"
    };
}

macro_rules! bound {
    ($query:expr, $choice:expr) => {
        $query
            .bind($choice.tenant)
            .bind($choice.classroom)
            .bind($choice.quiz)
            .bind($choice.since)
            .bind($choice.until)
    };
}

/// Counts the sessions that are meant.
///
/// # Errors
/// If the database fails.
pub async fn count_sessions(db: impl PgExecutor<'_>, choice: &Choice) -> Result<i64, sqlx::Error> {
    let query = concat!("SELECT count(*) FROM sessions s WHERE ", chosen!());
    bound!(sqlx::query_scalar(query), choice)
        .fetch_one(db)
        .await
}

/// Lists the next sessions that are meant, in the order of their keys.
///
/// # Errors
/// If the database fails.
pub async fn list_chosen(
    db: impl PgExecutor<'_>,
    choice: &Choice,
    scope: Scope,
    sessions_max: usize,
) -> Result<Vec<SessionKey>, sqlx::Error> {
    let query = concat!(
        "SELECT s.tenant_id, s.session_id FROM sessions s WHERE ",
        chosen!(),
        " AND (s.tenant_id, s.session_id) > ($6, $7) ORDER BY s.tenant_id, s.session_id LIMIT $8"
    );
    bound!(sqlx::query_as(query), choice)
        .bind(scope.after.0)
        .bind(scope.after.1)
        .bind(i64::try_from(sessions_max).unwrap_or(i64::MAX))
        .fetch_all(db)
        .await
}

/// Lists sessions that are meant and have been behind since before an instant, those that have been for longest first;
/// not those that are named.
///
/// # Errors
/// If the database fails.
pub async fn list_pending(
    db: impl PgExecutor<'_>,
    choice: &Choice,
    since_before: OffsetDateTime,
    without: &[SessionKey],
    sessions_max: usize,
) -> Result<Vec<SessionKey>, sqlx::Error> {
    let query = concat!(
        "SELECT z.tenant_id, z.session_id
         FROM stale_sessions z
         LEFT JOIN sessions s USING (tenant_id, session_id)
         WHERE z.since < $6 AND ($7 AND ($1::int4 IS NULL OR z.tenant_id = $1) OR ",
        chosen!(),
        ") AND (z.tenant_id, z.session_id) NOT IN (SELECT * FROM unnest($8::int4[], $9::uuid[]))
         ORDER BY z.since LIMIT $10"
    );
    let (tenants, ids): (Vec<i32>, Vec<Uuid>) = without.iter().copied().unzip();
    bound!(sqlx::query_as(query), choice)
        .bind(since_before)
        .bind(choice.is_whole())
        .bind(tenants)
        .bind(ids)
        .bind(i64::try_from(sessions_max).unwrap_or(i64::MAX))
        .fetch_all(db)
        .await
}

/// Marks sessions as behind, also those that do not exist and of which something is stored; in the order of their keys.
///
/// # Errors
/// If the database fails; nothing is changed then.
pub async fn outdate(
    connection: &mut PgConnection,
    sessions: &[SessionKey],
) -> Result<(), sqlx::Error> {
    let (tenants, ids): (Vec<i32>, Vec<Uuid>) = sessions.iter().copied().unzip();
    let mut transaction = connection.begin().await?;
    // As every writer does before it locks a session: a change of keys locks them in an order of its own.
    let distinct = tenants.iter().copied().collect();
    answer_keys::lock(&mut transaction, &distinct, &Default::default()).await?;
    sqlx::query("SELECT outdate_sessions($1, $2)")
        .bind(&tenants)
        .bind(&ids)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "INSERT INTO stale_sessions (tenant_id, session_id, facts_version)
         SELECT lost.tenant_id, lost.session_id, 0
         FROM unnest($1::int4[], $2::uuid[]) AS lost (tenant_id, session_id)
         WHERE NOT EXISTS (SELECT FROM sessions s
                           WHERE (s.tenant_id, s.session_id) = (lost.tenant_id, lost.session_id))
         ORDER BY lost.tenant_id, lost.session_id
         ON CONFLICT DO NOTHING",
    )
    .bind(&tenants)
    .bind(&ids)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}
