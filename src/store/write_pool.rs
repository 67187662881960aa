//! The connections that events are written on.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use tokio::time::timeout;

/// How many times as long as somebody waits for a connection it may take to be made.
pub(super) const OUTLASTS_WAIT: u32 = 3;

/// A pool whose connections are made to the end, also when those who asked for them have given up.
#[derive(Debug, Clone)]
pub(super) struct WritePool {
    pool: PgPool,
    /// Longest wait for a connection.
    wait: Duration,
}

impl WritePool {
    /// Of a pool that takes [`OUTLASTS_WAIT`] times as long to give up as its callers should.
    pub(super) fn new(pool: PgPool) -> Self {
        let wait = pool.options().get_acquire_timeout() / OUTLASTS_WAIT;
        Self { pool, wait }
    }

    /// A connection, as soon as there is one.
    ///
    /// One that is not made in time is made all the same, for whoever comes next. A server whose clients all come back at
    /// once while the database is away is so busy refusing them that a login, with its dozen turns, takes longer than one of
    /// them waits; if each login ended with its caller, none would ever come to its end (seen with 24 clients on a tenth of
    /// two cores: refused for as long as they came, with the database up).
    pub(super) async fn acquire(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        if let Some(idle) = self.pool.try_acquire() {
            return Ok(idle);
        }
        let pool = self.pool.clone();
        let acquiring = tokio::spawn(async move { pool.acquire().await });
        match timeout(self.wait, acquiring).await {
            Ok(acquired) => acquired.map_err(|_| sqlx::Error::WorkerCrashed)?,
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    /// Whatever made one connection silent has most likely done so to those that wait beside it, and each of them would
    /// cost a whole deadline to find out.
    pub(super) fn close_idle(&self) {
        while let Some(mut idle) = self.pool.try_acquire() {
            idle.close_on_drop();
        }
    }
}
