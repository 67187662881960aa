//! Any order, any duplication, any split and any number of writers leave the same rows: the promise that everything
//! else stands on, held by generated sets of events on a real PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};

use analytics_ingestor::event::{Event, Fact};
use analytics_ingestor::store::EventWriter;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::harness::TestDb;
use crate::harness::event::{a_publication, a_start, an_answer, an_end};
use crate::harness::rows::{differences, exact_rows, lasting_rows};

const CASES: u32 = 24;

/// One event out of a world that is small enough for events to meet.
#[derive(Debug, Clone)]
struct Spec {
    kind: Kind,
    tenant: i64,
    session: u8,
    question: u8,
    student: u8,
    quiz: u8,
    classroom: u8,
    second: i64,
    /// Decides how the ids of two events compare, whatever their places in the set are.
    rank: u8,
    key: Option<&'static str>,
    has_text_id: bool,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Start,
    End,
    Publication,
    Answer,
}

fn a_spec() -> impl Strategy<Value = Spec> {
    let kind = prop_oneof![
        1 => Just(Kind::Start),
        1 => Just(Kind::End),
        3 => Just(Kind::Publication),
        5 => Just(Kind::Answer),
    ];
    let key = prop_oneof![2 => Just(None), 1 => Just(Some("A")), 1 => Just(Some("B"))];
    let place = (1..=2_i64, 0..3_u8, 0..3_u8, 0..3_u8, 0..2_u8, 0..2_u8);
    (kind, place, 0..5_i64, any::<u8>(), key, any::<bool>()).prop_map(
        |(
            kind,
            (tenant, session, question, student, quiz, classroom),
            second,
            rank,
            key,
            has_text_id,
        )| Spec {
            kind,
            tenant,
            session,
            question,
            student,
            quiz,
            classroom,
            second,
            rank,
            key,
            has_text_id,
        },
    )
}

fn id(kind: u8, number: u8) -> Uuid {
    Uuid::from_u128(u128::from(kind) << 64 | u128::from(number))
}

/// The events of a set; each has an id of its own, so copies of an event are equal.
fn events_of(specs: &[Spec]) -> Vec<Event> {
    let event_of = |(place, spec): (usize, &Spec)| {
        let draft = match spec.kind {
            Kind::Start => a_start(),
            Kind::End => an_end(),
            Kind::Publication => {
                let draft = a_publication().of(id(2, spec.question));
                match spec.key {
                    Some(key) => draft.with_key(key),
                    None => draft,
                }
            }
            Kind::Answer => an_answer().of(id(2, spec.question)).by(id(3, spec.student)),
        };
        let draft = if spec.has_text_id {
            draft.named(format!("{}-{place}", spec.rank))
        } else {
            draft.named(Uuid::from_u128(u128::from(spec.rank) << 32 | place as u128))
        };
        draft
            .in_session(id(1, spec.session))
            .in_classroom(id(5, spec.classroom))
            .with("quiz_id", id(4, spec.quiz))
            .at_second(spec.second)
            .parse(spec.tenant)
    };
    specs.iter().enumerate().map(event_of).collect()
}

/// How a set arrives: every event at least once, some more often, in any order, cut anywhere, by several writers.
#[derive(Debug, Clone)]
struct Arrival {
    order: Vec<usize>,
    batch_sizes: Vec<usize>,
    writers: usize,
}

impl Arrival {
    fn batches(&self, events: &[Event]) -> Vec<Vec<Event>> {
        let mut sizes = self.batch_sizes.iter().copied().cycle();
        let mut rest = self.order.as_slice();
        let mut batches = Vec::new();
        while let Some(size) = sizes.next().filter(|_| !rest.is_empty()) {
            let (batch, later) = rest.split_at(size.min(rest.len()));
            batches.push(batch.iter().map(|place| events[*place].clone()).collect());
            rest = later;
        }
        batches
    }
}

fn a_set_and_its_arrival() -> impl Strategy<Value = (Vec<Spec>, Arrival)> {
    prop::collection::vec(a_spec(), 1..40).prop_flat_map(|specs| {
        let count = specs.len();
        let order = prop::collection::vec(0..count, 0..count).prop_flat_map(move |again| {
            let order: Vec<usize> = (0..count).chain(again).collect();
            Just(order).prop_shuffle()
        });
        let arrival = (order, prop::collection::vec(1..12_usize, 1..6), 1..=3_usize).prop_map(
            |(order, batch_sizes, writers)| Arrival {
                order,
                batch_sizes,
                writers,
            },
        );
        (Just(specs), arrival)
    })
}

/// Runs a property over generated cases inside one runtime and one database.
fn check<S, F>(strategy: S, property: impl Fn(TestDb, S::Value) -> F)
where
    S: Strategy,
    F: Future<Output = (TestDb, Result<(), TestCaseError>)>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let config = Config {
        cases: CASES,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    };
    let db = std::cell::Cell::new(Some(runtime.block_on(TestDb::new())));
    let outcome = TestRunner::new(config).run(&strategy, |case| {
        let (used, outcome) = runtime.block_on(async {
            let db = db.take().expect("the last case gave the database back");
            clear(&db).await;
            property(db, case).await
        });
        db.set(Some(used));
        outcome
    });
    // The database is dropped inside the runtime that its connections belong to.
    let _guard = runtime.enter();
    drop(db);
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

async fn clear(db: &TestDb) {
    let tables = [
        "answers",
        "publications",
        "session_events",
        "sessions",
        "questions",
        "students",
        "classrooms",
        "quizzes",
    ];
    let statements: Vec<String> = tables
        .iter()
        .map(|table| format!("DELETE FROM {table}"))
        .collect();
    db.execute(&statements.join(";")).await;
}

async fn write(writer: &EventWriter, batch: &[Event]) {
    writer
        .write_batch(batch, None)
        .await
        .expect("the database takes events");
}

#[test]
fn any_order_duplication_split_and_number_of_writers_leave_the_same_rows() {
    check(a_set_and_its_arrival(), |db, (specs, arrival)| async move {
        let events = events_of(&specs);
        let writer = db.writer(1);
        write(&writer, &events).await;
        let in_order = lasting_rows(&db.pool).await;

        clear(&db).await;
        let batches = arrival.batches(&events);
        let writing = (0..arrival.writers).map(|first| {
            let mine: Vec<Vec<Event>> = batches
                .iter()
                .skip(first)
                .step_by(arrival.writers)
                .cloned()
                .collect();
            let writer = db.writer(1);
            tokio::spawn(async move {
                for batch in mine {
                    write(&writer, &batch).await;
                }
            })
        });
        for writing in writing.collect::<Vec<_>>() {
            writing.await.expect("a writer ends well");
        }
        let arrived = lasting_rows(&db.pool).await;
        let different = differences(&in_order, &arrived);

        let before = exact_rows(&db.pool).await;
        write(&writer, &events).await;
        for batch in &batches {
            write(&writer, batch).await;
        }
        let touched = differences(&before, &exact_rows(&db.pool).await);
        let outcome = if !different.is_empty() {
            Err(TestCaseError::fail(format!(
                "the rows differ:\n{different}"
            )))
        } else if !touched.is_empty() {
            Err(TestCaseError::fail(format!(
                "a replay touched rows:\n{touched}"
            )))
        } else {
            Ok(())
        };
        (db, outcome)
    });
}

type Session = (i32, Uuid);
type Question = (i32, Uuid);

/// What decides a session's version: its facts, and the keys in force for the questions that it has answers to.
#[derive(Default)]
struct Model {
    facts: BTreeSet<(i32, Uuid, Uuid)>,
    newest_keys: BTreeMap<Question, (OffsetDateTime, Uuid, String)>,
    answered: BTreeSet<(Session, Question)>,
    catalogue: BTreeSet<Question>,
}

impl Model {
    fn key(&self, question: &Question) -> Option<String> {
        let carried = || {
            self.newest_keys
                .get(question)
                .map(|(_, _, key)| key.clone())
        };
        if self.catalogue.contains(question) {
            Some("C".to_owned())
        } else {
            carried()
        }
    }

    /// Takes a batch and answers with the sessions whose figures may be different from now on.
    fn take(&mut self, batch: &[Event]) -> BTreeSet<Session> {
        let mut moved = BTreeSet::new();
        let mut keys_before = BTreeMap::new();
        for event in batch {
            let tenant = event.tenant.id();
            let session = (tenant, event.session_id);
            if !self
                .facts
                .insert((tenant, event.session_id, event.event_id.uuid()))
            {
                continue;
            }
            moved.insert(session);
            match &event.fact {
                Fact::AnswerSubmitted { question_id, .. } => {
                    self.answered.insert((session, (tenant, *question_id)));
                }
                Fact::QuestionPublished {
                    question_id,
                    correct_answer: Some(key),
                    ..
                } => {
                    let question = (tenant, *question_id);
                    keys_before
                        .entry(question)
                        .or_insert_with(|| self.key(&question));
                    let carried = (event.occurred_at, event.event_id.uuid(), key.to_string());
                    let newest = self
                        .newest_keys
                        .entry(question)
                        .or_insert_with(|| carried.clone());
                    if (carried.0, carried.1) > (newest.0, newest.1) {
                        *newest = carried;
                    }
                }
                _ => {}
            }
        }
        for (question, before) in keys_before {
            if self.key(&question) != before {
                let answered = self
                    .answered
                    .iter()
                    .filter(|(_, answered)| *answered == question);
                moved.extend(answered.map(|(session, _)| *session));
            }
        }
        moved
    }
}

async fn versions(db: &TestDb) -> BTreeMap<Session, i64> {
    let rows: Vec<(i32, Uuid, i64)> =
        sqlx::query_as("SELECT tenant_id, session_id, facts_version FROM sessions")
            .fetch_all(&db.pool)
            .await
            .unwrap();
    rows.into_iter()
        .map(|(tenant, session, version)| ((tenant, session), version))
        .collect()
}

#[test]
fn the_version_of_a_session_moves_exactly_with_a_new_fact_or_a_changed_key_of_an_answered_question()
{
    check(a_set_and_its_arrival(), |db, (specs, arrival)| async move {
        let events = events_of(&specs);
        let writer = db.writer(1);
        // A key of the catalogue is in force whatever publications carry.
        let known = (1, id(2, 0));
        db.execute(&format!(
            "INSERT INTO questions (tenant_id, question_id, correct_answer) VALUES ({}, '{}', 'C')",
            known.0, known.1
        ))
        .await;
        let mut model = Model {
            catalogue: [known].into(),
            ..Model::default()
        };
        let mut outcome = Ok(());
        for batch in arrival.batches(&events) {
            let before = versions(&db).await;
            write(&writer, &batch).await;
            let expected = model.take(&batch);
            let after = versions(&db).await;
            let moved: BTreeSet<Session> = after
                .iter()
                .filter(|(session, version)| {
                    before.get(*session).is_none_or(|before| before < *version)
                })
                .map(|(session, _)| *session)
                .collect();
            if moved != expected {
                outcome = Err(TestCaseError::fail(format!(
                    "moved {moved:?} instead of {expected:?} after {batch:#?}"
                )));
                break;
            }
        }
        (db, outcome)
    });
}
