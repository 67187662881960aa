//! Settings: what is refused, what it says, what it hides.

use clap::{CommandFactory, Parser};
use kafka_toolkit::config::{Compression, SecurityProtocol};
use kafka_toolkit::{
    ConfigError, Consumer, ConsumerConfig, DeadLetterWriter, KafkaConfig, Producer, ProducerConfig,
};
use secrecy::SecretString;

use crate::harness::Seen;

fn variables(result: Result<(), ConfigError>) -> Vec<&'static str> {
    match result {
        Err(ConfigError::Unusable(problems)) => problems.iter().map(|p| p.variable).collect(),
        other => panic!("expected problems, got {other:?}"),
    }
}

#[test]
fn the_settings_of_an_empty_environment_are_the_published_defaults() {
    assert_eq!(
        ProducerConfig::from_env().unwrap(),
        ProducerConfig::default()
    );
    assert_eq!(
        ConsumerConfig::from_env().unwrap(),
        ConsumerConfig::default()
    );
    assert_eq!(KafkaConfig::default().brokers, ["localhost:9092"]);
    assert_eq!(ProducerConfig::default().produce_deadline_ms, 1000);
}

#[derive(clap::Parser)]
struct CommandLine {
    #[command(flatten)]
    kafka: KafkaConfig,
    #[command(flatten)]
    producer: ProducerConfig,
    #[command(flatten)]
    consumer: ConsumerConfig,
}

#[test]
fn all_groups_fit_into_one_command_line_whose_help_names_every_variable() {
    let mut command = CommandLine::command();
    command.clone().debug_assert();
    let help = command.render_long_help().to_string();
    let arguments: Vec<_> = command
        .get_arguments()
        .filter(|argument| {
            argument
                .get_long()
                .is_some_and(|long| long.starts_with("kafka-"))
        })
        .collect();
    assert!(arguments.len() > 25);
    for argument in arguments {
        let variable = argument.get_env().unwrap().to_str().unwrap();
        let flag = argument.get_long().unwrap();
        assert_eq!(variable, flag.replace('-', "_").to_uppercase());
        assert!(help.contains(variable), "{variable}");
    }
    let line = [
        "it",
        "--kafka-brokers",
        "a:1,b:2",
        "--kafka-compression",
        "ZSTD",
    ];
    let parsed = CommandLine::try_parse_from(line).unwrap();
    assert_eq!(parsed.kafka.brokers, ["a:1", "b:2"]);
    assert_eq!(parsed.producer.compression, Compression::Zstd);
    assert_eq!(parsed.consumer.batch_records_max, 1000);
}

#[test]
fn a_value_of_the_wrong_type_is_refused_naming_its_variable() {
    let line = ["it", "--kafka-linger-ms", "soon"];
    let refused = CommandLine::try_parse_from(line).err().unwrap().to_string();
    assert!(refused.contains("KAFKA_LINGER_MS"), "{refused}");
}

#[test]
fn every_unusable_setting_is_named_at_once() {
    let kafka = KafkaConfig {
        brokers: vec!["localhost".to_owned()],
        client_id: String::new(),
        security_protocol: SecurityProtocol::SaslSsl,
        ..KafkaConfig::default()
    };
    assert_eq!(
        variables(kafka.check()),
        [
            "KAFKA_BROKERS",
            "KAFKA_CLIENT_ID",
            "KAFKA_SASL_MECHANISM",
            "KAFKA_SASL_USERNAME",
            "KAFKA_SASL_PASSWORD"
        ]
    );
    let text = kafka.check().unwrap_err().to_string();
    assert!(
        text.contains(r#"KAFKA_BROKERS has "localhost", which is not of the form host:port"#),
        "{text}"
    );
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let consumer = ConsumerConfig {
        heartbeat_ms: 6000,
        retry_backoff_ms: 10_000,
        dlq_ratio_max: 1.5,
        ..ConsumerConfig::default()
    };
    assert_eq!(
        variables(consumer.check()),
        [
            "KAFKA_GROUP_ID",
            "KAFKA_HEARTBEAT_MS",
            "KAFKA_RETRY_BACKOFF_MS",
            "KAFKA_DLQ_RATIO_MAX"
        ]
    );
    let producer = ProducerConfig {
        linger_ms: 2000.0,
        ..ProducerConfig::default()
    };
    assert_eq!(variables(producer.check()), ["KAFKA_LINGER_MS"]);
}

#[test]
fn a_password_that_would_not_be_used_is_refused() {
    let kafka = KafkaConfig {
        sasl_password: Some(SecretString::from("hunter2")),
        ..KafkaConfig::default()
    };
    assert_eq!(variables(kafka.check()), ["KAFKA_SASL_PASSWORD"]);
}

#[test]
fn a_password_never_prints() {
    let kafka = KafkaConfig {
        sasl_password: Some(SecretString::from("hunter2")),
        ..KafkaConfig::default()
    };
    assert!(!format!("{kafka:?}").contains("hunter2"));
}

#[test]
fn nothing_connects_with_unusable_settings() {
    let kafka = KafkaConfig {
        brokers: Vec::new(),
        ..KafkaConfig::default()
    };
    let refused = Producer::connect(&kafka, &ProducerConfig::default()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "KAFKA_BROKERS must name at least one broker"
    );
    let producer = Producer::connect(&KafkaConfig::default(), &ProducerConfig::default()).unwrap();
    let refused = Consumer::new(
        &KafkaConfig::default(),
        &ConsumerConfig::default(),
        &["t"],
        DeadLetterWriter::new(producer, "t-dlq"),
        Seen::default().handler(|_| kafka_toolkit::Outcome::Done),
    )
    .unwrap_err();
    assert_eq!(refused.to_string(), "KAFKA_GROUP_ID must not be empty");
}
