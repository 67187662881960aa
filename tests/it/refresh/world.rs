//! Random events in a world so small that they meet, and the question that every test here asks.

use analytics_ingestor::event::Event;
use fastrand::Rng;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::harness::TestDb;
use crate::harness::event::{a_publication, a_start, an_answer, an_end};

const SESSIONS: u8 = 6;
pub(crate) const QUESTIONS: u8 = 5;
const STUDENTS: u8 = 6;
pub(crate) const TEXTS: [&str; 4] = ["A", "B", " A\t", "C"];

pub(crate) fn id(kind: u8, number: u8) -> Uuid {
    Uuid::from_u128(u128::from(kind) << 64 | u128::from(number))
}

pub(crate) fn session(number: u8) -> Uuid {
    id(1, number)
}

/// An event of one of two tenants, who use the same ids.
fn an_event(rng: &mut Rng) -> Event {
    let draft = match rng.u8(..12) {
        0 => a_start(),
        1 => an_end(),
        2..5 => {
            let draft = a_publication().of(id(2, rng.u8(..QUESTIONS)));
            match rng.u8(..3) {
                0 => draft.with_key(rng.choice(TEXTS).expect("there are texts")),
                1 => draft.without("timer_sec"),
                _ => draft,
            }
        }
        _ => {
            let draft = an_answer()
                .of(id(2, rng.u8(..QUESTIONS)))
                .by(id(3, rng.u8(..STUDENTS)))
                .saying(rng.choice(TEXTS).expect("there are texts"));
            if rng.bool() {
                draft
            } else {
                draft.with("response_time_ms", rng.i32(0..90_000))
            }
        }
    };
    draft
        .named(Uuid::from_u128(rng.u128(..)))
        .in_session(session(rng.u8(..SESSIONS)))
        .with("quiz_id", id(4, rng.u8(..2)))
        .in_classroom(id(5, rng.u8(..2)))
        .at_second(rng.i64(0..150))
        .parse(rng.i64(1..=2))
}

pub(crate) fn some_events(rng: &mut Rng, count: usize) -> Vec<Event> {
    (0..count).map(|_| an_event(rng)).collect()
}

/// Rows that the current figures of all sessions have and the definition has not, or the other way round; in one
/// snapshot, as a report reads.
pub(crate) async fn wrong_rows(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(include_str!("wrong_rows.sql"))
        .fetch_all(connection)
        .await
        .expect("the figures can be read")
}

pub(crate) async fn write(db: &TestDb, events: &[Event]) {
    let written = db.writer(1).write_batch(events, None).await;
    written.expect("the database takes events");
}

pub(crate) async fn wrong(db: &TestDb) -> Vec<String> {
    wrong_rows(&mut db.pool.acquire().await.unwrap()).await
}

pub(crate) async fn stale(db: &TestDb) -> i64 {
    db.number("SELECT count(*) FROM stale_sessions").await
}

/// Every session has its figures stored, and all that is stored is right.
pub(crate) async fn assert_all_stored(db: &TestDb) {
    assert_eq!(stale(db).await, 0);
    let unstored = "SELECT count(*) FROM sessions s
                    LEFT JOIN stored_session_figures r USING (tenant_id, session_id)
                    WHERE r.of_version IS DISTINCT FROM s.facts_version";
    assert_eq!(db.number(unstored).await, 0);
    assert_eq!(wrong(db).await, Vec::<String>::new());
}
