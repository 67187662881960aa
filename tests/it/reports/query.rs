//! The generic query: contract 9.

mod dimensions;
mod filters;
mod fixtures;
mod grains;
mod groups;
mod measures;
mod refusals;
mod rows;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{World, enrol, ids};
use crate::harness::event::{Draft, a_publication, a_start, an_answer, an_end};

/// Every measure that there is.
const MEASURES: [&str; 23] = [
    "total_answers",
    "correct_answers",
    "wrong_answers",
    "accuracy_rate",
    "active_students",
    "questions_published",
    "performance_variance",
    "student_attempts_per_question",
    "participation_rate",
    "engagement_score",
    "session_completion_rate",
    "unique_sessions",
    "average_session_duration",
    "questions_per_minute",
    "question_difficulty_score",
    "content_effectiveness_score",
    "time_to_first_answer",
    "question_engagement_rate",
    "quiz_completion_rate",
    "response_speed_score",
    "response_time_avg",
    "response_time_min",
    "response_time_max",
];

/// Every dimension that there is.
const DIMENSIONS: [&str; 21] = [
    "session_id",
    "classroom_name",
    "student_name",
    "question_id",
    "answer_option",
    "correctness_flag",
    "event_date",
    "event_hour",
    "event_week",
    "event_month",
    "event_day_of_week",
    "time_bucket",
    "performance_level",
    "response_speed_category",
    "speed_category",
    "engagement_level",
    "session_duration_category",
    "quiz_title",
    "difficulty_level",
    "timer_duration_category",
    "teacher_id",
];

impl World {
    async fn query(&self, body: Value) -> Value {
        self.app.query(&body).await.expect(200)
    }

    /// The rows of a query.
    async fn rows(&self, body: Value) -> Value {
        let body = self.query(body).await;
        assert_eq!(body["count"], body["data"].as_array().unwrap().len());
        body["data"].clone()
    }

    /// What a refresher does: stores the figures of every session.
    async fn store_figures(&self) {
        self.db
            .execute(
                "INSERT INTO stored_session_figures SELECT * FROM due_session_figures;
                 INSERT INTO stored_session_questions SELECT * FROM due_session_questions;
                 INSERT INTO stored_session_students SELECT * FROM due_session_students;
                 DELETE FROM stale_sessions",
            )
            .await;
    }
}

/// A school day with one of everything: two sessions, of which one goes on; five students on two rosters and a guest; a
/// question published twice, one never published and one without a key; an answer that was changed, one that came
/// before its question and one that came a day late.
struct School {
    world: World,
    physics: Uuid,
    biology: Uuid,
    motion: Uuid,
    cells: Uuid,
    /// In physics; ended after 20 minutes.
    first: Uuid,
    /// In biology, from 19:00; goes on.
    second: Uuid,
    /// The first two are of the first session, with keys B and C; of the others only the third was published.
    questions: [Uuid; 4],
    teachers: [Uuid; 2],
    ann: Uuid,
    ben: Uuid,
    cem: Uuid,
    dan: Uuid,
    eve: Uuid,
    gus: Uuid,
}

const EVENING: i64 = 7 * 3_600;
const NEXT_MORNING: i64 = 18 * 3_600;

impl School {
    async fn new() -> Self {
        let [physics, biology, motion, cells] = ids();
        let [first, second] = ids();
        let [ann, ben, cem, dan, eve, gus] = ids();
        let school = Self {
            world: World::new().await,
            physics,
            biology,
            motion,
            cells,
            first,
            second,
            questions: ids(),
            teachers: ids(),
            ann,
            ben,
            cem,
            dan,
            eve,
            gus,
        };
        school.enrol().await;
        school.teach().await;
        school
    }

    async fn enrol(&self) {
        let db = &self.world.db;
        enrol(db, 1, self.physics, &[self.ann, self.ben, self.cem]).await;
        enrol(db, 1, self.biology, &[self.dan, self.eve]).await;
        let names = [
            ("Ann", self.ann),
            ("Ben", self.ben),
            ("Cem", self.cem),
            ("Dan", self.dan),
        ];
        for (name, student) in names {
            db.execute(&format!(
                "UPDATE students SET name = '{name}' WHERE student_id = '{student}'"
            ))
            .await;
        }
        db.execute(&format!(
            "UPDATE classrooms SET name = 'Physics' WHERE classroom_id = '{}';
             UPDATE classrooms SET name = 'Biology' WHERE classroom_id = '{}';
             INSERT INTO quizzes (quiz_id, title) VALUES ('{}', 'Motion'), ('{}', 'Cells')",
            self.physics, self.biology, self.motion, self.cells
        ))
        .await;
    }

    fn of_first(&self, event: Draft) -> Draft {
        event
            .in_session(self.first)
            .in_classroom(self.physics)
            .with("quiz_id", self.motion)
    }

    fn of_second(&self, event: Draft) -> Draft {
        event
            .in_session(self.second)
            .in_classroom(self.biology)
            .with("quiz_id", self.cells)
    }

    async fn teach(&self) {
        let [q1, q2, q3, q4] = self.questions;
        let [head, aide] = self.teachers;
        let publish = |question, second| a_publication().of(question).at_second(second);
        let answer = |student, question, text: &str, second| {
            an_answer()
                .by(student)
                .of(question)
                .saying(text)
                .at_second(second)
        };
        let first = [
            a_start(),
            an_end().at_second(1_200),
            publish(q1, 60)
                .with_key("B")
                .with("timer_sec", 20)
                .with("teacher_id", head),
            publish(q2, 120)
                .with_key("C")
                .with("timer_sec", 45)
                .with("teacher_id", head),
            publish(q2, 300).without("timer_sec"),
            answer(self.ann, q1, "B", 70).with("response_time_ms", 9_000),
            // Thinks again.
            answer(self.ann, q2, "A", 130),
            answer(self.ann, q2, "C", 190),
            answer(self.ben, q1, "A", 100),
            // In the second round.
            answer(self.ben, q2, "C", 310),
            answer(self.cem, q1, "B", 65),
            // Before the question.
            answer(self.gus, q1, "B", 50),
        ];
        let second = [
            a_start().at_second(EVENING),
            publish(q3, EVENING)
                .with("timer_sec", 90)
                .with("teacher_id", aide),
            answer(self.dan, q3, "X", EVENING + 20),
            answer(self.dan, q4, "Y", NEXT_MORNING).with("response_time_ms", 1_500),
        ];
        let first = first.map(|event| self.of_first(event));
        let second = second.map(|event| self.of_second(event));
        self.world.happened(first.into_iter().chain(second)).await;
    }

    async fn rows(&self, body: Value) -> Value {
        self.world.rows(body).await
    }

    /// `[[value, answers], …]` of one dimension.
    async fn answers_by(&self, dimension: &str) -> Value {
        let rows = self
            .rows(json!({"measures": ["total_answers"], "dimensions": [dimension]}))
            .await;
        let pairs = rows.as_array().unwrap().iter();
        pairs
            .map(|row| json!([row[dimension], row["total_answers"]]))
            .collect()
    }
}
