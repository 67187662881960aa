//! `ctl load` against the application: every event is accounted for, and stored once.

use std::io::Write;

use analytics_ingestor::auth::Role;
use serde_json::{Value, json};

use super::{Ctl, Ran};
use crate::harness::client::token_of;
use crate::harness::event::{a_publication, an_answer};
use crate::harness::rows::{differences, exact_rows};
use crate::harness::{App, Stand, TestDb};

const SCHOOL: [&str; 10] = [
    "--classrooms",
    "3",
    "--students",
    "8",
    "--questions",
    "4",
    "--sessions",
    "2",
    "--start",
    "2026-03-02T08:00:00Z",
];

fn load<'a>(app: &App, arguments: impl IntoIterator<Item = &'a str>) -> Ctl {
    Ctl::new(["load", "--json"].into_iter().chain(arguments))
        .with("LOAD_URL", format!("{}/api", app.base()))
        .with("LOAD_TOKEN", token_of(1, Role::Writer))
}

fn with_school<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [&SCHOOL, arguments].concat()
}

async fn stored(db: &TestDb) -> i64 {
    db.number(
        "SELECT (SELECT count(*) FROM answers) + (SELECT count(*) FROM publications)
              + (SELECT count(*) FROM session_events)",
    )
    .await
}

/// How many events there were, once all of them are acknowledged.
#[track_caller]
fn acknowledged(ran: &Ran) -> i64 {
    let account = ran.answers(0);
    assert_eq!(account["acknowledged"], account["events"], "{account}");
    account["events"].as_i64().expect("a number")
}

#[tokio::test]
async fn simulated_classrooms_are_stored_once_by_either_mode_and_in_any_order() {
    for stand in Stand::both().await {
        let before = stand.stored().await;
        let first = load(&stand.app, with_school(&["--batch", "50"]))
            .run()
            .await;
        let events = acknowledged(&first);
        assert_eq!(stand.stored().await, before + events, "{}", stand.mode());
        let rows = exact_rows(&stand.db.pool).await;
        for again in [
            ["--order", "reverse", "--batch", "7"],
            ["--order", "shuffled", "--batch", "1"],
        ] {
            let again = load(&stand.app, with_school(&again)).run().await;
            assert_eq!(acknowledged(&again), events);
            stand.settle().await;
            let mut now = exact_rows(&stand.db.pool).await;
            // The consumer notes how far it has come; that is its work, and no event's row.
            now.insert(
                "consumer_progress".into(),
                rows["consumer_progress"].clone(),
            );
            assert_eq!(differences(&rows, &now), "", "{}", stand.mode());
        }
    }
}

#[tokio::test]
async fn it_logs_in_by_itself() {
    let db = TestDb::new().await;
    Ctl::new(["seed"]).on(&db).run().await.exits(0);
    let app = App::direct(&db).await;
    let run = |password: &'static str| {
        let arguments = ["load", "--json", "--email", "test-writer@example.com"];
        Ctl::new(arguments.into_iter().chain(SCHOOL))
            .with("LOAD_URL", format!("{}/api", app.base()))
            .with("LOAD_PASSWORD", password)
            .run()
    };
    run("wrong password")
        .await
        .fails_saying("invalid credentials");
    acknowledged(&run("password123").await);
}

#[tokio::test]
async fn a_file_is_sent_plain_or_gzip_or_from_standard_input() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let text = |count: usize| {
        let line = |_| format!("{}\n", an_answer().json());
        (0..count).map(line).collect::<String>()
    };
    let folder = std::env::temp_dir().join(db.name());
    std::fs::create_dir(&folder).unwrap();
    let (plain, packed) = (folder.join("a.ndjson"), folder.join("b.ndjson.gz"));
    std::fs::write(&plain, text(5)).unwrap();
    let file = std::fs::File::create(&packed).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    gzip.write_all(text(6).as_bytes()).unwrap();
    gzip.finish().unwrap();

    let runs = [
        load(&app, [plain.to_str().unwrap()]),
        load(&app, [packed.to_str().unwrap()]),
        load(&app, ["-"]).reading(&text(7)),
    ];
    for (run, events) in runs.into_iter().zip([5, 6, 7]) {
        assert_eq!(acknowledged(&run.run().await), events);
    }
    std::fs::remove_dir_all(folder).unwrap();
    assert_eq!(stored(&db).await, 18);
}

#[tokio::test]
async fn one_bad_event_is_named_and_takes_no_other_with_it() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let bad = a_publication().named("the-bad-one").with("timer_sec", 0);
    let events = [an_answer(), bad, an_answer()];
    let mut text: String = events.iter().map(|e| format!("{}\n", e.json())).collect();
    text.push_str("no JSON\n");
    for batch in ["1", "2", "100"] {
        let ran = load(&app, ["-", "--batch", batch])
            .reading(&text)
            .run()
            .await;
        let account = ran.answers(1);
        assert_eq!(account["acknowledged"], 2, "{account}");
        assert_eq!(account["invalid"], 2, "{account}");
        let reasons = account["reasons"].to_string();
        assert!(reasons.contains("event the-bad-one:"), "{account}");
    }
    assert_eq!(stored(&db).await, 2);
}

#[tokio::test]
async fn a_refused_sender_stops_the_load_and_nothing_is_lost_from_the_account() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let ran = load(&app, with_school(&["--batch", "10", "--connections", "1"]))
        .with("LOAD_TOKEN", token_of(1, Role::Reader))
        .run()
        .await;
    let account: Value = ran.answers(1);
    let counted = ["acknowledged", "invalid", "given_up", "not_sent"]
        .map(|count| account[count].as_i64().unwrap());
    assert_eq!(json!(counted.iter().sum::<i64>()), account["events"]);
    assert_eq!(account["requests"], 1, "{account}");
    assert!(
        account["reasons"]
            .to_string()
            .contains("insufficient scope"),
        "{account}"
    );
    assert_eq!(stored(&db).await, 0);
}

#[tokio::test]
async fn a_rate_is_held() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let text: String = (0..100)
        .map(|_| format!("{}\n", an_answer().json()))
        .collect();
    let arguments = ["-", "--batch", "1", "--rate", "100", "--connections", "8"];
    let ran = load(&app, arguments).reading(&text).run().await;
    // The last of 100 events is due 0.99 s after the first.
    let seconds = ran.answers(0)["seconds"].as_f64().unwrap();
    assert!(seconds >= 0.99, "{seconds}");
}
