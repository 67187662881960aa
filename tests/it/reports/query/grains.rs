//! What is read from the sessions' figures agrees with what is computed from the answers.

use serde_json::{Value, json};
use time::Duration;
use uuid::Uuid;

use super::{DIMENSIONS, MEASURES, World, a_publication, a_start, an_answer, an_end, enrol, ids};
use crate::harness::event::NOON;

/// A small generator, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// Sessions of all kinds over three classrooms, with changed answers, guests, repeated publications and a few keys.
async fn a_week(world: &World, dice: &mut Dice) {
    let students: [Uuid; 9] = ids();
    let rooms: [Uuid; 3] = ids();
    let quizzes: [Uuid; 2] = ids();
    let questions: [Uuid; 6] = ids();
    let teachers: [Uuid; 2] = ids();
    for (number, room) in rooms.iter().enumerate() {
        enrol(&world.db, 1, *room, &students[number * 2..number * 2 + 4]).await;
    }
    world
        .db
        .execute(
            "UPDATE students SET name = 'S' || substr(student_id::text, 1, 1);
             UPDATE classrooms SET name = 'R' || substr(classroom_id::text, 1, 1)",
        )
        .await;
    let mut events = Vec::new();
    for _ in 0..8 {
        let ([session], room, quiz) = (ids(), dice.one(&rooms), dice.one(&quizzes));
        let day = NOON + Duration::hours(i64::try_from(dice.below(100)).unwrap());
        let mut happen = |event: super::Draft, second: usize| {
            let at = day + Duration::seconds(i64::try_from(second).unwrap());
            events.push(
                event
                    .in_session(session)
                    .in_classroom(room)
                    .with("quiz_id", quiz)
                    .at(at),
            );
        };
        if dice.below(4) > 0 {
            happen(a_start(), 0);
        }
        if dice.below(3) > 0 {
            happen(an_end(), 600 + dice.below(4_000));
        }
        for _ in 0..dice.below(6) {
            let mut publication = a_publication().of(dice.one(&questions));
            publication = match dice.below(4) {
                0 => publication.without("timer_sec"),
                1 => publication
                    .with("timer_sec", 20)
                    .with("teacher_id", dice.one(&teachers)),
                2 => publication
                    .with_key("B")
                    .with("teacher_id", dice.one(&teachers)),
                _ => publication,
            };
            happen(publication, dice.below(300));
        }
        for _ in 0..dice.below(25) {
            let mut answer = an_answer()
                .of(dice.one(&questions))
                .by(dice.one(&students))
                .saying(dice.one(&["A", "B", " B"]));
            if dice.below(3) == 0 {
                answer = answer.with(
                    "response_time_ms",
                    i32::try_from(dice.below(50_000)).unwrap(),
                );
            }
            happen(answer, dice.below(400));
        }
    }
    world.happened(events).await;
}

/// The same query read from wherever it likes, and from the answers: a time range without ends to speak of only the
/// answers can judge.
async fn compare(world: &World, dimensions: &[&str], filters: &Value) {
    let query = |range: Value| json!({"measures": MEASURES, "dimensions": dimensions, "filters": filters, "time_range": range});
    let quick = world.rows(query(json!(null))).await;
    let raw = world
        .rows(query(json!({"start": "0001-01-01T00:00:00Z"})))
        .await;
    assert_eq!(quick, raw, "{dimensions:?} {filters}");
}

/// A measure alone may be read from coarser figures than all of them together, and from the answers in another way.
async fn compare_alone(world: &World, dimensions: &[&str], range: &Value) {
    let query = |measures: &[&str]| json!({"measures": measures, "dimensions": dimensions, "time_range": range});
    let together = world.rows(query(&MEASURES)).await;
    for measure in MEASURES {
        let alone = world.rows(query(&[measure])).await;
        let column = |rows: &Value| -> Value {
            rows.as_array()
                .unwrap()
                .iter()
                .map(|row| row[measure].clone())
                .collect()
        };
        assert_eq!(
            column(&alone),
            column(&together),
            "{measure} {dimensions:?}"
        );
    }
}

#[tokio::test]
async fn the_sessions_figures_and_the_answers_agree() {
    let combinations: [&[&str]; 12] = [
        &[],
        &["session_id"],
        &["classroom_name"],
        &["quiz_title"],
        &["session_duration_category"],
        &["student_name"],
        &["question_id"],
        &["classroom_name", "question_id"],
        &["session_id", "student_name"],
        &["quiz_title", "engagement_level"],
        &["performance_level", "session_duration_category"],
        &["difficulty_level", "classroom_name"],
    ];
    let world = World::new().await;
    a_week(&world, &mut Dice(1)).await;
    // Stale first, then stored, at last both.
    for dimensions in combinations {
        compare(&world, dimensions, &json!({})).await;
    }
    world.store_figures().await;
    for dimensions in combinations {
        compare(&world, dimensions, &json!({})).await;
    }
    for dimensions in [&[][..], &["question_id"], &["student_name"]] {
        for range in [json!(null), json!({"start": "0001-01-01T00:00:00Z"})] {
            compare_alone(&world, dimensions, &range).await;
        }
    }
    world
        .db
        .execute(
            "SELECT outdate_sessions(array_agg(tenant_id), array_agg(session_id))
             FROM (SELECT * FROM sessions ORDER BY session_id LIMIT 3) AS chosen",
        )
        .await;
    for (dimensions, filter) in [
        (combinations[0], "session_duration_category"),
        (combinations[0], "performance_level"),
        (combinations[1], "engagement_level"),
        (combinations[5], "classroom_name"),
        (combinations[6], "difficulty_level"),
        (combinations[9], "student_name"),
        (combinations[10], "question_id"),
    ] {
        let values = world.rows(json!({"dimensions": [filter]})).await;
        for row in values.as_array().unwrap() {
            compare(&world, dimensions, &json!({filter: row[filter]})).await;
        }
    }
}

#[tokio::test]
async fn every_dimension_adds_up_to_all_answers() {
    let world = World::new().await;
    a_week(&world, &mut Dice(3)).await;
    let all = world
        .rows(json!({"measures": ["total_answers", "correct_answers"]}))
        .await;
    for dimension in DIMENSIONS {
        let body =
            json!({"measures": ["total_answers", "correct_answers"], "dimensions": [dimension]});
        let rows = world.rows(body).await;
        for measure in ["total_answers", "correct_answers"] {
            let sum: i64 = rows
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row[measure].as_i64().unwrap())
                .sum();
            assert_eq!(json!(sum), all[0][measure], "{dimension}");
        }
    }
}
