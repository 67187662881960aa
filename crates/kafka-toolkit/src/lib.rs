#![doc = include_str!("../README.md")]

mod backoff;
mod client_log;
pub mod config;
pub mod consumer;
pub mod dead_letter;
pub mod header;
pub mod inspect;
pub mod message;
pub mod metrics;
pub mod middleware;
pub mod outcome;
pub mod partition;
pub mod producer;
pub mod record;
pub mod redrive;
pub mod topic;
pub mod trace;

pub use config::{ConfigError, ConsumerConfig, KafkaConfig, ProducerConfig};
pub use consumer::{Consumer, Handler, Health, RunError};
pub use dead_letter::{DeadLetter, DeadLetterWriter};
pub use header::{Header, Headers};
pub use inspect::Inspector;
pub use message::Message;
pub use middleware::HandlerExt;
pub use outcome::{ErrorClass, Failure, Outcome};
pub use partition::{TopicPartition, partition_of_key};
pub use producer::{Delivery, Producer, SendError};
pub use record::{Batch, Record};
pub use redrive::Redriver;
pub use topic::{TopicRegistry, TopicSpec};
