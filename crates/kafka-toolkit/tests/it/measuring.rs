//! Metrics: what a recorder sees after sending and reading.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use kafka_toolkit::metrics::DECLARED;
use kafka_toolkit::{HandlerExt, KafkaConfig, Outcome, Producer, ProducerConfig};
use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

use crate::harness::{Seen, Stage, kafka, message, payload};

/// Notes every name that is described, and every name and label that gets a value.
#[derive(Clone, Default)]
pub(crate) struct Notes {
    described: Arc<Mutex<BTreeSet<String>>>,
    pub(crate) recorded: Arc<Mutex<BTreeSet<String>>>,
}

struct Note(String, Arc<Mutex<BTreeSet<String>>>);

impl CounterFn for Note {
    fn increment(&self, value: u64) {
        if value > 0 {
            self.1.lock().unwrap().insert(self.0.clone());
        }
    }

    fn absolute(&self, _value: u64) {}
}

impl HistogramFn for Note {
    fn record(&self, _value: f64) {
        self.1.lock().unwrap().insert(self.0.clone());
    }
}

impl Notes {
    fn note(&self, key: &Key) -> Arc<Note> {
        let labels: Vec<String> = key
            .labels()
            .filter(|label| label.key() != "topic")
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        let name = format!("{} {}", key.name(), labels.join(" "));
        Arc::new(Note(name.trim().to_owned(), Arc::clone(&self.recorded)))
    }

    fn described(&self, name: &KeyName) {
        self.described
            .lock()
            .unwrap()
            .insert(name.as_str().to_owned());
    }
}

impl Recorder for Notes {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.described(&name);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.described(&name);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.described(&name);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.note(key))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.note(key))
    }
}

#[tokio::test]
async fn sending_and_handling_are_measured_under_the_chosen_prefix() {
    let stage = Stage::with_partitions(1).await;
    let kafka = KafkaConfig {
        metrics_prefix: "mine_".to_owned(),
        ..kafka()
    };
    let notes = Notes::default();
    // Handles are taken by this thread, which is also the only one of this runtime.
    let _recording = metrics::set_default_local_recorder(&notes);
    let patient = ProducerConfig {
        produce_deadline_ms: 20_000,
        ..ProducerConfig::default()
    };
    let producer = Producer::connect(&kafka, &patient).unwrap();
    producer
        .send(&stage.topic, message("k", "1"))
        .await
        .unwrap();
    let large = message("k", &"x".repeat(1_200_000));
    producer.send(&stage.topic, large).await.unwrap_err();

    let handler = Seen::default().handler(|record| match payload(record) {
        "1" => Outcome::Done,
        _ => Outcome::permanent("bad", "never"),
    });
    let handler = handler.measured(&kafka);
    let records = vec![kafka_toolkit::Record::new(0, "k", "1")];
    let batch = kafka_toolkit::Batch::new("t", 0, records);
    let outcomes = kafka_toolkit::Handler::handle(&handler, &batch).await;
    assert_eq!(outcomes, [Outcome::Done]);

    let described = notes.described.lock().unwrap().clone();
    let declared = DECLARED
        .iter()
        .map(|metric| format!("mine_{}", metric.name));
    assert_eq!(described, declared.collect::<BTreeSet<_>>());
    let recorded = notes.recorded.lock().unwrap().clone();
    for name in [
        "mine_produce_seconds",
        "mine_produced_total",
        "mine_produce_errors_total reason=too_large",
        "mine_consumer_batch_records",
        "mine_consumer_handle_seconds",
    ] {
        assert!(recorded.contains(name), "{name} is not among {recorded:?}");
    }
}
