//! `ctl migrate`.

use analytics_ingestor::store::MIGRATOR;
use reqwest::Url;

use super::{Ctl, Ran};
use crate::harness::{Gate, TestDb};

async fn a_database_without_a_schema() -> TestDb {
    let db = TestDb::new().await;
    db.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        .await;
    db
}

fn applied(ran: &Ran) -> usize {
    ran.answers(0)["applied"].as_array().expect("a list").len()
}

#[tokio::test]
async fn several_at_once_apply_each_migration_once() {
    let db = a_database_without_a_schema().await;
    let run = || Ctl::new(["migrate", "--json"]).on(&db).run();
    let (one, two, three) = tokio::join!(run(), run(), run());
    assert_eq!(
        applied(&one) + applied(&two) + applied(&three),
        MIGRATOR.iter().count()
    );
    assert_eq!(db.number("SELECT count(*) FROM tenants").await, 1);
    assert_eq!(applied(&run().await), 0);
}

#[tokio::test]
async fn it_says_what_it_applied() {
    let db = a_database_without_a_schema().await;
    let first = Ctl::new(["migrate"]).on(&db).run().await;
    assert!(
        first.exits(0).starts_with("applied 0001 schema\n"),
        "{first:?}"
    );
    let second = Ctl::new(["migrate"]).on(&db).run().await;
    assert!(!second.exits(0).contains("applied"), "{second:?}");
}

#[tokio::test]
async fn it_waits_for_a_database_that_is_not_there_yet() {
    let db = a_database_without_a_schema().await;
    let gate = Gate::closed();
    let waiting = Ctl::new(["migrate", "--json", "--database-wait-ms", "30000"])
        .with("DATABASE_URL", gate.before(&db.url()))
        .run();
    let (ran, ()) = tokio::join!(waiting, async { gate.open_to(&db.url()) });
    assert_eq!(applied(&ran), MIGRATOR.iter().count());
}

#[tokio::test]
async fn it_gives_up_at_the_deadline_and_names_the_database_without_its_password() {
    let gate = Gate::closed();
    let closed = gate.address();
    let ran = Ctl::new(["migrate", "--database-wait-ms", "300"])
        .with(
            "DATABASE_URL",
            format!("postgres://me:hunter2@{closed}/gone"),
        )
        .run()
        .await;
    ran.fails_saying(&format!("cannot connect to the database at {closed}/gone"));
    assert!(!ran.stderr.contains("hunter2"), "{ran:?}");
}

#[tokio::test]
async fn a_wrong_password_is_not_waited_for() {
    let db = TestDb::new().await;
    let mut url: Url = db.url().parse().unwrap();
    url.set_username("nobody_of_this_name").unwrap();
    let began = std::time::Instant::now();
    let ran = Ctl::new(["migrate", "--database-wait-ms", "600000"])
        .with("DATABASE_URL", url.as_str())
        .run()
        .await;
    ran.fails_saying("cannot connect to the database");
    assert!(began.elapsed().as_secs() < 60, "{ran:?}");
}
