//! The reports against small scenarios whose figures are computed by hand: contract 7, 8 and 10.

mod active_participants;
mod class_performance_summary;
mod classroom_engagement;
mod classroom_engagement_history;
mod classroom_overview;
mod completion_rate;
mod content_effectiveness;
mod dropoff_analysis;
mod failures;
mod fixtures;
mod golden;
mod latency_analysis;
mod parameters;
mod query;
mod question_analysis;
mod questions_per_minute;
mod quiz_questions_list;
mod quiz_summary;
mod response_rate;
mod session_lists;
mod student_activity_summary;
mod student_performance;
mod student_performance_list;
mod student_rankings;
mod tenants;
mod timeout_analysis;

use analytics_ingestor::store::figures;
use serde_json::Value;
use uuid::Uuid;

use crate::harness::event::{CLASSROOM, Draft};
use crate::harness::{App, TestDb};

/// An application in direct mode with something to report on.
struct World {
    app: App,
    db: TestDb,
}

impl World {
    async fn new() -> Self {
        let db = TestDb::new().await;
        Self {
            app: App::direct(&db).await,
            db,
        }
    }

    async fn happened(&self, events: impl IntoIterator<Item = Draft>) {
        let events: Vec<Value> = events.into_iter().map(Value::from).collect();
        let count = events.len();
        let body = self.app.post_batch(events).await.expect(201);
        assert_eq!(body["processed_count"], count, "{body}");
    }

    /// Puts students onto the roster of the classroom that events name by default.
    async fn enrol(&self, students: &[Uuid]) {
        enrol(&self.db, 1, CLASSROOM, students).await;
    }

    async fn report(&self, name: &str, params: &[(&str, &str)]) -> Value {
        self.app.report(name, params).await.expect(200)
    }

    /// The report while sessions are ahead of their stored figures; it must be the same once they are not.
    async fn settled_report(&self, name: &str, params: &[(&str, &str)]) -> Value {
        let computed = self.report(name, params).await;
        let refreshed = figures::refresh_stale(&self.db.pool, usize::MAX).await;
        refreshed.expect("the figures can be refreshed");
        let stale = self.db.number("SELECT count(*) FROM stale_sessions").await;
        assert_eq!(stale, 0);
        let stored = self.report(name, params).await;
        assert_eq!(stored, computed, "{name} {params:?}");
        stored
    }
}

/// Enters a roster as an operator does, with plain SQL.
async fn enrol(db: &TestDb, tenant: i32, classroom: Uuid, students: &[Uuid]) {
    for student in students {
        db.execute(&format!(
            "INSERT INTO classrooms (tenant_id, classroom_id) VALUES ({tenant}, '{classroom}') ON CONFLICT DO NOTHING;
             INSERT INTO students (tenant_id, student_id) VALUES ({tenant}, '{student}') ON CONFLICT DO NOTHING;
             INSERT INTO classroom_students (tenant_id, classroom_id, student_id)
             VALUES ({tenant}, '{classroom}', '{student}')"
        ))
        .await;
    }
}

/// Distinct ids in ascending order.
fn ids<const N: usize>() -> [Uuid; N] {
    let mut ids = std::array::from_fn(|_| Uuid::new_v4());
    ids.sort_unstable();
    ids
}
