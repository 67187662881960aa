//! The catalogue: contract 12.2.

mod classrooms;
mod grading;
mod interleaving;
mod quizzes;
mod refusals;
mod tenants;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::event::Draft;
use crate::harness::{App, TestDb};

/// An application in direct mode and an operator who keeps the catalogue of tenant 1.
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

    /// Puts an entry and returns it as stored, which is also how it is read back.
    async fn put(&self, path: &str, body: &Value) -> Value {
        let stored = self.app.put_as(1, path, body).await.expect(200);
        assert_eq!(self.entry(path).await, stored);
        stored
    }

    async fn entry(&self, path: &str) -> Value {
        self.app.entry_as(1, path).await.expect(200)
    }

    /// Puts a quiz of one question.
    async fn put_key(&self, quiz: Uuid, question: Uuid, key: Option<&str>) {
        self.put(&quiz_path(quiz), &quiz_of(&[(question, key)]))
            .await;
    }

    async fn analysis(&self, question: Uuid) -> Value {
        let question = question.to_string();
        let params = [("question_id", question.as_str())];
        self.app
            .report("question-analysis", &params)
            .await
            .expect(200)
    }

    /// How many attempts at a question are graded right.
    async fn correct(&self, question: Uuid) -> Value {
        self.analysis(question).await["usage_stats"]["correct_attempts"].clone()
    }
}

fn quiz_path(quiz: Uuid) -> String {
    format!("/api/quizzes/{quiz}")
}

fn classroom_path(classroom: Uuid) -> String {
    format!("/api/classrooms/{classroom}")
}

fn quiz_of(questions: &[(Uuid, Option<&str>)]) -> Value {
    let questions: Vec<Value> = questions
        .iter()
        .map(|(id, key)| json!({"question_id": id, "correct_answer": key}))
        .collect();
    json!({"title": "Sorting", "questions": questions})
}

fn classroom_of(students: &[(Uuid, Option<&str>)]) -> Value {
    let students: Vec<Value> = students
        .iter()
        .map(|(id, name)| json!({"student_id": id, "name": name}))
        .collect();
    json!({"name": "7b", "students": students})
}

/// Brings the stored figures of stale sessions up to date, and returns of how many.
async fn refresh(world: &World) -> i64 {
    let stale = "SELECT coalesce(refresh_sessions(array_agg(tenant_id), array_agg(session_id)), 0)
                 FROM (SELECT tenant_id, session_id FROM stale_sessions LIMIT 200) AS stale";
    world.db.number(stale).await
}

/// Distinct ids in ascending order.
fn ids<const N: usize>() -> [Uuid; N] {
    let mut ids = std::array::from_fn(|_| Uuid::new_v4());
    ids.sort_unstable();
    ids
}
