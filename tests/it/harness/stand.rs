//! Everything that an event passes through in one of the two modes, from the request to its row.

use super::app::{App, Setup};
use super::database::TestDb;
use super::topic::{Running, Topics};
use super::wait::{PATIENCE, eventually};

/// An application with its own database and, in Kafka mode, its own topics and consumer.
pub(crate) struct Stand {
    pub(crate) app: App,
    pub(crate) kafka: Option<Topics>,
    _consumer: Option<Running>,
    pub(crate) db: TestDb,
}

impl Stand {
    pub(crate) async fn direct() -> Self {
        let db = TestDb::new().await;
        Self {
            app: App::direct(&db).await,
            kafka: None,
            _consumer: None,
            db,
        }
    }

    pub(crate) async fn kafka() -> Self {
        let db = TestDb::new().await;
        let topics = Topics::new().await;
        let consumer = Running::start(&topics, &db.url());
        let app = Setup::on(&db.url()).through(&topics).start().await;
        // The first acknowledgement of a new topic takes longer than later ones; a fallback would blur what is tested.
        eventually("the first event goes by way of Kafka", PATIENCE, || async {
            let reply = app.post_event_as(9_999, super::event::a_start()).await;
            reply.json()["mode"] == "kafka"
        })
        .await;
        Self {
            app,
            kafka: Some(topics),
            _consumer: Some(consumer),
            db,
        }
    }

    /// One of each mode.
    pub(crate) async fn both() -> [Self; 2] {
        [Self::direct().await, Self::kafka().await]
    }

    pub(crate) fn mode(&self) -> &'static str {
        if self.kafka.is_some() {
            "kafka"
        } else {
            "direct"
        }
    }

    /// Waits until everything acknowledged is in the database.
    pub(crate) async fn settle(&self) {
        if let Some(topics) = &self.kafka {
            topics.drained(PATIENCE).await;
        }
    }

    /// Events of tenant 1 in the database, once everything acknowledged is there.
    pub(crate) async fn stored(&self) -> i64 {
        self.settle().await;
        let counts = ["answers", "publications", "session_events"]
            .map(|table| format!("(SELECT count(*) FROM {table} WHERE tenant_id = 1)"));
        self.db
            .number(&format!("SELECT {}", counts.join(" + ")))
            .await
    }
}
