//! The contract between the consumer and the code that does something with the records.

use std::future::Future;

use crate::outcome::Outcome;
use crate::record::Batch;

/// Does the work for the records of one partition.
pub trait Handler: Send + Sync + 'static {
    /// Handles a batch and answers with one outcome per record, in the same order.
    ///
    /// It may be given a record again: after a failure that is worth a retry, after a rebalance and after a crash.
    /// The future is dropped when the partition is taken away and the drain deadline has passed.
    fn handle(&self, batch: &Batch) -> impl Future<Output = Vec<Outcome>> + Send;
}

impl<H: Handler> Handler for std::sync::Arc<H> {
    fn handle(&self, batch: &Batch) -> impl Future<Output = Vec<Outcome>> + Send {
        H::handle(self, batch)
    }
}
