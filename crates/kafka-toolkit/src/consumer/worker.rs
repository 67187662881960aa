//! One assigned partition: gathers the next batch while the current one is being handled.

use tokio_util::sync::CancellationToken;

use super::resolve::Resolver;
use super::source::{Gathering, Source};
use super::{Handler, RunError};

pub(super) struct Worker<H> {
    pub(super) source: Source,
    pub(super) resolver: Resolver<H>,
    /// No further batch is to be begun.
    pub(super) stop: CancellationToken,
    /// Even the batch under way is to be dropped.
    pub(super) abandon: CancellationToken,
}

impl<H: Handler> Worker<H> {
    /// Works until told to stop. What was gathered but not handled is left for whoever reads the partition next.
    pub(super) async fn run(self) -> Result<(), RunError> {
        let Self {
            source,
            mut resolver,
            stop,
            abandon,
        } = self;
        let mut next = Gathering::default();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = resolver.settle(), if resolver.has_letters() => continue,
                () = source.gather_until_due(&mut next) => {}
            }
            let current = source.batch(&mut next);
            let resolved = resolver.resolve(current);
            tokio::pin!(resolved);
            loop {
                let gather = !next.is_full(source.limits()) && !stop.is_cancelled();
                tokio::select! {
                    biased;
                    () = abandon.cancelled() => return Ok(()),
                    result = &mut resolved => {
                        result?;
                        break;
                    }
                    () = source.gather_until_full(&mut next), if gather => {}
                }
            }
        }
        // Whoever reads the partition next would give them up a second time.
        tokio::select! {
            biased;
            () = abandon.cancelled() => {}
            _ = resolver.settle() => {}
        }
        Ok(())
    }
}
