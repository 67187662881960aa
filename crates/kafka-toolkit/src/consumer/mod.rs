//! Reading topics as a member of a group: batches per partition, an outcome per record, nothing skipped.
//!
//! Owns fetching, batching, retries, dead letters, commits, rebalances and the stop. It refuses to know what records
//! mean: that is the [`Handler`]'s.
//!
//! Offsets are committed after the handler has answered and dead letters are confirmed, never before; the committed
//! offset of a partition is the end of its longest finished prefix.

mod board;
mod brake;
mod budget;
mod client;
mod commit;
mod group;
mod handler;
mod resolve;
mod source;
mod wake;
mod worker;

pub use board::{Health, HealthSnapshot, PartitionHealth};
pub use brake::{Brake, Brakes};
pub use budget::DeadLetterBudget;
pub use handler::Handler;
pub use source::UNREADABLE_HEADERS;

pub(crate) use source::owned;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::config::{ConfigError, ConsumerConfig, KafkaConfig};
use crate::dead_letter::DeadLetterWriter;
use crate::metrics::{ConsumerMetrics, Registry};
use crate::partition::TopicPartition;
use board::Board;
use client::{Assignments, GroupClient, GroupContext};
use commit::Committer;
use group::{FirstFailure, Supervisor};

/// How long the group is waited on before other duties are looked after.
const POLL: Duration = Duration::from_millis(50);

/// Why a consumer ended other than by being told to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The client could not be made or used.
    #[error("the Kafka client failed: {0}")]
    Client(String),
    /// The client can't go on, for instance because another member uses the same identity.
    #[error("the Kafka client met a fatal error: {0}")]
    Fatal(String),
    /// The handler answered with more or fewer outcomes than it was given records.
    #[error("the handler of {partition} answered {outcomes} outcomes for {records} records")]
    OutcomeCount {
        /// The partition.
        partition: TopicPartition,
        /// How many records it was given.
        records: usize,
        /// How many outcomes it answered.
        outcomes: usize,
    },
    /// A record came past its partition's own queue; to go on would commit past it.
    #[error("a record of {0} was not delivered to its partition's queue")]
    Misdelivered(TopicPartition),
    /// The thread that attends to the group ended unexpectedly.
    #[error("the thread of the consumer ended unexpectedly")]
    ThreadEnded,
}

/// A member of a consumer group that hands records to a [`Handler`].
pub struct Consumer<H> {
    client: ClientConfig,
    config: ConsumerConfig,
    topics: Vec<String>,
    dead_letters: DeadLetterWriter,
    handler: Arc<H>,
    registry: Registry,
    board: Arc<Board>,
}

impl<H> std::fmt::Debug for Consumer<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer")
            .field("topics", &self.topics)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl<H: Handler> Consumer<H> {
    /// A consumer of these topics; it connects when it is [run](Self::run).
    ///
    /// # Errors
    /// [`ConfigError`] when the settings can't be used.
    pub fn new(
        kafka: &KafkaConfig,
        config: &ConsumerConfig,
        topics: &[&str],
        dead_letters: DeadLetterWriter,
        handler: H,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            client: config.client(kafka)?,
            config: config.clone(),
            topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
            dead_letters,
            handler: Arc::new(handler),
            registry: Registry::new(&kafka.metrics_prefix),
            board: Arc::new(Board::default()),
        })
    }

    /// A view of this consumer that stays valid while it runs.
    #[must_use]
    pub fn health(&self) -> Health {
        Health::new(Arc::clone(&self.board))
    }

    /// A handle that takes brakes off while this consumer runs.
    #[must_use]
    pub fn brakes(&self) -> Brakes {
        Brakes::new(Arc::clone(&self.board))
    }

    /// Reads until told to stop; then finishes what is being handled, commits, and leaves the group.
    ///
    /// Brokers that are away are waited for. Dropping the future stops the consumer too, in the background.
    ///
    /// # Errors
    /// [`RunError`] when it can't go on; everything uncommitted will be read again.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), RunError> {
        let stop = shutdown.child_token();
        let _stop_when_dropped = stop.clone().drop_guard();
        let failure = Arc::new(FirstFailure::new(stop.clone()));
        let metrics = self.registry.consumer();
        let committer = Committer::start(Arc::clone(&self.board), metrics.clone())
            .map_err(|error| RunError::Client(error.to_string()))?;
        let supervisor = Arc::new(Supervisor {
            runtime: tokio::runtime::Handle::current(),
            handler: self.handler,
            dead_letters: self.dead_letters,
            config: self.config,
            board: self.board,
            committer,
            metrics: metrics.clone(),
            failure: Arc::clone(&failure),
            running: Mutex::new(HashMap::new()),
        });
        let membership = Membership {
            config: self.client,
            topics: self.topics,
            supervisor,
            metrics,
        };
        let client = membership.begin()?;
        let (ending, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name("kafka-group".to_owned())
            .spawn(move || {
                let result = membership.attend(client, &stop);
                drop(ending.send(result));
            })
            .map_err(|error| RunError::Client(error.to_string()))?;
        let result = ended.await.unwrap_or(Err(RunError::ThreadEnded));
        match failure.take() {
            Some(error) => Err(error),
            None => result,
        }
    }
}

/// Sessions that a client may miss outside its group before it is replaced.
const SESSIONS_OUTSIDE_MAX: u32 = 3;

/// One member of the group, whichever client it uses.
struct Membership<H> {
    config: ClientConfig,
    topics: Vec<String>,
    supervisor: Arc<Supervisor<H>>,
    metrics: ConsumerMetrics,
}

impl<H: Handler> Membership<H> {
    /// A client that is about to join.
    fn begin(&self) -> Result<Arc<GroupClient>, RunError> {
        let assignments = Arc::clone(&self.supervisor) as Arc<dyn Assignments>;
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        GroupContext::client(&self.config, assignments, self.metrics.clone())
            .and_then(|client| client.subscribe(&topics).map(|()| client))
            .map_err(|error| RunError::Client(error.to_string()))
    }

    /// Attends to the group until told to stop: assignments, heartbeats, commits.
    fn attend(&self, client: Arc<GroupClient>, stop: &CancellationToken) -> Result<(), RunError> {
        let mut client = client;
        let supervisor = &*self.supervisor;
        let commit_interval = Duration::from_millis(supervisor.config.commit_interval_ms);
        let patience =
            Duration::from_millis(supervisor.config.session_timeout_ms) * SESSIONS_OUTSIDE_MAX;
        let mut replaced = 0;
        let mut committed = Instant::now();
        let mut result = Ok(());
        while !stop.is_cancelled() {
            match client.poll(POLL.min(commit_interval)) {
                None => {}
                Some(Ok(record)) => {
                    let misdelivered = owned_partition(&record);
                    result = Err(RunError::Misdelivered(misdelivered));
                    break;
                }
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    result = Err(RunError::Fatal(code.to_string()));
                    break;
                }
                // The context has logged and counted it, and librdkafka tries again by itself.
                Some(Err(_)) => {}
            }
            supervisor.board.polled();
            if committed.elapsed() >= commit_interval {
                supervisor.commit_finished(&client);
                committed = Instant::now();
            }
            // librdkafka 2.12 can lose its way to the group's coordinator when a broker goes away again while it
            // comes back: requests to join are queued and time out, for ever, on a connection that it never opens.
            // A new client finds the way. Each is given more time than the one before, so that a group that forms
            // slowly is not disturbed for ever.
            if replaced > 0 && !supervisor.partitions().is_empty() {
                replaced = 0;
            }
            if client.context().outside_for() > patience * (replaced + 1) {
                tracing::warn!(
                    outside_ms = client.context().outside_for().as_millis(),
                    "not in the group for too long: beginning again with a new client"
                );
                self.metrics.rebuilds.increment(1);
                replaced += 1;
                self.end(client);
                client = self.begin()?;
            }
        }
        self.end(client);
        result
    }

    /// Leaves the group and waits until that is done.
    fn end(&self, client: Arc<GroupClient>) {
        let supervisor = &*self.supervisor;
        supervisor.revoked(&client, &supervisor.partitions(), false);
        client.unsubscribe();
        // The last reference: dropping it leaves.
        drop(client);
    }
}

fn owned_partition(record: &rdkafka::message::BorrowedMessage<'_>) -> TopicPartition {
    use rdkafka::message::Message as _;
    TopicPartition {
        topic: record.topic().into(),
        partition: record.partition(),
    }
}
