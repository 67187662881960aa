//! Sends each line of standard input to a topic: `produce TOPIC KEY`.

use std::io::BufRead;
use std::time::Duration;

use clap::Parser;
use kafka_toolkit::{KafkaConfig, Message, Producer, ProducerConfig};

#[derive(Parser)]
struct Settings {
    topic: String,
    key: String,
    #[command(flatten)]
    kafka: KafkaConfig,
    #[command(flatten)]
    producer: ProducerConfig,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::parse();
    let producer = Producer::connect(&settings.kafka, &settings.producer)?;
    let mut messages = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let message = Message::builder(settings.key.clone())
            .payload(line?)
            .source("produce-example")
            .build()?;
        messages.push(message);
    }
    for answer in producer.send_all(&settings.topic, messages).await {
        match answer {
            Ok(delivery) => println!("{} {}", delivery.partition, delivery.offset),
            Err(error) => eprintln!("{error}"),
        }
    }
    producer.close(Duration::from_secs(5)).await;
    Ok(())
}
