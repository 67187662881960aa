//! The way in: the stores first, and the spool for what neither takes.

use std::time::Duration;

use super::kafka::Values;
use super::stores::Stores;
use super::{Breaker, BreakerState, DirectPath, KafkaPath, Mode, Outcome, Refusal, SpoolPath};
use crate::event::Event;
use crate::metrics;
use crate::spool;

/// The way in for accepted events; cheap to clone.
#[derive(Debug, Clone)]
pub struct Ingest {
    stores: Stores,
    spool: Option<SpoolPath>,
    #[cfg(feature = "bench")]
    baseline: Option<std::sync::Arc<dyn Baseline>>,
}

/// What the benchmark puts in the place of all paths, to measure what they cost.
#[cfg(feature = "bench")]
pub trait Baseline: std::fmt::Debug + Send + Sync {
    /// Does with the events whatever the baseline does.
    fn write(
        &self,
        events: Vec<Event>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Vec<Outcome>> + Send + '_>>;
}

impl Ingest {
    /// Everything goes direct.
    pub fn direct(direct: DirectPath) -> Self {
        Self::into_stores(Stores::new(direct, None))
    }

    /// Everything goes by way of Kafka, and direct when Kafka does not acknowledge.
    pub fn kafka(kafka: KafkaPath, breaker: Breaker, direct: DirectPath) -> Self {
        Self::into_stores(Stores::new(direct, Some((kafka, breaker))))
    }

    fn into_stores(stores: Stores) -> Self {
        Self {
            stores,
            spool: None,
            #[cfg(feature = "bench")]
            baseline: None,
        }
    }

    /// What no store takes goes into a spool, which is drained in the background from now on.
    #[must_use]
    pub fn spooling(mut self, reader: spool::Reader) -> Self {
        metrics::ingest_started(&[Mode::Spool.name()], &[]);
        self.spool = Some(SpoolPath::start(reader, self.stores.clone()));
        self
    }

    /// Puts a baseline in the place of all paths.
    #[cfg(feature = "bench")]
    #[must_use]
    pub fn replaced_by(mut self, baseline: impl Baseline + 'static) -> Self {
        self.baseline = Some(std::sync::Arc::new(baseline));
        self
    }

    /// The path that events are meant to take.
    pub fn mode(&self) -> Mode {
        self.stores.mode()
    }

    /// The circuit breaker's state; `None` outside Kafka mode.
    pub fn breaker_state(&self) -> Option<BreakerState> {
        self.stores.breaker_state()
    }

    /// How the spool is; `None` without one.
    pub fn spool_status(&self) -> Option<spool::Status> {
        self.spool.as_ref().map(|path| path.spool().status())
    }

    /// Makes events that `user_id` posted durable; resolves when each is, or is refused. Outcomes come in the order
    /// of the events.
    pub async fn write(&self, events: Vec<Event>, user_id: i64) -> Vec<Outcome> {
        #[cfg(feature = "bench")]
        if let Some(baseline) = &self.baseline {
            return baseline.write(events).await;
        }
        let Some(path) = &self.spool else {
            return self.stores.write(events, Values::PostedBy(user_id)).await;
        };
        let copies = events.clone();
        let mut outcomes = self.stores.write(events, Values::PostedBy(user_id)).await;
        let is_unavailable =
            |outcome: &Outcome| matches!(outcome, Err(Refusal::Unavailable { .. }));
        if outcomes.iter().any(is_unavailable) {
            let refused: Vec<&Event> = copies
                .iter()
                .zip(&outcomes)
                .filter(|(_, outcome)| is_unavailable(outcome))
                .map(|(event, _)| event)
                .collect();
            if let Ok(accepted) = path.write(&refused, user_id).await {
                for outcome in outcomes
                    .iter_mut()
                    .filter(|outcome| is_unavailable(outcome))
                {
                    *outcome = Ok(accepted);
                }
            }
        }
        outcomes
    }

    /// Finishes what the stores' paths hold and refuses what comes after, and what is not finished at the deadline. What
    /// is in the spool stays there.
    pub async fn close(&self, deadline: Duration) {
        if let Some(path) = &self.spool {
            path.stop_draining().await;
        }
        self.stores.close(deadline).await;
        if let Some(path) = &self.spool {
            // Last, because it takes what the stores refuse now; in time, because its disk may hang.
            path.close(deadline).await;
        }
    }
}
