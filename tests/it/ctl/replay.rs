//! `ctl replay`: what is missing comes back, whichever way the records are chosen, and nothing else changes.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::Ctl;
use crate::harness::event::{a_publication, a_start, an_answer};
use crate::harness::load::{Load, acknowledged};
use crate::harness::private::{RECOVERY, Services};
use crate::harness::rows::{Rows, differences, exact_rows, lasting_rows};
use crate::harness::topic::Running;
use crate::harness::{App, PATIENCE, TestDb, Topics, eventually};

const ANSWERS: usize = 20;

/// A topic of events that have been consumed, and the database that they are in.
struct Consumed {
    db: TestDb,
    topics: Topics,
    app: App,
}

impl Consumed {
    async fn new() -> Self {
        Self::on(TestDb::new().await).await
    }

    async fn on(db: TestDb) -> Self {
        let topics = Topics::new().await;
        let app = App::by_kafka(&db, &topics).await;
        Self { db, topics, app }
    }

    /// Sends a start, a publication and answers of one session.
    async fn send(&self, session: Uuid) {
        let question = Uuid::new_v4();
        let publication = a_publication()
            .in_session(session)
            .of(question)
            .with_key("B");
        let answers = (0..ANSWERS).map(|_| an_answer().in_session(session).of(question));
        let events = [a_start().in_session(session), publication]
            .into_iter()
            .chain(answers);
        let body = self
            .app
            .post_batch(events.map(Into::into))
            .await
            .expect(201);
        assert_eq!(body["mode"], "kafka");
    }

    /// Has everything consumed, and the consumer gone.
    async fn consume(&self) {
        let consumer = Running::start(&self.topics, &self.db.url());
        self.topics.drained(PATIENCE).await;
        consumer.stop().await;
    }

    async fn consumed(sessions: &[Uuid]) -> Self {
        let consumed = Self::new().await;
        for session in sessions {
            consumed.send(*session).await;
        }
        consumed.consume().await;
        consumed
    }

    /// Takes events away, and all that they have made, of one session or of all.
    async fn lose(&self, session: Option<Uuid>) {
        for table in ["answers", "publications", "session_events", "sessions"] {
            let of = session.map_or_else(String::new, |s| format!("WHERE session_id = '{s}'"));
            self.db.execute(&format!("DELETE FROM {table} {of}")).await;
        }
    }

    fn ctl<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Ctl {
        self.reaching(Ctl::new(["replay", "--json"].into_iter().chain(arguments)))
    }

    fn reaching(&self, ctl: Ctl) -> Ctl {
        ctl.on(&self.db)
            .with("KAFKA_BROKERS", self.topics.brokers())
            .with("KAFKA_TOPIC", &self.topics.events)
            .with("KAFKA_DLQ_TOPIC", &self.topics.dead_letters)
            .with("KAFKA_GROUP_ID", &self.topics.group)
    }

    async fn replay<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Value {
        self.ctl(arguments).run().await.answers(0)
    }

    async fn assert_rows(&self, expected: &Rows) {
        let different = differences(&lasting_rows(&self.db.pool).await, expected);
        assert!(different.is_empty(), "{different}");
    }

    /// What the group has committed, by partition.
    async fn committed(&self) -> Vec<Option<i64>> {
        let lags = self.topics.inspector();
        let lags = lags.lag(&self.topics.group, &self.topics.events).await;
        lags.unwrap().iter().map(|lag| lag.committed).collect()
    }
}

fn rows(sessions: usize) -> Value {
    json!({"answers": sessions * ANSWERS, "publications": sessions, "session_events": sessions})
}

fn sessions() -> [Uuid; 4] {
    std::array::from_fn(|_| Uuid::new_v4())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_were_lost_come_back_and_the_groups_offsets_stay() {
    let sessions = sessions();
    let topic = Consumed::consumed(&sessions).await;
    let (stored, committed) = (lasting_rows(&topic.db.pool).await, topic.committed().await);
    let offsets = [
        "--offsets",
        "0:0-",
        "--offsets",
        "1:0-",
        "--offsets",
        "2:0-",
    ];
    for arguments in [
        &["--all"][..],
        &["--from", "2020-01-01T00:00:00Z"],
        &["--to", "2100-01-01T00:00:00Z"],
        &offsets,
    ] {
        topic.lose(None).await;
        let answer = topic.replay(arguments.iter().copied()).await;
        assert_eq!(answer["new"], rows(sessions.len()), "{answer}");
        assert_eq!(answer["duplicates"], 0, "{answer}");
        assert_eq!(answer["read"], answer["planned"], "{answer}");
        assert_eq!(answer["finished"], true, "{answer}");
        topic.assert_rows(&stored).await;
    }
    let again = topic.replay(["--all"]).await;
    assert_eq!(again["new"], rows(0), "{again}");
    assert_eq!(again["duplicates"], again["read"], "{again}");
    assert_eq!(topic.committed().await, committed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_session_only_its_own_partition_is_read() {
    let sessions = sessions();
    let topic = Consumed::consumed(&sessions).await;
    let stored = lasting_rows(&topic.db.pool).await;
    let records = topic.topics.records().await;
    for session in sessions {
        topic.lose(Some(session)).await;
        let answer = topic.replay(["--session", &session.to_string()]).await;
        assert_eq!(answer["new"], rows(1), "{answer}");
        let key = session.to_string();
        let of_session = |located: &&kafka_toolkit::inspect::Located| {
            located.record.key.as_deref() == Some(key.as_bytes())
        };
        let partition = records.iter().find(of_session).unwrap().partition;
        let neighbours = records.iter().filter(|r| r.partition == partition).count();
        assert_eq!(answer["read"], neighbours, "{answer}");
        assert_eq!(answer["decoded"], ANSWERS + 2, "{answer}");
        topic.assert_rows(&stored).await;

        let everywhere = topic.replay(["--session", &key, "--all"]).await;
        assert_eq!(everywhere["read"], records.len(), "{everywhere}");
        assert_eq!(everywhere["decoded"], ANSWERS + 2, "{everywhere}");
        let stranger = topic.replay(["--session", &key, "--tenant", "2"]).await;
        assert_eq!(stranger["decoded"], 0, "{stranger}");
        assert_eq!(stranger["passed_over"], neighbours, "{stranger}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_choose_by_the_time_of_the_record() {
    let topic = Consumed::new().await;
    let (before, after) = (Uuid::new_v4(), Uuid::new_v4());
    topic.send(before).await;
    let newest = |records: &[kafka_toolkit::inspect::Located]| {
        records.iter().filter_map(|r| r.record.timestamp_ms).max()
    };
    let end_ms = newest(&topic.topics.records().await).unwrap() + 1;
    let end = OffsetDateTime::from_unix_timestamp_nanos(i128::from(end_ms) * 1_000_000).unwrap();
    eventually("the clock has moved on", PATIENCE, || async {
        OffsetDateTime::now_utc() > end
    })
    .await;
    topic.send(after).await;
    topic.consume().await;
    let stored = lasting_rows(&topic.db.pool).await;
    let end = end.format(&Rfc3339).unwrap();

    for (lost, arguments) in [
        (before, ["--to", &end, "--from", "2020-01-01T00:00:00Z"]),
        (after, ["--from", &end, "--to", "2100-01-01T00:00:00Z"]),
    ] {
        topic.lose(Some(lost)).await;
        let answer = topic.replay(arguments).await;
        assert_eq!(answer["new"], rows(1), "{answer}");
        assert_eq!(answer["read"], ANSWERS + 2, "{answer}");
        topic.assert_rows(&stored).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_counts_what_is_missing_and_writes_nothing() {
    let sessions = sessions();
    let topic = Consumed::consumed(&sessions).await;
    topic.lose(Some(sessions[0])).await;
    let before = exact_rows(&topic.db.pool).await;
    let answer = topic.replay(["--all", "--dry-run"]).await;
    assert_eq!(answer["new"], rows(1), "{answer}");
    assert_eq!(
        answer["decoded"],
        sessions.len() * (ANSWERS + 2),
        "{answer}"
    );
    assert_eq!(
        answer["duplicates"],
        (sessions.len() - 1) * (ANSWERS + 2),
        "{answer}"
    );
    let different = differences(&before, &exact_rows(&topic.db.pool).await);
    assert!(different.is_empty(), "{different}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_replayed_beside_consumers_and_traffic_adds_nothing_twice() {
    let topic = Consumed::new().await;
    let consumer = Running::start(&topic.topics, &topic.db.url());
    let load = Load::start(&topic.app, 8);
    for _ in 0..3 {
        load.more(300, PATIENCE, |sent| sent.is("kafka")).await;
        let answer = topic.replay(["--all"]).await;
        assert!(answer["read"].as_u64().unwrap() >= 300, "{answer}");
        assert_eq!(answer["decoded"], answer["read"], "{answer}");
    }
    let sent = load.stop().await;
    topic.topics.drained(PATIENCE).await;
    consumer.stop().await;
    let acknowledged = acknowledged(&sent);
    let stored: Vec<Uuid> = sqlx::query_scalar("SELECT event_id FROM answers")
        .fetch_all(&topic.db.pool)
        .await
        .unwrap();
    assert_eq!(stored.len(), BTreeSet::from_iter(&stored).len());
    let missing = acknowledged
        .difference(&stored.into_iter().collect())
        .count();
    assert_eq!(missing, 0, "of {}", acknowledged.len());
    let left = topic.replay(["--all", "--dry-run"]).await;
    assert_eq!(left["new"], rows(0), "{left}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_was_missing_is_missing_no_more() {
    let sessions = sessions();
    let topic = Consumed::consumed(&sessions).await;
    topic.lose(None).await;
    topic
        .db
        .execute("UPDATE consumer_progress SET finished = '{}'")
        .await;
    let group = ["--kafka-group-id", &topic.topics.group];
    let count = async || {
        let ctl = Ctl::new(["completeness", "--json"].into_iter().chain(group));
        let asked = topic.reaching(ctl).run().await;
        let answer: Value = serde_json::from_str(&asked.stdout).unwrap();
        let of = |class: &str| answer["total"][class].as_u64().unwrap() as usize;
        (of("stored"), of("missing"))
    };
    let all = sessions.len() * (ANSWERS + 2);
    assert_eq!(count().await, (0, all));
    let next = "SELECT sum(next_offset)::int8 FROM consumer_progress";
    let before = topic.db.number(next).await;

    let dry = topic.replay(["--all", "--dry-run"].into_iter().chain(group));
    assert_eq!(dry.await["new"], rows(sessions.len()));
    assert_eq!(count().await, (0, all), "a dry run notes nothing");
    topic.replay(["--all"].into_iter().chain(group)).await;
    assert_eq!(count().await, (all, 0));
    assert_eq!(topic.db.number(next).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_are_no_events_are_counted_by_reason_and_stay_single_dead_letters() {
    let session = Uuid::new_v4();
    let topic = Consumed::new().await;
    for payload in ["{", "[1]", r#"{"payload":{}}"#] {
        topic.topics.produce(&session.to_string(), payload).await;
    }
    topic.topics.produce(&Uuid::new_v4().to_string(), "{").await;
    topic.send(session).await;
    topic.consume().await;
    assert_eq!(topic.topics.dead_letters().await.len(), 4);
    topic.lose(None).await;

    let answer = topic.replay(["--all"]).await;
    let reasons = json!({"malformed_envelope": 3, "missing_field": 1});
    assert_eq!(answer["undecodable"], reasons, "{answer}");
    assert_eq!(answer["new"], rows(1), "{answer}");
    let of_session = topic
        .replay(["--session", &session.to_string(), "--all"])
        .await;
    let reasons = json!({"malformed_envelope": 2, "missing_field": 1});
    assert_eq!(of_session["undecodable"], reasons, "{of_session}");
    assert_eq!(topic.topics.dead_letters().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_no_longer_is_said_and_the_rest_is_replayed() {
    let session = Uuid::new_v4();
    let topic = Consumed::consumed(&[session]).await;
    let partition = topic.topics.records().await[0].partition;
    topic.topics.forget(partition, 5).await;
    topic.lose(None).await;

    let offsets = format!("{partition}:2-12");
    let ran = topic.ctl(["--offsets", &offsets]).run().await;
    let answer = ran.answers(1);
    let gone = json!([{"partition": partition, "from": 2, "to": 5, "certain": true}]);
    assert_eq!(answer["expired"], gone, "{answer}");
    assert_eq!(
        (&answer["read"], &answer["finished"]),
        (&7.into(), &true.into())
    );
    let said = format!("partition {partition} keeps offsets 2 to 4 no longer");
    assert!(ran.stderr.contains(&said), "{ran:?}");

    // A time can't tell what was there, and everything means everything that is kept.
    let answer = topic.replay(["--from", "2020-01-01T00:00:00Z"]).await;
    let gone = json!([{"partition": partition, "from": 0, "to": 5, "certain": false}]);
    assert_eq!(answer["expired"], gone, "{answer}");
    let answer = topic.replay(["--all"]).await;
    assert_eq!(answer["expired"], json!([]), "{answer}");
    assert_eq!(answer["read"], ANSWERS + 2 - 5, "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_interrupted_says_how_to_go_on() {
    let sessions = sessions();
    let topic = Consumed::consumed(&sessions).await;
    let stored = lasting_rows(&topic.db.pool).await;
    topic.lose(None).await;
    let slow = topic.ctl(["--all", "--rate", "20"]).start();
    eventually("a part is stored", PATIENCE, || async {
        topic.db.number("SELECT count(*) FROM answers").await > 0
    })
    .await;
    slow.interrupt();
    let ran = slow.end().await;
    let first = ran.answers(1);
    assert_eq!(first["finished"], false, "{first}");
    let resume: Vec<String> = serde_json::from_value(first["resume"].clone()).unwrap();
    assert!(resume.contains(&"--rate".to_owned()), "{first}");

    let arguments = resume.iter().map(String::as_str);
    let rest = topic
        .replay(arguments.filter(|a| !["--rate", "20"].contains(a)))
        .await;
    let of = |answer: &Value, field: &str| answer[field].as_u64().unwrap();
    assert!(of(&first, "read") > 0 && of(&rest, "read") > 0);
    assert_eq!(
        of(&first, "read") + of(&rest, "read"),
        of(&first, "planned"),
        "each record once: {first} {rest}"
    );
    assert_eq!(rest["duplicates"], 0, "{rest}");
    topic.assert_rows(&stored).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_is_waited_for() {
    let services = Services::take().await;
    let topic = Consumed::on(services.database().await).await;
    let sessions = sessions();
    for session in sessions {
        topic.send(session).await;
    }
    let slowly = [
        "--all",
        "--rate",
        "40",
        "--database-connect-timeout-ms",
        "500",
    ];
    let replay = topic.ctl(slowly).start();
    eventually("a part is stored", PATIENCE, || async {
        topic.db.number("SELECT count(*) FROM answers").await > 0
    })
    .await;
    services.stop_postgres().await;
    let replay = replay.says("the database takes no events").await;
    services.start_postgres().await;
    let ran = tokio::time::timeout(RECOVERY, replay.end()).await.unwrap();
    let answer = ran.answers(0);
    assert_eq!(answer["read"], sessions.len() * (ANSWERS + 2), "{answer}");
    assert!(ran.stderr.contains("takes events again"), "{ran:?}");
    let stored = topic.db.number("SELECT count(*) FROM answers").await;
    assert_eq!(stored, (sessions.len() * ANSWERS) as i64);
}

#[tokio::test]
async fn wrong_use_is_refused_with_the_reason() {
    let topic = Consumed::new().await;
    for (arguments, code, said) in [
        (&[][..], 2, "--all"),
        (&["--offsets", "0:5-2"], 2, "must be above FROM"),
        (&["--offsets", "zero"], 2, "PARTITION:FROM-TO"),
        (&["--offsets", "0:0-1", "--all"], 2, "cannot be used with"),
        (&["--session", "not-an-id"], 2, "--session"),
        (&["--all", "--rate", "0"], 2, "--rate"),
        (&["--from", "yesterday"], 2, "2025-06-20T12:00:00Z"),
        (
            &[
                "--from",
                "2025-06-20T12:00:00Z",
                "--to",
                "2025-06-20T12:00:00Z",
            ],
            1,
            "--from must be before --to",
        ),
        (&["--offsets", "7:0-1"], 1, "no partition 7"),
        (&["--all", "--partition", "3"], 1, "the partitions 0 to 2"),
        (
            &["--offsets", "1:0-1", "--offsets", "1:5-6"],
            1,
            "partition 1 is given twice",
        ),
    ] {
        let ran = topic.ctl(arguments.iter().copied()).run().await;
        ran.exits(code);
        assert!(ran.stderr.contains(said), "{arguments:?}: {ran:?}");
    }
    let ran = topic
        .ctl(["--all", "--kafka-answer-timeout-ms", "500"])
        .with("KAFKA_BROKERS", "127.0.0.1:1")
        .run()
        .await;
    ran.fails_saying("Kafka at 127.0.0.1:1");
}
