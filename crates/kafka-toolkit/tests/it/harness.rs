//! What every test needs: a topic of its own, a consumer to start and stop, and waiting for a condition.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use kafka_toolkit::consumer::{Brakes, HealthSnapshot};
use kafka_toolkit::inspect::Located;
use kafka_toolkit::{
    Batch, Consumer, ConsumerConfig, DeadLetterWriter, Handler, Health, Inspector, KafkaConfig,
    Message, Outcome, Producer, ProducerConfig, Record, RunError, TopicPartition, TopicRegistry,
    TopicSpec,
};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn kafka() -> KafkaConfig {
    KafkaConfig::from_env().expect("KAFKA_BROKERS must be a list of host:port")
}

/// Names and topics of one test; removed when it ends.
pub(crate) struct Stage {
    pub(crate) topic: String,
    pub(crate) dlq: String,
    pub(crate) group: String,
    pub(crate) producer: Producer,
    pub(crate) inspector: Inspector,
}

impl Stage {
    pub(crate) async fn with_partitions(partitions: i32) -> Self {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let topic = format!("toolkit-{id}");
        let dlq = format!("{topic}-dlq");
        let registry = TopicRegistry::connect(&kafka(), PATIENCE).unwrap();
        let specs = [TopicSpec::new(&topic, partitions), TopicSpec::new(&dlq, 1)];
        if let Err(error) = registry.ensure(&specs).await {
            panic!(
                "no Kafka broker answers at {}; start one or set KAFKA_BROKERS: {error}",
                kafka().brokers.join(",")
            );
        }
        Self {
            group: format!("group-{id}"),
            topic,
            dlq,
            producer: producer(),
            inspector: Inspector::new(&kafka(), PATIENCE).unwrap(),
        }
    }

    /// Sends payloads that are `0`, `1`, … under one key.
    pub(crate) async fn send_numbers(&self, key: &str, count: usize) {
        let messages = (0..count).map(|n| message(key, &n.to_string())).collect();
        for answer in self.producer.send_all(&self.topic, messages).await {
            answer.unwrap();
        }
    }

    pub(crate) fn config(&self) -> ConsumerConfig {
        ConsumerConfig {
            group_id: self.group.clone(),
            session_timeout_ms: 6000,
            heartbeat_ms: 300,
            fetch_wait_ms: 20,
            retry_backoff_ms: 5,
            retry_backoff_max_ms: 50,
            commit_interval_ms: 20,
            dlq_probe_ms: 100,
            ..ConsumerConfig::default()
        }
    }

    pub(crate) fn start(&self, handler: impl Handler) -> Running {
        self.start_with(&self.config(), handler)
    }

    pub(crate) fn start_with(&self, config: &ConsumerConfig, handler: impl Handler) -> Running {
        self.start_burying_by(&self.producer, config, handler)
    }

    /// With a producer of its own for the dead letters.
    pub(crate) fn start_burying_by(
        &self,
        producer: &Producer,
        config: &ConsumerConfig,
        handler: impl Handler,
    ) -> Running {
        let dead_letters = DeadLetterWriter::new(producer.clone(), &self.dlq);
        let consumer =
            Consumer::new(&kafka(), config, &[&self.topic], dead_letters, handler).unwrap();
        Running::start(consumer)
    }

    /// The committed offset of each partition that has one.
    pub(crate) async fn committed(&self) -> BTreeMap<i32, i64> {
        let lags = self.inspector.lag(&self.group, &self.topic).await.unwrap();
        lags.into_iter()
            .filter_map(|lag| Some((lag.partition, lag.committed?)))
            .collect()
    }

    pub(crate) async fn committed_sum(&self) -> i64 {
        self.committed().await.values().sum()
    }

    pub(crate) async fn dead_letters(&self) -> Vec<Located> {
        self.inspector
            .read_all(&self.dlq, usize::MAX, |_| true)
            .await
            .unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let names = [self.topic.clone(), self.dlq.clone()];
        let group = self.group.clone();
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let admin: AdminClient<DefaultClientContext> = rdkafka::ClientConfig::new()
                    .set("bootstrap.servers", kafka().brokers.join(","))
                    .create()
                    .unwrap();
                let options = AdminOptions::new().request_timeout(Some(Duration::from_secs(5)));
                let topics: Vec<&str> = names.iter().map(String::as_str).collect();
                drop(admin.delete_topics(&topics, &options).await);
                drop(admin.delete_groups(&[&group], &options).await);
            });
        });
        drop(removal.join());
    }
}

pub(crate) fn producer() -> Producer {
    let patient = ProducerConfig {
        produce_deadline_ms: 20_000,
        ..ProducerConfig::default()
    };
    Producer::connect(&kafka(), &patient).unwrap()
}

pub(crate) fn message(key: &str, payload: &str) -> Message {
    Message::builder(key.to_owned())
        .payload(payload.to_owned())
        .build()
        .unwrap()
}

/// A consumer at work.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
    health: Health,
    brakes: Brakes,
}

impl Running {
    pub(crate) fn start<H: Handler>(consumer: Consumer<H>) -> Self {
        let stop = CancellationToken::new();
        let health = consumer.health();
        let brakes = consumer.brakes();
        let task = tokio::spawn(consumer.run(stop.clone()));
        Self {
            stop,
            task,
            health,
            brakes,
        }
    }

    pub(crate) fn health(&self) -> HealthSnapshot {
        self.health.snapshot()
    }

    pub(crate) fn release(&self, partition: Option<i32>, dead_letters: u32) -> Vec<TopicPartition> {
        self.brakes.release(partition, dead_letters)
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.ended().await.unwrap();
    }

    pub(crate) async fn ended(self) -> Result<(), RunError> {
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("the consumer ends in time")
            .unwrap()
    }

    pub(crate) fn is_running(&self) -> bool {
        !self.task.is_finished()
    }
}

/// What handlers were given, shared between all of a test's consumers.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<(i32, Record)>>>);

impl Seen {
    pub(crate) fn all(&self) -> MutexGuard<'_, Vec<(i32, Record)>> {
        self.0.lock().unwrap()
    }

    pub(crate) fn count(&self) -> usize {
        self.all().len()
    }

    /// How often each (partition, offset) was handed over.
    pub(crate) fn times(&self) -> BTreeMap<(i32, i64), usize> {
        let mut times = BTreeMap::new();
        for (partition, record) in self.all().iter() {
            *times.entry((*partition, record.offset)).or_default() += 1;
        }
        times
    }

    /// A handler that notes each record and asks `judge` for its outcome.
    pub(crate) fn handler<F>(&self, judge: F) -> Judge<F>
    where
        F: Fn(&Record) -> Outcome + Send + Sync + 'static,
    {
        Judge {
            seen: self.clone(),
            judge,
        }
    }
}

pub(crate) struct Judge<F> {
    seen: Seen,
    judge: F,
}

impl<F: Fn(&Record) -> Outcome + Send + Sync + 'static> Handler for Judge<F> {
    async fn handle(&self, batch: &Batch) -> Vec<Outcome> {
        let outcomes = batch.records().iter().map(&self.judge).collect();
        let noted = batch.records().iter().cloned();
        self.seen
            .all()
            .extend(noted.map(|record| (batch.partition(), record)));
        outcomes
    }
}

pub(crate) fn payload(record: &Record) -> &str {
    std::str::from_utf8(record.payload.as_deref().unwrap()).unwrap()
}

/// Waits for a condition, and fails loudly when it does not come.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
