//! Whether what was put back comes back: the sign that what it failed for is not mended.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::time::Instant;

use crate::dead_letter::REDRIVES;
use crate::inspect::{InspectError, Inspector, Range};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Fewer are no sign.
const RETURNED_MIN: u64 = 20;
/// This part of what was put back is a sign.
const RETURNED_PART: u64 = 5;

/// Whether so many of those put back, as dead letters again, mean that putting back is of no use.
pub(super) fn too_many(returned: u64, redriven: u64) -> bool {
    returned >= RETURNED_MIN && returned.saturating_mul(RETURNED_PART) >= redriven
}

/// Counts records with a counter of redrives that have come to the dead-letter topic since a moment.
pub(super) struct Returned {
    topic: String,
    /// Up to where each partition has been looked at.
    looked_at: Vec<Range>,
    count: u64,
    last: Instant,
}

impl Returned {
    pub(super) async fn from_now(inspector: &Inspector, topic: &str) -> Result<Self, InspectError> {
        let watermarks = inspector.watermarks(topic).await?;
        let ends = watermarks.iter().map(|watermark| Range {
            partition: watermark.partition,
            from: watermark.high,
            to: i64::MAX,
        });
        Ok(Self {
            topic: topic.to_owned(),
            looked_at: ends.collect(),
            count: 0,
            last: Instant::now(),
        })
    }

    /// Looks if the last look is long enough ago.
    pub(super) async fn look_now_and_then(
        &mut self,
        inspector: &Inspector,
    ) -> Result<u64, InspectError> {
        if self.last.elapsed() < LOOK_EVERY {
            return Ok(self.count);
        }
        self.look(inspector).await
    }

    pub(super) async fn look(&mut self, inspector: &Inspector) -> Result<u64, InspectError> {
        let seen = (self.looked_at.clone(), self.count);
        let step = |seen: &mut (Vec<Range>, u64), located: crate::inspect::Located| {
            let (looked_at, count) = seen;
            *count += u64::from(located.record.headers.get(REDRIVES).is_some());
            for range in looked_at {
                if range.partition == located.partition {
                    range.from = located.record.offset + 1;
                }
            }
            ControlFlow::Continue(())
        };
        let looked = inspector
            .fold(&self.topic, &self.looked_at, seen, step)
            .await?;
        (self.looked_at, self.count) = looked;
        self.last = Instant::now();
        Ok(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_that_come_back_are_no_reason_to_end() {
        assert!(!too_many(19, 19));
        assert!(too_many(20, 100));
        assert!(!too_many(20, 101));
    }
}
