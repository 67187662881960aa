//! The stored figures of the sessions: which are behind, and bringing them up to their facts.
//!
//! `migrations/0003_session_figures.sql` defines the figures and says when the stored ones are valid,
//! `0004_refresh.sql` how they are kept up. Figures are exact for whoever reads them, refreshed or not: this only makes
//! reading cheap.

use sqlx::postgres::PgPool;
use uuid::Uuid;

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
pub async fn refresh_group(db: &PgPool, sessions: &[SessionKey]) -> Result<usize, sqlx::Error> {
    let (tenants, ids): (Vec<i32>, Vec<Uuid>) = sessions.iter().copied().unzip();
    let refreshed: i32 = sqlx::query_scalar("SELECT refresh_sessions($1, $2)")
        .bind(tenants)
        .bind(ids)
        .fetch_one(db)
        .await?;
    Ok(usize::try_from(refreshed).unwrap_or_default())
}
