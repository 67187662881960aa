//! The spool's path: events that no store takes are kept on the local disk, and go to the first store that is back.
//!
//! What is kept of an event is the value that its record on the topic would have, so that nothing of it depends on how
//! it went in.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::drain::Drain;
use super::stores::Stores;
use super::{Accepted, Mode};
use crate::event::{Event, envelope};
use crate::spool::{Reader, Refused, Spool};

/// Keeps events until a store is back; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct SpoolPath {
    spool: Spool,
    stop: CancellationToken,
    drain: TaskTracker,
}

impl SpoolPath {
    /// Begins to drain what the last run has left.
    pub(super) fn start(reader: Reader, stores: Stores) -> Self {
        let path = Self {
            spool: reader.spool().clone(),
            stop: CancellationToken::new(),
            drain: TaskTracker::new(),
        };
        let stop = path.stop.clone();
        let drain = Drain::new(reader, stores);
        path.drain.spawn(async move {
            // What is dropped half-way is delivered again in the next run, which changes nothing.
            stop.run_until_cancelled(drain.run()).await;
        });
        path
    }

    pub(super) fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Keeps events that `user_id` posted; all of them or none.
    pub(super) async fn write(&self, events: &[&Event], user_id: i64) -> Result<Accepted, Refused> {
        // A full spool should not cost the work of writing records for it.
        if !self.spool.status().has_room {
            return Err(Refused);
        }
        let values = events
            .iter()
            .map(|event| envelope::encode(event, user_id))
            .collect();
        self.spool.append(values).await?;
        Ok(Accepted {
            mode: Mode::Spool,
            duplicate: false,
        })
    }

    pub(super) async fn stop_draining(&self) {
        self.stop.cancel();
        self.drain.close();
        self.drain.wait().await;
    }

    pub(super) async fn close(&self, deadline: Duration) {
        if timeout(deadline, self.spool.close()).await.is_err() {
            warn!(
                "the disk of the spool hangs; what was not acknowledged was not reported as accepted"
            );
        }
        let left = self.spool.status();
        if left.records > 0 {
            info!(
                events = left.records,
                bytes = left.bytes,
                spool = %self.spool.path().display(),
                "acknowledged events stay in the spool, on the disk; the next server with this SPOOL_DIR delivers them"
            );
        }
    }
}
