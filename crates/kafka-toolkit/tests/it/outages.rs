//! Brokers that fail, on command of a mock cluster.

use std::time::Duration;

use kafka_toolkit::{
    Consumer, ConsumerConfig, DeadLetterWriter, KafkaConfig, Outcome, Producer, ProducerConfig,
};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::harness::{PATIENCE, Running, Seen, message, until};
use crate::measuring::Notes;

struct Outage {
    cluster: MockCluster<'static, DefaultProducerContext>,
    kafka: KafkaConfig,
    producer: Producer,
    config: ConsumerConfig,
}

impl Outage {
    fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 1, 1).unwrap();
        cluster.create_topic("t-dlq", 1, 1).unwrap();
        let kafka = KafkaConfig {
            brokers: vec![cluster.bootstrap_servers()],
            ..KafkaConfig::default()
        };
        let patient = ProducerConfig {
            produce_deadline_ms: 20_000,
            ..ProducerConfig::default()
        };
        Self {
            producer: Producer::connect(&kafka, &patient).unwrap(),
            cluster,
            kafka,
            config: ConsumerConfig {
                group_id: "g".to_owned(),
                // The mock does not wake a waiting fetch.
                fetch_wait_ms: 5,
                commit_interval_ms: 20,
                ..ConsumerConfig::default()
            },
        }
    }

    fn start(&self, seen: &Seen) -> Running {
        let dead_letters = DeadLetterWriter::new(self.producer.clone(), "t-dlq");
        let handler = seen.handler(|_| Outcome::Done);
        let consumer =
            Consumer::new(&self.kafka, &self.config, &["t"], dead_letters, handler).unwrap();
        Running::start(consumer)
    }

    async fn send(&self, count: usize) {
        let messages = (0..count).map(|n| message("k", &n.to_string())).collect();
        for answer in self.producer.send_all("t", messages).await {
            answer.unwrap();
        }
    }

    async fn committed(&self) -> Option<i64> {
        let inspector = kafka_toolkit::Inspector::new(&self.kafka, PATIENCE).unwrap();
        inspector.lag("g", "t").await.unwrap()[0].committed
    }
}

#[tokio::test]
async fn reading_goes_on_when_the_broker_is_back() {
    let outage = Outage::new();
    outage.send(3).await;
    let seen = Seen::default();
    let running = outage.start(&seen);
    until("the first are handled", async || seen.count() == 3).await;
    outage.cluster.broker_down(1).unwrap();
    let sending = outage.send(3);
    tokio::pin!(sending);
    // While nothing can be sent or read, the consumer stays alive.
    let waited = tokio::time::timeout(Duration::from_millis(500), &mut sending).await;
    assert!(waited.is_err());
    assert!(running.is_running());
    outage.cluster.broker_up(1).unwrap();
    sending.await;
    until("all are handled", async || seen.times().len() == 6).await;
    running.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_get_into_its_group_is_replaced() {
    let notes = Notes::default();
    let _recorder = metrics::set_default_local_recorder(&notes);
    let mut outage = Outage::new();
    // Longer than the mock waits for further members before it lets the first one in.
    outage.config.session_timeout_ms = 5_000;
    outage.send(3).await;
    outage.cluster.broker_down(1).unwrap();
    let seen = Seen::default();
    let running = outage.start(&seen);
    until("the client is replaced", async || {
        let recorded = notes.recorded.lock().unwrap();
        recorded.contains("kafka_consumer_rebuilds_total")
    })
    .await;
    assert!(running.is_running());
    outage.cluster.broker_up(1).unwrap();
    until("all are handled", async || seen.count() == 3).await;
    running.stop().await;
}

#[tokio::test]
async fn a_stop_while_the_broker_is_away_still_ends() {
    let outage = Outage::new();
    outage.send(3).await;
    let seen = Seen::default();
    let running = outage.start(&seen);
    until("all are handled", async || seen.count() == 3).await;
    outage.cluster.broker_down(1).unwrap();
    running.stop().await;
}

#[tokio::test]
async fn a_refused_commit_is_sent_again() {
    let outage = Outage::new();
    outage.send(3).await;
    outage.cluster.request_errors(
        RDKafkaApiKey::OffsetCommit,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 3],
    );
    let seen = Seen::default();
    let running = outage.start(&seen);
    until("all are committed", async || {
        outage.committed().await == Some(3)
    })
    .await;
    running.stop().await;
    assert_eq!(seen.count(), 3);
}
