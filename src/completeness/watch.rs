//! Looks every so often, in the background of the consumer, and shows what it finds as metrics.

use std::time::Duration;

use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::look::{Found, Look, LookError};
use crate::metrics;
use crate::store::progress::add_finished_offsets;

/// How many missing records the log names.
const NAMED_MAX: usize = 5;

/// The watch of this process.
#[derive(Debug)]
pub struct Watcher {
    stop: CancellationToken,
    task: JoinHandle<Option<()>>,
}

impl Watcher {
    /// Starts it; must run inside a runtime. Neither Kafka nor the database need be up.
    pub fn start(look: Look, db: PgPool, every: Duration) -> Self {
        let stop = CancellationToken::new();
        let work = Work {
            look,
            db,
            every,
            missing_before: 0,
            has_failed: false,
        };
        let task = tokio::spawn(stop.clone().run_until_cancelled_owned(work.run()));
        Self { stop, task }
    }

    /// Stops at once.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

struct Work {
    look: Look,
    db: PgPool,
    every: Duration,
    missing_before: i64,
    has_failed: bool,
}

impl Work {
    async fn run(mut self) {
        let mut interval = tokio::time::interval(self.every);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            match self.look.count(&self.db, 1, NAMED_MAX).await {
                Ok(found) => {
                    if std::mem::take(&mut self.has_failed) {
                        info!("records are counted again");
                    }
                    self.show(&found);
                    if let Err(error) = self.tidy(&found).await {
                        self.fail(&error.into());
                    }
                }
                Err(error) => self.fail(&error),
            }
        }
    }

    fn fail(&mut self, failure: &LookError) {
        if !std::mem::replace(&mut self.has_failed, true) {
            let cause: &dyn std::error::Error = failure;
            warn!(
                error = cause,
                "records cannot be counted; the completeness figures stand still until they can"
            );
        }
    }

    fn show(&mut self, found: &Found) {
        let total = found.total();
        metrics::records_counted(&total, found.expired());
        if let Some(minute) = found.last_whole_minute() {
            metrics::minute_counted(&minute.count);
        }
        for (&partition, state) in &found.partitions {
            let lag_seconds = found.lag_seconds.get(&partition).copied();
            let lag = state.high - state.committed.clamp(state.low, state.high);
            metrics::group_lag(partition, lag, lag_seconds.unwrap_or_default());
        }
        if total.missing > self.missing_before {
            for missing in &found.missing {
                error!(
                    kafka.partition = missing.partition,
                    kafka.offset = missing.offset,
                    event.id = missing.event_id.as_deref().unwrap_or("none"),
                    "a record is missing: the group has passed it, and it is neither stored nor a dead letter"
                );
            }
            error!(
                missing = total.missing,
                "records are missing; list them with: ctl completeness"
            );
        }
        self.missing_before = total.missing;
    }

    /// Dead letters are finished, too: with them the set has no gap, and they may leave their topic one day.
    async fn tidy(&self, found: &Found) -> Result<(), sqlx::Error> {
        for (&partition, state) in &found.partitions {
            let dead = state.dead.within(&(0..state.committed));
            let unnoted = dead.without(&state.stored);
            if !unnoted.is_empty() {
                let (group, topic) = (self.look.group(), self.look.topic());
                add_finished_offsets(&self.db, group, topic, partition, &unnoted).await?;
            }
        }
        Ok(())
    }
}
