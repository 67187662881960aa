//! Topics and a consumer group of their own for every test, removed at the end, and the consumer in the test process.

use std::time::Duration;

use analytics_ingestor::consumer::EventHandler;
use analytics_ingestor::store::EventWriter;
use kafka_toolkit::inspect::Located;
use kafka_toolkit::{
    Consumer, ConsumerConfig, DeadLetterWriter, Handler, Health, Inspector, KafkaConfig, Message,
    Producer, ProducerConfig, RunError, TopicRegistry, TopicSpec,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::cleanup::at_the_end;
use super::database::write_pool;
use super::wait::{PATIENCE, eventually};

/// How the product names its topics' partitions in development.
const PARTITIONS: i32 = 3;

/// A topic of events, one of dead letters, and the name of a group.
pub(crate) struct Topics {
    pub(crate) events: String,
    pub(crate) dead_letters: String,
    pub(crate) group: String,
    kafka: KafkaConfig,
}

impl Topics {
    /// On the broker of `KAFKA_BROKERS`.
    pub(crate) async fn new() -> Self {
        let kafka = KafkaConfig::from_env().expect("KAFKA_BROKERS is a list of host:port");
        Self::on(kafka, PARTITIONS).await
    }

    /// Of events with so many partitions.
    pub(crate) async fn with_partitions(partitions: i32) -> Self {
        let kafka = KafkaConfig::from_env().expect("KAFKA_BROKERS is a list of host:port");
        Self::on(kafka, partitions).await
    }

    /// On a broker of the test's own.
    pub(crate) async fn at(brokers: &str) -> Self {
        let kafka = KafkaConfig {
            brokers: vec![brokers.to_owned()],
            ..KafkaConfig::default()
        };
        Self::on(kafka, PARTITIONS).await
    }

    async fn on(kafka: KafkaConfig, partitions: i32) -> Self {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let topics = Self {
            events: format!("it-{id}"),
            dead_letters: format!("it-{id}-dlq"),
            group: format!("it-{id}-group"),
            kafka,
        };
        let registry = TopicRegistry::connect(&topics.kafka, PATIENCE)
            .expect("the registry needs no broker yet");
        let specs = [
            TopicSpec::new(&topics.events, partitions),
            TopicSpec::new(&topics.dead_letters, 1),
        ];
        if let Err(error) = registry.ensure(&specs).await {
            panic!(
                "the tests need an Apache Kafka broker in KAFKA_BROKERS (now {}); `make test` starts one: {error}",
                topics.brokers()
            );
        }
        topics
    }

    pub(crate) fn brokers(&self) -> String {
        self.kafka.brokers.join(",")
    }

    pub(crate) fn inspector(&self) -> Inspector {
        Inspector::new(&self.kafka, PATIENCE).expect("the settings can be used")
    }

    /// A producer that is not the server's, for records that the server would never send.
    pub(crate) fn producer(&self) -> Producer {
        let patient = ProducerConfig {
            produce_deadline_ms: 20_000,
            ..ProducerConfig::default()
        };
        Producer::connect(&self.kafka, &patient).expect("the settings can be used")
    }

    /// Puts a payload onto the topic of events, past the server.
    pub(crate) async fn produce(&self, key: &str, payload: impl Into<bytes::Bytes>) {
        let message = Message::builder(key.to_owned())
            .payload(payload)
            .build()
            .expect("the message has a key");
        let sent = self.producer().send(&self.events, message).await;
        sent.expect("the broker acknowledges");
    }

    /// Has the broker forget what is in front of an offset, as retention does.
    pub(crate) async fn forget(&self, partition: i32, before: i64) {
        let mut broker = TcpStream::connect(&self.kafka.brokers[0])
            .await
            .expect("the broker listens");
        let mut body = texts(std::slice::from_ref(&self.events));
        body.extend_from_slice(&1_i32.to_be_bytes());
        body.extend_from_slice(&partition.to_be_bytes());
        body.extend_from_slice(&before.to_be_bytes());
        body.extend_from_slice(&5_000_i32.to_be_bytes());
        let answer = request(&mut broker, DELETE_RECORDS, &body)
            .await
            .expect("the broker answers");
        // The answer ends with the oldest offset that is kept, and the error code.
        let mut expected = before.to_be_bytes().to_vec();
        expected.extend_from_slice(&0_i16.to_be_bytes());
        assert!(answer.ends_with(&expected), "{answer:?}");
    }

    /// Every record of the topic of events.
    pub(crate) async fn records(&self) -> Vec<Located> {
        self.read(&self.events).await
    }

    /// Every record of the topic of dead letters.
    pub(crate) async fn dead_letters(&self) -> Vec<Located> {
        self.read(&self.dead_letters).await
    }

    async fn read(&self, topic: &str) -> Vec<Located> {
        let inspector = self.inspector();
        let read = inspector.read_all(topic, usize::MAX, |_| true).await;
        read.expect("the topic can be read")
    }

    /// Moves the group, which must have no members, with Kafka's own tool; `part` is a topic, or `topic:partition`.
    pub(crate) async fn reset_offsets(&self, part: &str, to: &[&str]) {
        let mut tool = std::process::Command::new("scripts/kafka/tool.sh");
        tool.current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("KAFKA_BROKERS", self.brokers())
            .args(["consumer-groups", "--group", &self.group, "--topic", part])
            .args(["--reset-offsets", "--execute"])
            .args(to);
        let ran = tokio::task::spawn_blocking(move || tool.output());
        let ran = ran
            .await
            .expect("waiting does not panic")
            .expect("the script starts");
        assert!(ran.status.success(), "{ran:?}");
    }

    /// How many records the group has not finished.
    pub(crate) async fn lag(&self) -> i64 {
        let lags = self.inspector().lag(&self.group, &self.events).await;
        let lags = lags.expect("the lag can be read");
        lags.iter().map(|partition| partition.lag).sum()
    }

    /// Waits until the group has committed the end of every partition.
    pub(crate) async fn drained(&self, deadline: Duration) {
        eventually("the topic is drained", deadline, || async {
            self.lag().await == 0
        })
        .await;
    }
}

impl Drop for Topics {
    fn drop(&mut self) {
        let topics = [self.events.clone(), self.dead_letters.clone()];
        let removal = remove(self.kafka.brokers[0].clone(), topics, self.group.clone());
        // A broker that its test has stopped takes its topics with it.
        at_the_end(async move { drop(tokio::time::timeout(PATIENCE, removal).await) });
    }
}

/// Number and version of a request in Kafka's protocol. The toolkit never deletes anything, and the broker's own tool
/// takes seconds to start.
const DELETE_TOPICS: (i16, i16) = (20, 1);
const DELETE_RECORDS: (i16, i16) = (21, 1);
const DELETE_GROUPS: (i16, i16) = (42, 0);

/// The answer about a group of which a member has not left yet.
const NON_EMPTY_GROUP: [u8; 2] = 68_i16.to_be_bytes();

async fn remove(address: String, topics: [String; 2], group: String) -> std::io::Result<()> {
    let mut broker = TcpStream::connect(address).await?;
    let mut body = texts(&topics);
    let timeout_ms = 5_000_i32;
    body.extend_from_slice(&timeout_ms.to_be_bytes());
    request(&mut broker, DELETE_TOPICS, &body).await?;
    // The answer ends with the error code of the only group asked about.
    while request(
        &mut broker,
        DELETE_GROUPS,
        &texts(std::slice::from_ref(&group)),
    )
    .await?
    .ends_with(&NON_EMPTY_GROUP)
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn request(
    broker: &mut TcpStream,
    (number, version): (i16, i16),
    body: &[u8],
) -> std::io::Result<Vec<u8>> {
    let (correlation, no_client_id) = (1_i32, -1_i16);
    let mut text = Vec::new();
    text.extend_from_slice(&number.to_be_bytes());
    text.extend_from_slice(&version.to_be_bytes());
    text.extend_from_slice(&correlation.to_be_bytes());
    text.extend_from_slice(&no_client_id.to_be_bytes());
    text.extend_from_slice(body);
    broker.write_u32(text.len() as u32).await?;
    broker.write_all(&text).await?;
    let length = broker.read_u32().await?;
    let mut answer = vec![0; length as usize];
    broker.read_exact(&mut answer).await?;
    Ok(answer)
}

/// A list of short texts in Kafka's protocol.
fn texts(texts: &[String]) -> Vec<u8> {
    let mut list = (texts.len() as u32).to_be_bytes().to_vec();
    for text in texts {
        list.extend_from_slice(&(text.len() as u16).to_be_bytes());
        list.extend_from_slice(text.as_bytes());
    }
    list
}

/// The handler that `consumer` has.
pub(crate) fn event_handler(topics: &Topics, database_url: &str) -> EventHandler {
    let pool = write_pool(database_url, 4);
    let writer = EventWriter::new(pool, Duration::from_secs(20), "consumer");
    EventHandler::new(writer, &topics.group)
}

/// The consumer at work, put together as `consumer` does it.
pub(crate) struct Running {
    health: Health,
    stop: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Running {
    pub(crate) fn start(topics: &Topics, database_url: &str) -> Self {
        Self::handling(topics, event_handler(topics, database_url))
    }

    /// With something around the handler that `consumer` has.
    pub(crate) fn handling(topics: &Topics, handler: impl Handler) -> Self {
        let config = ConsumerConfig {
            group_id: topics.group.clone(),
            session_timeout_ms: 6_000,
            heartbeat_ms: 300,
            retry_backoff_ms: 20,
            retry_backoff_max_ms: 500,
            commit_interval_ms: 50,
            ..ConsumerConfig::default()
        };
        let dead_letters = DeadLetterWriter::new(topics.producer(), &topics.dead_letters);
        let consumer = Consumer::new(
            &topics.kafka,
            &config,
            &[&topics.events],
            dead_letters,
            handler,
        )
        .expect("the settings can be used");
        let health = consumer.health();
        let stop = CancellationToken::new();
        let task = tokio::spawn(consumer.run(stop.clone()));
        Self { health, stop, task }
    }

    /// How many partitions it has.
    pub(crate) fn partitions(&self) -> usize {
        self.health.snapshot().partitions.len()
    }

    /// Stops as SIGTERM does.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, &mut self.task)
            .await
            .expect("the consumer stops in time")
            .expect("the consumer does not panic")
            .expect("the consumer ends well");
    }
}
