//! How far a group is behind.

use std::time::{SystemTime, UNIX_EPOCH};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;

use super::read::Range;
use super::{InspectError, Inspector, Session, Watermarks, certain};

/// How far a group is behind in one partition.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionLag {
    /// The partition.
    pub partition: i32,
    /// The offset that the group reads next; `None` when it has never committed one.
    pub committed: Option<i64>,
    /// Offset of the oldest record that is kept.
    pub low: i64,
    /// Offset that the next record gets.
    pub high: i64,
    /// Records that the group has not finished, from its commit or else from the oldest.
    pub lag: i64,
    /// Timestamp of the first of them, in milliseconds since 1970.
    pub oldest_unread_ms: Option<i64>,
    /// Age of the first of them in seconds; 0 when there is none.
    pub lag_seconds: f64,
}

impl Inspector {
    /// How far a group is behind in every partition of a topic.
    ///
    /// # Errors
    /// [`InspectError`] when the topic is unknown or the cluster does not answer.
    pub async fn lag(&self, group: &str, topic: &str) -> Result<Vec<PartitionLag>, InspectError> {
        let topic = topic.to_owned();
        self.blocking_as(group, move |session| session.lag(&topic))
            .await
    }
}

impl Session {
    fn lag(&self, topic: &str) -> Result<Vec<PartitionLag>, InspectError> {
        let watermarks = self.watermarks(topic)?;
        let mut wanted = TopicPartitionList::new();
        for watermark in &watermarks {
            wanted.add_partition(topic, watermark.partition);
        }
        let committed = self.client.committed_offsets(wanted, self.timeout)?;
        let mut lags: Vec<PartitionLag> = watermarks
            .into_iter()
            .map(|watermark| {
                let found = committed.find_partition(topic, watermark.partition);
                lag(watermark, found.and_then(|found| certain(found.offset())))
            })
            .collect();
        self.date(topic, &mut lags)?;
        Ok(lags)
    }

    /// Looks up how old the first unread record of each partition is.
    fn date(&self, topic: &str, lags: &mut [PartitionLag]) -> Result<(), InspectError> {
        let behind = lags.iter().filter(|lag| lag.lag > 0);
        let ranges: Vec<Range> = behind
            .map(|lag| Range {
                partition: lag.partition,
                from: lag.high - lag.lag,
                to: lag.high,
            })
            .collect();
        let now_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| {
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            });
        for first in self.first_of_each(topic, &ranges)? {
            let Some(lag) = lags.iter_mut().find(|lag| lag.partition == first.partition) else {
                continue;
            };
            if let Some(timestamp_ms) = first.record.timestamp_ms {
                lag.oldest_unread_ms = Some(timestamp_ms);
                lag.lag_seconds = (now_ms - timestamp_ms).max(0) as f64 / 1000.0;
            }
        }
        Ok(())
    }
}

fn lag(watermark: Watermarks, committed: Option<i64>) -> PartitionLag {
    let Watermarks {
        partition,
        low,
        high,
    } = watermark;
    // What retention has removed can't be read any more, so it is no lag.
    let next = committed.unwrap_or(low).clamp(low, high);
    PartitionLag {
        partition,
        committed,
        low,
        high,
        lag: high - next,
        oldest_unread_ms: None,
        lag_seconds: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(low: i64, high: i64, committed: Option<i64>) -> i64 {
        let watermark = Watermarks {
            partition: 0,
            low,
            high,
        };
        lag(watermark, committed).lag
    }

    #[test]
    fn lag_counts_only_records_that_can_still_be_read() {
        assert_eq!(of(10, 30, Some(25)), 5);
        assert_eq!(of(10, 30, None), 20);
        assert_eq!(of(10, 30, Some(3)), 20, "retention took the others");
        assert_eq!(of(10, 30, Some(90)), 0, "the topic was made anew");
    }
}
