//! Keeps the stored figures of sessions up with their facts, in the background.
//!
//! Only the pace is decided here: which sessions when, and to stay out of the writers' way. Reports are exact without it,
//! and any number of processes may run it; `store::figures` and its SQL say why.
//!
//! A session is refreshed once nothing has come for it for a while: the figures of one that gets events all along would
//! be behind again at once. So that none stays behind for ever, it is refreshed after a longer while all the same. While
//! any process writes events, only these late ones are, with a pause after each group as long as the group took: a backlog
//! of events is stored at nearly full speed, and its sessions are caught up with afterwards.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::{DatabaseConfig, RefreshConfig};
use crate::metrics;
use crate::store::figures::{self, Backlog, Due, GROUP_SESSIONS_MAX, SessionKey, refresh_apart};
use crate::store::{self, Purpose};

/// Pause between two looks while nothing is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Most sessions that one look lists: what is due should not be listed anew for each group.
const SESSIONS_LISTED_MAX: usize = 500;

/// Time of one transaction to aim at: the more facts the sessions have, the fewer go into one.
const GROUP_TIME: Duration = Duration::from_millis(200);

/// Longest pause between two tries while the database is away.
const LONGEST_BACKOFF: Duration = Duration::from_secs(15);

/// Time after which a look has lost its connection: one that has died without a word would keep it waiting for ever.
const LOOK_DEADLINE: Duration = Duration::from_secs(60);

/// How long a session is left alone whose figures could not be computed.
const POSTPONE_FOR: Duration = Duration::from_secs(300);

/// Most sessions that are left alone at one time; past it, the others wait behind those that fail.
const POSTPONED_MAX: usize = 1_000;

/// The refresher of this process.
#[derive(Debug)]
pub struct Refresher {
    stop: CancellationToken,
    task: JoinHandle<Option<()>>,
}

impl Refresher {
    /// Starts it with a connection of its own; must run inside a runtime. The database need not be up. `None` if it is
    /// switched off.
    ///
    /// # Errors
    /// If the connection URL cannot be read.
    pub fn start(
        database: &DatabaseConfig,
        config: RefreshConfig,
    ) -> Result<Option<Self>, sqlx::Error> {
        if !config.refresh_enabled {
            return Ok(None);
        }
        let stop = CancellationToken::new();
        let work = Work {
            db: store::connect_lazy(database, Purpose::Refresh)?,
            quiet: Duration::from_millis(config.refresh_quiet_ms),
            stale_max: Duration::from_millis(config.refresh_stale_max_ms),
            group_sessions: 1,
            postponed: HashMap::new(),
            has_statistics: false,
        };
        let task = tokio::spawn(stop.clone().run_until_cancelled_owned(work.run()));
        Ok(Some(Self { stop, task }))
    }

    /// Stops at once: what is under way is one transaction, which counts as a whole or not at all.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

struct Work {
    db: PgPool,
    quiet: Duration,
    stale_max: Duration,
    /// Sessions in the next transaction.
    group_sessions: usize,
    /// Sessions whose figures could not be computed, and until when they are left alone.
    postponed: HashMap<SessionKey, Instant>,
    /// Whether the planner knows all tables, from then on for good.
    has_statistics: bool,
}

impl Work {
    async fn run(mut self) {
        metrics::refresher_started();
        let mut backoff = None;
        loop {
            let looked = timeout(LOOK_DEADLINE, self.look()).await;
            let silent = |_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()));
            let pause = match looked.unwrap_or_else(silent) {
                Ok(pause) => {
                    if backoff.take().is_some() {
                        info!("stored figures are refreshed again");
                    }
                    pause
                }
                Err(error) => {
                    let pause = match backoff {
                        None => {
                            let cause: &dyn std::error::Error = &error;
                            warn!(
                                error = cause,
                                "stored figures are not refreshed until the database answers; reports stay exact"
                            );
                            LOOK_EVERY
                        }
                        Some(last) => LONGEST_BACKOFF.min(last * 2),
                    };
                    backoff = Some(pause);
                    pause
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Refreshes what is due, for about as long as a look stands, and returns how long to pause before the next one.
    async fn look(&mut self) -> Result<Duration, sqlx::Error> {
        if !self.has_statistics {
            let mut connection = self.db.acquire().await?;
            self.has_statistics = figures::ensure_statistics(&mut connection).await?;
        }
        let Backlog {
            sessions,
            oldest_seconds,
            is_writing,
        } = figures::get_backlog(&self.db).await?;
        metrics::figures_behind(sessions, oldest_seconds);
        let now = Instant::now();
        self.postponed.retain(|_, until| *until > now);
        let postponed: Vec<SessionKey> = self.postponed.keys().copied().collect();
        let due = Due {
            quiet: (!is_writing).then_some(self.quiet),
            stale: self.stale_max,
        };
        let sessions = figures::list_due(&self.db, due, &postponed, SESSIONS_LISTED_MAX).await?;
        let mut waiting = sessions.as_slice();
        while !waiting.is_empty() {
            if now.elapsed() > LOOK_EVERY {
                return Ok(Duration::ZERO);
            }
            let (group, rest) = waiting.split_at(self.group_sessions.min(waiting.len()));
            waiting = rest;
            let began = Instant::now();
            self.refresh(group).await?;
            let took = began.elapsed();
            self.group_sessions = if took > GROUP_TIME {
                (self.group_sessions / 2).max(1)
            } else {
                (self.group_sessions * 2).min(GROUP_SESSIONS_MAX)
            };
            if is_writing {
                tokio::time::sleep(took).await;
            }
        }
        let is_more_due = sessions.len() == SESSIONS_LISTED_MAX;
        Ok(if is_more_due {
            Duration::ZERO
        } else {
            LOOK_EVERY
        })
    }

    /// Refreshes a group; one whose figures cannot be computed does not keep the others back.
    async fn refresh(&mut self, group: &[SessionKey]) -> Result<(), sqlx::Error> {
        let began = Instant::now();
        let mut connection = self.db.acquire().await?;
        let (refreshed, failed) = refresh_apart(&mut connection, group).await?;
        metrics::figures_refreshed(refreshed, began.elapsed());
        for (session, error) in failed {
            self.postpone(session, &error);
        }
        Ok(())
    }

    fn postpone(&mut self, session: SessionKey, error: &sqlx::Error) {
        let cause: &dyn std::error::Error = error;
        warn!(
            error = cause,
            tenant = session.0,
            session.id = %session.1,
            "the figures of a session cannot be computed; trying again later"
        );
        metrics::figures_postponed();
        if self.postponed.len() < POSTPONED_MAX {
            self.postponed
                .insert(session, Instant::now() + POSTPONE_FOR);
        }
    }
}
