//! Prints the records of a topic until interrupted: `consume TOPIC --kafka-group-id GROUP`.

use clap::Parser;
use kafka_toolkit::{
    Batch, Consumer, ConsumerConfig, DeadLetterWriter, Handler, HandlerExt, KafkaConfig, Outcome,
    ProducerConfig,
};
use tokio_util::sync::CancellationToken;

#[derive(Parser)]
struct Settings {
    topic: String,
    #[command(flatten)]
    kafka: KafkaConfig,
    #[command(flatten)]
    consumer: ConsumerConfig,
    #[command(flatten)]
    producer: ProducerConfig,
}

/// Prints text, and gives up everything else.
struct Print;

impl Handler for Print {
    async fn handle(&self, batch: &Batch) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(batch.len());
        for record in batch.records() {
            let text = record.payload.as_deref().map(std::str::from_utf8);
            outcomes.push(match text {
                Some(Ok(text)) => {
                    println!("{} {} {text}", batch.partition(), record.offset);
                    Outcome::Done
                }
                _ => Outcome::permanent("no_text", "the payload is no text"),
            });
        }
        outcomes
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();
    let settings = Settings::parse();
    let config = settings.consumer.with_default_group("consume-example");
    let dlq = format!("{}-dlq", settings.topic);
    let dead_letters = DeadLetterWriter::connect(&settings.kafka, &settings.producer, dlq)?;
    let consumer = Consumer::new(
        &settings.kafka,
        &config,
        &[&settings.topic],
        dead_letters,
        Print.measured(&settings.kafka).logged(),
    )?;
    let shutdown = CancellationToken::new();
    tokio::spawn({
        let shutdown = shutdown.clone();
        async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                shutdown.cancel();
            }
        }
    });
    consumer.run(shutdown).await?;
    Ok(())
}
