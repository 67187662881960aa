//! Records among a backlog that can never be stored: one in a thousand, spread evenly, each under a key of its own.

use std::time::Duration;

use analytics_ingestor::event::envelope::encode;
use analytics_ingestor::event::{EventIn, Origin};
use analytics_ingestor::tenant::Tenant;
use anyhow::ensure;
use kafka_toolkit::{Inspector, Message, Producer, ProducerConfig};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::setting::Setting;
use crate::stream::{EVENT_BYTES, Stream};

/// One record in so many is poison.
const ONE_IN: u64 = 1_000;
/// Between two looks at how far the backlog has grown.
const LOOK: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);
/// What the database is told to refuse.
const REFUSED_TEXT: &str = "poison";

/// What is wrong with the poison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Poison {
    /// It is no event, as whatever another producer writes.
    Undecodable,
    /// It is an event, and the database refuses it: a constraint that somebody has added.
    Refused,
}

/// Puts poison into a topic that is being filled.
pub(crate) struct Poisoner {
    poison: Poison,
    producer: Producer,
    inspector: Inspector,
    topic: String,
    stream: Stream,
    sent: u64,
}

impl Setting {
    /// Prepares to poison a topic, and the database for it.
    pub(crate) async fn poisoner(&self, poison: Poison, topic: &str) -> anyhow::Result<Poisoner> {
        if poison == Poison::Refused {
            let refuse = "ALTER TABLE answers ADD CONSTRAINT no_poison CHECK (answer <> 'poison')";
            sqlx::raw_sql(refuse).execute(&self.db).await?;
        }
        let patient = ProducerConfig {
            produce_deadline_ms: 30_000,
            ..ProducerConfig::default()
        };
        Ok(Poisoner {
            poison,
            producer: Producer::connect(&self.options.kafka, &patient)?,
            inspector: self.inspector()?,
            topic: topic.to_owned(),
            stream: Stream::new(),
            sent: 0,
        })
    }

    /// Takes back what was done to the database.
    pub(crate) async fn cure(&self) -> anyhow::Result<()> {
        sqlx::raw_sql("ALTER TABLE answers DROP CONSTRAINT IF EXISTS no_poison")
            .execute(&self.db)
            .await?;
        Ok(())
    }

    /// How many records a topic has been given.
    pub(crate) async fn records_in(&self, topic: &str) -> anyhow::Result<u64> {
        records_in(&self.inspector()?, topic).await
    }

    fn inspector(&self) -> anyhow::Result<Inspector> {
        Ok(Inspector::new(&self.options.kafka, PATIENCE)?)
    }
}

async fn records_in(inspector: &Inspector, topic: &str) -> anyhow::Result<u64> {
    let watermarks = inspector.watermarks(topic).await?;
    Ok(u64::try_from(
        watermarks.iter().map(|w| w.high).sum::<i64>(),
    )?)
}

impl Poisoner {
    /// Keeps the share while others fill the topic; never ends by itself.
    pub(crate) async fn keep_up(&mut self) -> anyhow::Result<()> {
        loop {
            // A topic that was just made may have no leader yet; what lasts fails `finish`, which looks, too.
            if let Ok(records) = records_in(&self.inspector, &self.topic).await {
                self.send_up_to(records / ONE_IN).await?;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Brings the share up to what so many good records ask for, and says how many that are.
    pub(crate) async fn finish(&mut self, good: u64) -> anyhow::Result<u64> {
        self.send_up_to(good / ONE_IN).await?;
        Ok(self.sent)
    }

    async fn send_up_to(&mut self, wanted: u64) -> anyhow::Result<()> {
        while self.sent < wanted {
            let message = self.message()?;
            self.producer.send(&self.topic, message).await?;
            self.sent += 1;
        }
        Ok(())
    }

    fn message(&mut self) -> anyhow::Result<Message> {
        let key = Uuid::new_v4().to_string();
        let payload = match (self.poison, self.sent % 2) {
            (Poison::Undecodable, 0) => b"{broken".to_vec(),
            (Poison::Undecodable, _) => br#"{"payload":{"event_type":"QUIZ_DANCED"}}"#.to_vec(),
            (Poison::Refused, _) => self.refused()?,
        };
        Ok(Message::builder(key).payload(payload).build()?)
    }

    /// A good event but for its text.
    fn refused(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut json = [0; EVENT_BYTES];
        self.stream.write_json(&mut json);
        let mut event: serde_json::Value = serde_json::from_slice(&json)?;
        ensure!(
            event["answer"].is_string(),
            "the stream's events are answers"
        );
        event["answer"] = REFUSED_TEXT.into();
        let event = EventIn::from_json(event.to_string().as_bytes())?.parse(Origin {
            tenant: Tenant::DEFAULT,
            received_at: OffsetDateTime::now_utc(),
        })?;
        Ok(encode(&event, 1).to_vec())
    }
}
