//! Changes of the catalogue while events keep coming.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use analytics_ingestor::event::Event;
use serde_json::json;
use tokio::sync::Barrier;
use uuid::Uuid;

use super::{World, classroom_of, classroom_path, ids, quiz_of, quiz_path, refresh};
use crate::harness::event::{a_publication, a_start, an_answer};
use crate::harness::{PATIENCE, eventually};

const WRITERS: u128 = 4;

/// Refreshes without a pause, so that every moment between two changes is one in which a session may be called clean.
async fn refresh_while(world: &World, busy: &AtomicBool) {
    while busy.load(Ordering::Relaxed) {
        if refresh(world).await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_keys_have_changed_under_a_stream_of_answers_every_answer_is_graded_by_the_last_key()
{
    let world = Arc::new(World::new().await);
    let [quiz, question] = ids();
    // Holds each change open between its look at the answers and its commit, which is when a race would be lost.
    world
        .db
        .execute(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.01); RETURN NULL; END';
             CREATE CONSTRAINT TRIGGER dawdle_at_the_commit AFTER UPDATE ON questions
                 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle()",
        )
        .await;
    world.happened([an_answer().of(question)]).await;
    let busy = Arc::new(AtomicBool::new(true));
    let refreshing = tokio::spawn({
        let (world, busy) = (Arc::clone(&world), Arc::clone(&busy));
        async move { refresh_while(&world, &busy).await }
    });
    let writing = (0..WRITERS).map(|_| {
        let (world, busy) = (Arc::clone(&world), Arc::clone(&busy));
        tokio::spawn(async move {
            let mut sent = 0_i64;
            while busy.load(Ordering::Relaxed) && sent < 1_000 {
                // A session of its own: nobody but the key change could outdate it afterwards.
                let answers = ["A", "B"].map(|text| an_answer().of(question).saying(text));
                world.happened(answers).await;
                sent += 2;
            }
            sent
        })
    });
    let writing: Vec<_> = writing.collect();
    // In one snapshot: sessions that count as clean, and those of them whose stored figures are not the facts'.
    let compared = "SELECT count(*), count(*) FILTER (WHERE (r.attempts, r.attempts_correct) <> (c.attempts, c.attempts_correct))
         FROM stored_session_questions r JOIN computed_session_questions c USING (tenant_id, session_id, question_id)
         WHERE NOT EXISTS (SELECT FROM stale_sessions z WHERE z.session_id = r.session_id)";
    for round in 0..30 {
        let key = if round % 2 == 0 { "A" } else { "B" };
        world.put_key(quiz, question, Some(key)).await;
        // Compared at once, and until the next change finds sessions that it has to take from the clean ones.
        eventually("some sessions are clean", PATIENCE, async || {
            let (clean, wrong): (i64, i64) = sqlx::query_as(compared)
                .fetch_one(&world.db.pool)
                .await
                .unwrap();
            assert_eq!(wrong, 0, "round {round}");
            clean > 0
        })
        .await;
    }
    busy.store(false, Ordering::Relaxed);
    let mut sent = 0;
    for writing in writing {
        sent += writing.await.unwrap();
    }
    refreshing.await.unwrap();

    assert!(sent > 0);
    // The last key is B, and the answer before the race was "B", too.
    let analysis = world.analysis(question).await;
    let (total, correct) = (sent + 1, sent / 2 + 1);
    assert_eq!(
        (
            &analysis["usage_stats"]["total_attempts"],
            &analysis["usage_stats"]["correct_attempts"]
        ),
        (&json!(total), &json!(correct))
    );
    let of_figures = format!(
        "SELECT sum(attempts_correct) FROM session_questions WHERE question_id = '{question}'"
    );
    assert_eq!(world.db.number(&of_figures).await, correct);
}

const ROUNDS: u128 = 20;
const QUESTIONS: u128 = 20;

/// An id that writers and the catalogue come upon at about the same time.
fn shared(kind: u128, round: u128, number: u128) -> Uuid {
    // Neighbours of one round are far apart and in no order.
    Uuid::from_u128((kind << 100) | ((number * 7_919 % 97) << 64) | (round << 8) | number)
}

/// What one writer tells in a round: of the same things as the others, the other way round for every second one.
fn told(writer: u128, round: u128, sessions: &[Uuid]) -> Vec<Event> {
    let drafts = (0..QUESTIONS).flat_map(|number| {
        let number = if writer % 2 == 1 {
            QUESTIONS - 1 - number
        } else {
            number
        };
        let session = sessions[number as usize % sessions.len()];
        let question = shared(3, round, number);
        let publication = a_publication().in_session(session).of(question);
        let student = shared(4, round, number);
        [
            // A key takes the lock of key changes, which keeps the other writers away: only now and then.
            if round % 5 == 1 && number == writer {
                publication.with_key("A")
            } else {
                publication
            },
            an_answer().in_session(session).of(question).by(student),
            a_start().in_session(session),
        ]
        .map(|draft| {
            draft
                .with("quiz_id", shared(1, round, number % 3))
                .in_classroom(shared(2, round, number % 3))
        })
    });
    drafts.map(|draft| draft.parse(1)).collect()
}

/// Puts the quizzes of a round into the catalogue, or its classrooms.
async fn keep(world: &World, keeper: u128, round: u128, classrooms: bool) {
    for number in 0..3 {
        let (path, body) = if classrooms {
            let students: Vec<_> = (0..QUESTIONS)
                .rev()
                .map(|student| (shared(4, round, student), Some("Ann")))
                .collect();
            let classroom = shared(2, round, number);
            (classroom_path(classroom), classroom_of(&students))
        } else {
            let listed = (0..QUESTIONS)
                .filter(|question| (question + keeper).is_multiple_of(2) || question % 3 == number);
            let key = (number == 0 && round.is_multiple_of(5)).then_some("A");
            let questions: Vec<_> = listed
                .map(|question| (shared(3, round, question), key))
                .collect();
            let quiz = shared(1, round, number);
            (quiz_path(quiz), quiz_of(&questions))
        };
        world.app.put_as(1, &path, &body).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_writers_and_catalogue_changes_that_name_the_same_new_things_do_not_deadlock() {
    let world = Arc::new(World::new().await);
    // Every transaction lingers between one kind of rows and the next, so that they do meet half-way.
    world.db.execute("CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.003); RETURN NULL; END'").await;
    for table in ["questions", "students", "classrooms", "quizzes", "sessions"] {
        let linger = format!(
            "CREATE TRIGGER linger BEFORE INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION linger()"
        );
        world.db.execute(&linger).await;
    }
    let sessions: Arc<[Uuid]> = (0..10).map(|_| Uuid::new_v4()).collect();
    let together = Arc::new(Barrier::new(WRITERS as usize + 2));
    let mut working = Vec::new();
    for number in 0..WRITERS {
        let (sessions, together) = (Arc::clone(&sessions), Arc::clone(&together));
        // One of its own: writers that share one wait for each other before they come to the database.
        let writer = world.db.writer(1);
        working.push(tokio::spawn(async move {
            for round in 0..ROUNDS {
                let events = told(number, round, &sessions);
                together.wait().await;
                writer.write_batch(&events, None).await.unwrap();
            }
        }));
    }
    for keeper in 0..2 {
        let (world, together) = (Arc::clone(&world), Arc::clone(&together));
        working.push(tokio::spawn(async move {
            for round in 0..ROUNDS {
                together.wait().await;
                let classrooms_first = (round + keeper).is_multiple_of(2);
                keep(&world, keeper, round, classrooms_first).await;
                keep(&world, keeper, round, !classrooms_first).await;
            }
        }));
    }
    for working in working {
        working.await.unwrap();
    }
    let answers = (WRITERS * ROUNDS * QUESTIONS) as i64;
    let stored = world.db.number("SELECT count(*) FROM answers").await;
    assert_eq!(stored, answers);
    let world = Arc::into_inner(world).unwrap();
    world.app.stop().await;
    // A transaction that was chosen as the victim is tried again, so only the server's count can tell.
    assert_eq!(world.db.deadlocks().await, 0);
}
