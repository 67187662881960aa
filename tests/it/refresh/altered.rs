//! `refresh_sessions` with a few lines changed: pauses where another process may come between, and faults.

use sqlx::PgPool;

use crate::harness::{PATIENCE, TestDb, eventually};

/// A pause before the figures are computed: the session is locked by then.
pub(crate) const BEFORE_STORING: &str = "WITH marks AS";

/// A pause after the figures are stored and before the marks are taken away.
pub(crate) const BEFORE_CLEARING: &str = "WITH held AS";

const GATE: i64 = 4_711;

/// Replaces a part of the function.
pub(crate) async fn alter(db: &TestDb, part: &str, by: &str) {
    let text: String = sqlx::query_scalar("SELECT pg_get_functiondef('refresh_sessions'::regproc)")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    assert_eq!(text.matches(part).count(), 1, "{part} in {text}");
    db.execute(&text.replace(part, by)).await;
}

/// A place in the function where it waits until it is let through.
pub(crate) struct Gate {
    pool: PgPool,
    holder: sqlx::pool::PoolConnection<sqlx::Postgres>,
}

impl Gate {
    /// Closed, before a part of the function.
    pub(crate) async fn before(db: &TestDb, part: &str) -> Self {
        let waiting = format!("PERFORM pg_advisory_xact_lock_shared({GATE}); {part}");
        alter(db, part, &waiting).await;
        let mut holder = db.pool.acquire().await.unwrap();
        sqlx::query("SELECT pg_advisory_lock($1)")
            .bind(GATE)
            .execute(&mut *holder)
            .await
            .unwrap();
        Self {
            pool: db.pool.clone(),
            holder,
        }
    }

    /// The backend that waits here, once there is one.
    pub(crate) async fn reached(&self) -> i32 {
        let mut pid = None;
        eventually("a refresh is at the gate", PATIENCE, async || {
            pid = sqlx::query_scalar::<_, i32>(
                "SELECT pid FROM pg_locks
                 WHERE locktype = 'advisory' AND NOT granted AND objid = $1::bigint::oid
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            )
            .bind(GATE)
            .fetch_optional(&self.pool)
            .await
            .unwrap();
            pid.is_some()
        })
        .await;
        pid.unwrap()
    }

    /// Lets everybody through, from now on.
    pub(crate) async fn open(mut self) {
        sqlx::query("SELECT pg_advisory_unlock($1)")
            .bind(GATE)
            .execute(&mut *self.holder)
            .await
            .unwrap();
    }
}
