//! Every metric of the toolkit: its name, its help text and its labels, in one place.
//!
//! Names start with the prefix from [`KafkaConfig`](crate::config::KafkaConfig). Labels come from closed sets and
//! from topics and partitions, never from payloads. The recorder must be installed before clients are made, because
//! handles are taken once.

use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, Unit};

use crate::outcome::ErrorClass;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// A distribution.
    Histogram,
}

/// One metric's declaration.
#[derive(Debug, Clone, Copy)]
pub struct Declared {
    /// The name behind the prefix.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it means.
    pub help: &'static str,
}

macro_rules! declare {
    ($($constant:ident = $kind:ident $name:literal $help:literal;)*) => {
        $(const $constant: &str = $name;)*

        /// Every metric that the toolkit can record.
        pub const DECLARED: &[Declared] = &[
            $(Declared { name: $name, kind: Kind::$kind, help: $help },)*
        ];
    };
}

declare! {
    PRODUCE_SECONDS = Histogram "produce_seconds" "From handing a message or a set of messages to the producer to its acknowledgement.";
    PRODUCED = Counter "produced_total" "Messages acknowledged by the broker.";
    PRODUCE_ERRORS = Counter "produce_errors_total" "Messages not acknowledged, by reason.";
    PRODUCER_QUEUE = Gauge "producer_queue_messages" "Messages waiting for their acknowledgement.";
    PRODUCER_REBUILDS = Counter "producer_rebuilds_total" "Producers replaced after a fatal error.";
    RECORDS = Counter "consumer_records_total" "Records finished, by topic and outcome.";
    RETRIES = Counter "consumer_retries_total" "Records handed over again, by topic and class.";
    BATCH_RECORDS = Histogram "consumer_batch_records" "Records handed over at once.";
    HANDLE_SECONDS = Histogram "consumer_handle_seconds" "Duration of one call of the handler.";
    COMMIT_SECONDS = Histogram "consumer_commit_seconds" "From sending a commit of offsets to the broker's answer.";
    COMMITS = Counter "consumer_commits_total" "Commits of offsets, by result.";
    REBALANCES = Counter "consumer_rebalances_total" "Changes of the assignment, by kind.";
    DRAIN_SECONDS = Histogram "consumer_drain_seconds" "From taking partitions away, at a rebalance or a stop, to the last commit of what was being handled.";
    ASSIGNED = Gauge "consumer_assigned_partitions" "Partitions assigned to this member.";
    BRAKED = Gauge "consumer_braked" "1 while the partition is paused because of too many dead letters.";
    BRAKES = Counter "consumer_brakes_total" "Times that a partition was paused because of too many dead letters, by topic.";
    WAITING = Gauge "consumer_waiting_on_dependency" "1 while the partition waits for something that its handler needs.";
    LAG = Gauge "consumer_lag_records" "Records of the partition behind its committed offset, as this member sees it.";
    DEAD_LETTERS = Counter "dead_letters_total" "Dead letters written, by topic and class.";
    DEAD_LETTER_ERRORS = Counter "dead_letter_errors_total" "Failed attempts to write a dead letter, by reason.";
    CONSUMER_REBUILDS = Counter "consumer_rebuilds_total" "Clients that did not get into their group and were replaced.";
    CLIENT_ERRORS = Counter "client_errors_total" "Errors that a client library reported by itself.";
}

/// Makes handles whose names start with one prefix.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    prefix: Arc<str>,
}

impl Registry {
    pub(crate) fn new(prefix: &str) -> Self {
        let registry = Self {
            prefix: prefix.into(),
        };
        for declared in DECLARED {
            let name = registry.name(declared.name);
            let unit = if declared.name.ends_with("_seconds") {
                Unit::Seconds
            } else {
                Unit::Count
            };
            match declared.kind {
                Kind::Counter => metrics::describe_counter!(name, unit, declared.help),
                Kind::Gauge => metrics::describe_gauge!(name, unit, declared.help),
                Kind::Histogram => metrics::describe_histogram!(name, unit, declared.help),
            }
        }
        registry
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(crate) fn producer(&self) -> ProducerMetrics {
        ProducerMetrics {
            seconds: metrics::histogram!(self.name(PRODUCE_SECONDS)),
            produced: metrics::counter!(self.name(PRODUCED)),
            queue: metrics::gauge!(self.name(PRODUCER_QUEUE)),
            rebuilds: metrics::counter!(self.name(PRODUCER_REBUILDS)),
            client_errors: metrics::counter!(self.name(CLIENT_ERRORS), "client" => "producer"),
            registry: self.clone(),
        }
    }

    pub(crate) fn handler(&self) -> HandlerMetrics {
        HandlerMetrics {
            batch_records: metrics::histogram!(self.name(BATCH_RECORDS)),
            handle_seconds: metrics::histogram!(self.name(HANDLE_SECONDS)),
        }
    }

    pub(crate) fn consumer(&self) -> ConsumerMetrics {
        ConsumerMetrics {
            commits: metrics::counter!(self.name(COMMITS), "result" => "ok"),
            commit_errors: metrics::counter!(self.name(COMMITS), "result" => "error"),
            commit_seconds: metrics::histogram!(self.name(COMMIT_SECONDS)),
            drain_seconds: metrics::histogram!(self.name(DRAIN_SECONDS)),
            assigned: metrics::gauge!(self.name(ASSIGNED)),
            rebuilds: metrics::counter!(self.name(CONSUMER_REBUILDS)),
            client_errors: metrics::counter!(self.name(CLIENT_ERRORS), "client" => "consumer"),
            registry: self.clone(),
        }
    }
}

/// What a producer counts.
#[derive(Clone)]
pub(crate) struct ProducerMetrics {
    pub(crate) seconds: Histogram,
    pub(crate) produced: Counter,
    pub(crate) queue: Gauge,
    pub(crate) rebuilds: Counter,
    pub(crate) client_errors: Counter,
    registry: Registry,
}

impl ProducerMetrics {
    pub(crate) fn failed(&self, error: &'static str) {
        metrics::counter!(self.registry.name(PRODUCE_ERRORS), "reason" => error).increment(1);
    }

    pub(crate) fn dead_letter(&self, topic: &str, class: &'static str) {
        metrics::counter!(self.registry.name(DEAD_LETTERS), "topic" => topic.to_owned(), "class" => class)
            .increment(1);
    }

    pub(crate) fn dead_letter_failed(&self, error: &'static str) {
        metrics::counter!(self.registry.name(DEAD_LETTER_ERRORS), "reason" => error).increment(1);
    }
}

/// What the measuring middleware records.
#[derive(Clone)]
pub(crate) struct HandlerMetrics {
    pub(crate) batch_records: Histogram,
    pub(crate) handle_seconds: Histogram,
}

/// What a consumer counts as a whole.
#[derive(Clone)]
pub(crate) struct ConsumerMetrics {
    pub(crate) commits: Counter,
    pub(crate) commit_errors: Counter,
    pub(crate) commit_seconds: Histogram,
    pub(crate) drain_seconds: Histogram,
    pub(crate) assigned: Gauge,
    pub(crate) rebuilds: Counter,
    pub(crate) client_errors: Counter,
    registry: Registry,
}

impl ConsumerMetrics {
    pub(crate) fn rebalance(&self, kind: &'static str) {
        metrics::counter!(self.registry.name(REBALANCES), "kind" => kind).increment(1);
    }

    pub(crate) fn lag(&self, topic: &str, partition: i32, lag: i64) {
        metrics::gauge!(self.registry.name(LAG), "topic" => topic.to_owned(), "partition" => partition.to_string())
            .set(lag as f64);
    }

    /// Shows nothing any more for a partition that somebody else has.
    pub(crate) fn partition_gone(&self, topic: &str, partition: i32) {
        self.lag(topic, partition, 0);
        let gauges = self.partition(topic, partition);
        gauges.braked.set(0.0);
        gauges.waiting.set(0.0);
    }

    pub(crate) fn partition(&self, topic: &str, partition: i32) -> PartitionMetrics {
        let labels = [
            ("topic", topic.to_owned()),
            ("partition", partition.to_string()),
        ];
        let finished = |outcome: &'static str| metrics::counter!(self.registry.name(RECORDS), "topic" => topic.to_owned(), "outcome" => outcome);
        for class in [ErrorClass::Permanent, ErrorClass::Transient] {
            // Shown before there are any, so that the first one is seen as a rise.
            metrics::counter!(self.registry.name(DEAD_LETTERS), "topic" => topic.to_owned(), "class" => class.as_str())
                .increment(0);
        }
        let retried = |class: &'static str| metrics::counter!(self.registry.name(RETRIES), "topic" => topic.to_owned(), "class" => class);
        PartitionMetrics {
            done: finished("done"),
            business: finished("business"),
            dead: finished("dead_letter"),
            transient: retried("transient"),
            dependency: retried("dependency_down"),
            braked: metrics::gauge!(self.registry.name(BRAKED), &labels),
            brakes: metrics::counter!(self.registry.name(BRAKES), "topic" => topic.to_owned()),
            waiting: metrics::gauge!(self.registry.name(WAITING), &labels),
        }
    }
}

/// What is counted for one partition.
pub(crate) struct PartitionMetrics {
    pub(crate) done: Counter,
    pub(crate) business: Counter,
    pub(crate) dead: Counter,
    pub(crate) transient: Counter,
    pub(crate) dependency: Counter,
    pub(crate) braked: Gauge,
    pub(crate) brakes: Counter,
    pub(crate) waiting: Gauge,
}
