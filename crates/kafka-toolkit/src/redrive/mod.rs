//! Putting dead letters back into the topics that they came from.
//!
//! Owns the order of the steps (a record is put back, the brokers confirm it, then it is noted as put back), what earlier
//! calls have done, the rate, and the end when records come back as dead letters. Which dead letters are meant is the
//! caller's decision.
//!
//! What has been put back is kept in the commits of a group of its own: the committed offset is the first dead letter that
//! has not been put back, and the commit's text holds those behind it that have. So letters can be chosen by any
//! condition, what is left out waits for a later call, and a call that was killed is gone on with. Letters that were
//! confirmed after the last commit, at most one batch, are put back twice then: handlers tolerate that anyway.

mod ledger;
mod offset_set;
mod returned;

pub use ledger::Redriven;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::dead_letter::DeadLetter;
use crate::inspect::{InspectError, Inspector, Located, Range};
use crate::producer::{Producer, SendError};
use ledger::Ledger;
use returned::Returned;

/// Most dead letters between two commits.
const BATCH: usize = 128;
/// How often one record is sent before the brokers count as away.
const TRIES_MAX: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Puts dead letters back; see the [module](self).
#[derive(Debug, Clone)]
pub struct Redriver {
    inspector: Inspector,
    producer: Producer,
    topic: String,
    group: String,
}

/// What a call has done.
#[derive(Debug, Default)]
pub struct Redrove {
    /// Records in their topics again, confirmed by the brokers and noted.
    pub redriven: u64,
    /// Dead letters that an earlier call had put back.
    pub already: u64,
    /// Dead letters that were not meant.
    pub left_out: u64,
    /// Records that are no dead letters, or came from the dead-letter topic itself.
    pub unreadable: u64,
    /// Dead letters that the brokers refused for what they are, and the last reason.
    pub refused: u64,
    /// Why.
    pub refusal: Option<SendError>,
    /// Records that were put back, by this call or another, and are dead letters again since this one began.
    pub returned: u64,
    /// Why it ended before everything that was meant was put back.
    pub obstacle: Option<Obstacle>,
}

/// Why putting back ended early. Everything that was noted stays so; another call goes on behind it.
#[derive(Debug, thiserror::Error)]
pub enum Obstacle {
    /// The caller wanted it.
    #[error("it was told to stop")]
    Stopped,
    /// What is put back becomes a dead letter again.
    #[error("{returned} records are dead letters again: what they failed for is not mended")]
    Returning {
        /// How many.
        returned: u64,
    },
    /// Another call works with the same group.
    #[error("somebody else puts dead letters back at the same time")]
    Concurrent,
    /// What is done and what is left out alternate too often for a commit to hold.
    #[error(
        "too many were left out one by one behind {partition}/{position} to note them all; put back more of the older \
         ones first"
    )]
    TooScattered {
        /// Partition of the dead-letter topic.
        partition: i32,
        /// The first offset that was left out.
        position: i64,
    },
    /// The brokers did not take the records.
    #[error("the brokers did not take a record: {0}")]
    NotTaken(SendError),
    /// The cluster could not be read, or did not note what was done.
    #[error(transparent)]
    Cluster(#[from] InspectError),
}

/// A dead letter on its way.
struct Chosen {
    partition: i32,
    offset: i64,
    letter: DeadLetter,
}

impl Redriver {
    /// Puts dead letters of this topic back through `producer`, and notes it in the commits of `group`.
    #[must_use]
    pub fn new(
        inspector: Inspector,
        producer: Producer,
        topic: impl Into<String>,
        group: impl Into<String>,
    ) -> Self {
        Self {
            inspector,
            producer,
            topic: topic.into(),
            group: group.into(),
        }
    }

    /// Puts back what is in these ranges, has not been put back before, and is wanted, at most so many a second.
    ///
    /// The ranges have to end where the topic ends now at the latest, so that what comes back is not put back again.
    /// `looked_at` is told how many dead letters more have been seen to. A token that is cancelled ends it behind the
    /// batch under way.
    ///
    /// # Errors
    /// [`InspectError`] if it could not even begin; later trouble is [told](Redrove::obstacle) beside what was done.
    pub async fn run(
        &self,
        ranges: &[Range],
        per_second: f64,
        wanted: impl FnMut(&Located) -> bool + Send,
        looked_at: impl Fn(u64) + Send,
        stop: &CancellationToken,
    ) -> Result<Redrove, InspectError> {
        let mut ledger = Ledger::open(&self.inspector, &self.group, &self.topic)?;
        let done = ledger.read(&self.inspector).await?;
        let mut call = Call {
            redriver: self,
            ledger,
            done,
            returned: Returned::from_now(&self.inspector, &self.topic).await?,
            // Half a second's worth at a time keeps the rate even.
            batch: ((per_second / 2.0) as usize).clamp(1, BATCH),
            per_second,
            outcome: Redrove::default(),
        };
        let letters = self.inspector.stream(&self.topic, ranges, BATCH);
        if let Err(obstacle) = call.work(letters, wanted, looked_at, stop).await {
            call.outcome.obstacle = Some(obstacle);
        }
        if let Ok(returned) = call.returned.look(&self.inspector).await {
            call.outcome.returned = returned;
        }
        Ok(call.outcome)
    }
}

/// What has been put back of a dead-letter topic, as the group's commits say.
///
/// # Errors
/// [`InspectError`] when the topic is unknown or the cluster does not answer.
pub async fn redriven(
    inspector: &Inspector,
    topic: &str,
    group: &str,
) -> Result<Redriven, InspectError> {
    let mut ledger = Ledger::open(inspector, group, topic)?;
    ledger.read(inspector).await
}

/// One call at work.
struct Call<'a> {
    redriver: &'a Redriver,
    ledger: Ledger,
    done: Redriven,
    returned: Returned,
    batch: usize,
    per_second: f64,
    outcome: Redrove,
}

impl Call<'_> {
    async fn work(
        &mut self,
        mut letters: Receiver<Result<Located, InspectError>>,
        mut wanted: impl FnMut(&Located) -> bool,
        looked_at: impl Fn(u64),
        stop: &CancellationToken,
    ) -> Result<(), Obstacle> {
        let began = Instant::now();
        loop {
            let mut read = Vec::with_capacity(self.batch);
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Obstacle::Stopped),
                count = letters.recv_many(&mut read, self.batch) => {
                    if count == 0 {
                        return Ok(());
                    }
                }
            }
            let seen = read.len() as u64;
            let mut chosen = Vec::with_capacity(read.len());
            for located in read {
                chosen.extend(self.choose(&located?, &mut wanted));
            }
            self.put_back(chosen, stop).await?;
            looked_at(seen);
            self.outcome.returned = self
                .returned
                .look_now_and_then(&self.redriver.inspector)
                .await?;
            if returned::too_many(self.outcome.returned, self.outcome.redriven) {
                return Err(Obstacle::Returning {
                    returned: self.outcome.returned,
                });
            }
            let due = self.outcome.redriven as f64 / self.per_second;
            let due = began + Duration::from_secs_f64(due.min(1e9));
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Obstacle::Stopped),
                () = tokio::time::sleep_until(due) => {}
            }
        }
    }

    fn choose(
        &mut self,
        located: &Located,
        wanted: &mut impl FnMut(&Located) -> bool,
    ) -> Option<Chosen> {
        let (partition, offset) = (located.partition, located.record.offset);
        if self.done.contains(partition, offset) {
            self.outcome.already += 1;
            return None;
        }
        let letter = DeadLetter::from_record(&located.record).ok();
        // One that claims to come from the dead-letter topic would go round in a circle.
        let Some(letter) = letter.filter(|letter| letter.topic != self.redriver.topic) else {
            self.outcome.unreadable += 1;
            return None;
        };
        if !wanted(located) {
            self.outcome.left_out += 1;
            return None;
        }
        Some(Chosen {
            partition,
            offset,
            letter,
        })
    }

    /// Sends them, and notes those that the brokers have confirmed.
    async fn put_back(
        &mut self,
        chosen: Vec<Chosen>,
        stop: &CancellationToken,
    ) -> Result<(), Obstacle> {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut missing = chosen;
        for tries in 1.. {
            let (confirmed, unconfirmed, trouble) = self.send(missing).await;
            self.note(&confirmed).await?;
            missing = unconfirmed;
            let Some(trouble) = trouble else { break };
            let hopeless = matches!(trouble, SendError::UnknownTopic | SendError::Unauthorized);
            if hopeless || tries >= TRIES_MAX {
                return Err(Obstacle::NotTaken(trouble));
            }
            tokio::select! {
                () = stop.cancelled() => return Err(Obstacle::Stopped),
                () = tokio::time::sleep(backoff.pause()) => {}
            }
        }
        Ok(())
    }

    /// Sends each to its topic; gives back which were confirmed, and which have to be sent again for what reason.
    async fn send(
        &mut self,
        chosen: Vec<Chosen>,
    ) -> (Vec<(i32, i64)>, Vec<Chosen>, Option<SendError>) {
        let mut topics: BTreeMap<String, Vec<Chosen>> = BTreeMap::new();
        for chosen in chosen {
            let topic = chosen.letter.topic.clone();
            topics.entry(topic).or_default().push(chosen);
        }
        let (mut confirmed, mut missing, mut trouble) = (Vec::new(), Vec::new(), None);
        for (topic, chosen) in topics {
            let messages = chosen.iter().map(|c| c.letter.to_redriven()).collect();
            let answers = self.redriver.producer.send_all(&topic, messages).await;
            for (chosen, answer) in chosen.into_iter().zip(answers) {
                match answer {
                    Ok(_) => confirmed.push((chosen.partition, chosen.offset)),
                    Err(error) if error.is_payload_fault() => {
                        self.outcome.refused += 1;
                        self.outcome.refusal = Some(error);
                    }
                    Err(error) => {
                        trouble = Some(error);
                        missing.push(chosen);
                    }
                }
            }
        }
        (confirmed, missing, trouble)
    }

    async fn note(&mut self, confirmed: &[(i32, i64)]) -> Result<(), Obstacle> {
        let mut changed: Vec<i32> = Vec::new();
        for &(partition, offset) in confirmed {
            if let Some(done) = self.done.partitions.get_mut(&partition) {
                done.insert(offset);
                changed.push(partition);
            }
        }
        changed.sort_unstable();
        changed.dedup();
        self.outcome.redriven += confirmed.len() as u64;
        for partition in changed {
            self.ledger
                .write(partition, &self.done.partitions[&partition])
                .await?;
        }
        Ok(())
    }
}
