//! What one write costs and keeps: refused events, the consumer's progress, writers in each other's way.

use analytics_ingestor::event::Event;
use analytics_ingestor::store::{Progress, WriteOutcome};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::harness::event::{NOON, a_publication, a_start, an_answer};
use crate::harness::{PATIENCE, TestDb, eventually};

fn answers(count: usize, texts: impl Fn(usize) -> &'static str) -> Vec<Event> {
    let session = Uuid::new_v4();
    (0..count)
        .map(|n| {
            an_answer()
                .in_session(session)
                .named(format!("e{n}"))
                .saying(texts(n))
                .parse(1)
        })
        .collect()
}

fn progress(next_offset: i64) -> Progress {
    Progress {
        group: "group".to_owned(),
        topic: "topic".to_owned(),
        partition: 2,
        next_offset,
        record_at: Some(OffsetDateTime::now_utc()),
        offsets: Vec::new(),
    }
}

/// Transactions of the database so far, once the given pool has reported all of its own.
async fn transactions(db: &TestDb, pool: PgPool) -> i64 {
    pool.close().await;
    let others = format!(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = '{}' AND application_name = 'analytics-ingestor write'",
        db.name()
    );
    eventually("the writer's connections are gone", PATIENCE, || async {
        db.number(&others).await == 0
    })
    .await;
    let query = format!(
        "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '{}'",
        db.name()
    );
    db.number(&query).await
}

/// Writes events, the database refusing each that says "poison", and answers with outcomes and transactions spent.
async fn write_with_poison(
    db: &TestDb,
    events: &[Event],
    progress: Option<&Progress>,
) -> (Vec<WriteOutcome>, i64) {
    let before = transactions(db, db.write_pool(1)).await;
    let pool = db.write_pool(1);
    let deadline = std::time::Duration::from_secs(20);
    let writer = analytics_ingestor::store::EventWriter::new(pool.clone(), deadline, "direct");
    let outcomes = writer.write_batch(events, progress).await.unwrap();
    (outcomes, transactions(db, pool).await - before)
}

async fn refuse_poison(db: &TestDb) {
    db.execute("ALTER TABLE answers ADD CONSTRAINT no_poison CHECK (answer <> 'poison')")
        .await;
}

#[tokio::test]
async fn one_refused_event_among_a_thousand_costs_a_few_statements_and_keeps_no_other_out() {
    let db = TestDb::new().await;
    refuse_poison(&db).await;
    let events = answers(1_000, |n| if n == 617 { "poison" } else { "B" });
    let (outcomes, spent) = write_with_poison(&db, &events, Some(&progress(1_000))).await;
    for (place, outcome) in outcomes.iter().enumerate() {
        let expected = match place {
            617 => WriteOutcome::Refused {
                sqlstate: "23514".to_owned(),
            },
            _ => WriteOutcome::Stored,
        };
        assert_eq!(*outcome, expected, "event {place}");
    }
    assert_eq!(db.number("SELECT count(*) FROM answers").await, 999);
    // Each answer names a student of its own; the refused one leaves none behind, the others lose none.
    assert_eq!(db.number("SELECT count(*) FROM students").await, 999);
    let strays = db.number("SELECT count(*) FROM answers LEFT JOIN students USING (tenant_id, student_id) WHERE students IS NULL");
    assert_eq!(strays.await, 0);
    assert_eq!(
        db.number("SELECT next_offset FROM consumer_progress").await,
        1_000
    );
    // Two halves for each halving of 1,000, the poison itself, the progress, and what looking costs.
    assert!(spent <= 2 * 10 + 12, "{spent} transactions");
}

#[tokio::test]
async fn of_a_batch_that_is_refused_as_a_whole_the_progress_is_kept() {
    let db = TestDb::new().await;
    refuse_poison(&db).await;
    let (outcomes, _) = write_with_poison(&db, &answers(3, |_| "poison"), Some(&progress(7))).await;
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, WriteOutcome::Refused { .. }))
    );
    assert_eq!(db.number("SELECT count(*) FROM answers").await, 0);
    assert_eq!(
        db.number("SELECT next_offset FROM consumer_progress").await,
        7
    );
}

#[tokio::test]
async fn progress_never_goes_back_but_in_a_topic_that_was_made_anew() {
    let db = TestDb::new().await;
    let writer = db.writer(1);
    let write = async |next_offset, minute| {
        let progress = Progress {
            record_at: Some(NOON + time::Duration::minutes(minute)),
            ..progress(next_offset)
        };
        let written = writer.write_batch(&[], Some(&progress)).await;
        written.unwrap();
        db.number("SELECT next_offset FROM consumer_progress").await
    };
    assert_eq!(write(100, 10).await, 100);
    assert_eq!(write(50, 5).await, 100, "a late transaction, or a replay");
    assert_eq!(write(90, 11).await, 100, "the clocks of senders differ");
    let minute = "SELECT extract(minute FROM record_at)::int8 FROM consumer_progress";
    assert_eq!(db.number(minute).await, 10, "it belongs to the offset");
    assert_eq!(write(110, 9).await, 110);
    assert_eq!(write(3, 60).await, 3, "another topic of the same name");
}

#[tokio::test]
async fn the_progress_is_recorded_in_the_transaction_of_the_batch() {
    let db = TestDb::new().await;
    let writer = db.writer(1);
    for next_offset in [10, 20] {
        writer
            .write_batch(&answers(10, |_| "B"), Some(&progress(next_offset)))
            .await
            .unwrap();
        let together = db.number(
            "SELECT count(*) FROM answers WHERE xmin = (SELECT xmin FROM consumer_progress WHERE partition = 2)",
        );
        assert_eq!(together.await, 10);
        assert_eq!(
            db.number("SELECT next_offset FROM consumer_progress").await,
            next_offset
        );
    }
    // An empty batch, of which every record was a dead letter, moves on too.
    writer.write_batch(&[], Some(&progress(30))).await.unwrap();
    assert_eq!(
        db.number("SELECT next_offset FROM consumer_progress").await,
        30
    );
}

#[tokio::test]
async fn outcomes_come_in_the_order_of_the_events() {
    let db = TestDb::new().await;
    let writer = db.writer(1);
    let mut events = answers(50, |_| "B");
    writer.write_batch(&events[20..30], None).await.unwrap();
    events.reverse();
    events.push(events[0].clone());
    let outcomes = writer.write_batch(&events, None).await.unwrap();
    let duplicates: Vec<usize> = outcomes
        .iter()
        .enumerate()
        .filter(|(_, outcome)| **outcome == WriteOutcome::Duplicate)
        .map(|(place, _)| place)
        .collect();
    let expected: Vec<usize> = (20..30).chain([50]).collect();
    assert_eq!(duplicates, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_that_meet_in_opposite_orders_do_not_deadlock() {
    let db = TestDb::new().await;
    let sessions: Vec<Uuid> = (0..30).map(|_| Uuid::new_v4()).collect();
    let question = Uuid::new_v4();
    let mut writing = Vec::new();
    for writer_number in 0..4 {
        let writer = db.writer(1);
        let mut sessions = sessions.clone();
        if writer_number % 2 == 1 {
            sessions.reverse();
        }
        writing.push(tokio::spawn(async move {
            for round in 0..15 {
                let batch: Vec<Event> = sessions
                    .iter()
                    .flat_map(|session| {
                        let key = if round % 2 == 0 { "A" } else { "B" };
                        [
                            an_answer().in_session(*session).of(question),
                            a_publication()
                                .in_session(*session)
                                .of(question)
                                .with_key(key)
                                .at_second(round),
                            a_start().in_session(*session).at_second(writer_number),
                        ]
                    })
                    .map(|draft| draft.parse(1))
                    .collect();
                writer.write_batch(&batch, None).await.unwrap();
            }
        }));
    }
    for writing in writing {
        writing.await.unwrap();
    }
    let facts = 4 * 15 * 30;
    for table in ["answers", "publications", "session_events"] {
        assert_eq!(
            db.number(&format!("SELECT count(*) FROM {table}")).await,
            facts,
            "{table}"
        );
    }
    // A writer that was chosen as the victim tries again, so only the server's count can tell.
    assert_eq!(db.deadlocks().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_two_tenants_that_change_keys_do_not_deadlock() {
    let db = TestDb::new().await;
    let question = Uuid::new_v4();
    let mut writing = Vec::new();
    for tenant in [1, 2] {
        let writer = db.writer(1);
        writing.push(tokio::spawn(async move {
            for round in 0..60 {
                let key = if round % 2 == 0 { "A" } else { "B" };
                let publication = a_publication().of(question).with_key(key).at_second(round);
                let answer = an_answer().of(question);
                let batch = [publication.parse(tenant), answer.parse(3 - tenant)];
                writer.write_batch(&batch, None).await.unwrap();
            }
        }));
    }
    for writing in writing {
        writing.await.unwrap();
    }
    assert_eq!(db.deadlocks().await, 0);
}

#[tokio::test]
async fn a_text_that_no_column_can_hold_is_refused_and_not_taken_for_an_outage() {
    let db = TestDb::new().await;
    // An index tuple cannot hold a key this long, so the server answers with a limit of its own.
    let key = "é".repeat(1 << 20);
    db.execute("CREATE INDEX too_short ON answers (answer)")
        .await;
    let text: String = (0..200_000).map(|_| fastrand::alphanumeric()).collect();
    let events = [
        an_answer().parse(1),
        an_answer().saying(&text).parse(1),
        a_publication().with_key(&key).parse(1),
    ];
    let outcomes = db.writer(1).write_batch(&events, None).await.unwrap();
    assert_eq!(
        outcomes[1],
        WriteOutcome::Refused {
            sqlstate: "54000".to_owned()
        }
    );
    assert_eq!(
        (&outcomes[0], &outcomes[2]),
        (&WriteOutcome::Stored, &WriteOutcome::Stored)
    );
}

/// Figures are graded by the key in force: between a change of the key and its commit, no answer may slip in that the
/// change has not seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_waits_for_the_change_of_a_key_that_is_under_way() {
    let db = TestDb::new().await;
    db.execute(
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END';
         CREATE CONSTRAINT TRIGGER hold_the_commit AFTER INSERT ON publications
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold()",
    )
    .await;
    let mut holder = db.pool.acquire().await.unwrap();
    sqlx::query("SELECT pg_advisory_lock(42)")
        .execute(&mut *holder)
        .await
        .unwrap();

    let question = Uuid::new_v4();
    let writing = [
        a_publication().of(question).with_key("B"),
        an_answer().of(question),
    ]
    .map(|draft| {
        let (writer, event) = (db.writer(1), draft.parse(1));
        async move { writer.write_batch(&[event], None).await.unwrap() }
    });
    let waiting = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND wait_event = 'advisory'",
        db.name()
    );
    let mut under_way = Vec::new();
    for (before, write) in writing.into_iter().enumerate() {
        under_way.push(tokio::spawn(write));
        let waits = before as i64 + 1;
        eventually("the write waits", PATIENCE, || async {
            db.number(&waiting).await == waits
        })
        .await;
    }
    sqlx::query("SELECT pg_advisory_unlock(42)")
        .execute(&mut *holder)
        .await
        .unwrap();
    for write in under_way {
        assert_eq!(write.await.unwrap(), [WriteOutcome::Stored]);
    }
}

#[tokio::test]
async fn the_offsets_of_stored_events_are_finished_and_those_of_refused_ones_are_not() {
    let db = TestDb::new().await;
    refuse_poison(&db).await;
    let writer = db.writer(1);
    let finished = async || -> String {
        sqlx::query_scalar("SELECT finished::text FROM consumer_progress")
            .fetch_one(&db.pool)
            .await
            .unwrap()
    };
    let write = async |texts: fn(usize) -> &'static str, offsets: &[i64]| {
        let progress = Progress {
            offsets: offsets.to_vec(),
            ..progress(100)
        };
        let events = answers(offsets.len(), texts);
        writer.write_batch(&events, Some(&progress)).await.unwrap();
    };
    write(|_| "B", &[10, 11, 12]).await;
    assert_eq!(finished().await, "{[10,13)}");
    write(|n| if n == 1 { "poison" } else { "B" }, &[13, 14, 15]).await;
    assert_eq!(finished().await, "{[10,14),[15,16)}");
    // The refused one is the last of its batch, which is the one that carries the progress.
    write(|n| if n == 2 { "poison" } else { "B" }, &[20, 21, 22]).await;
    assert_eq!(finished().await, "{[10,14),[15,16),[20,22)}");
    write(|_| "poison", &[16]).await;
    assert_eq!(finished().await, "{[10,14),[15,16),[20,22)}");
    // What was left out is read after all, beside what comes again.
    write(|_| "B", &[12, 13, 14, 15, 16, 17, 18, 19, 20]).await;
    assert_eq!(finished().await, "{[10,22)}");
}
