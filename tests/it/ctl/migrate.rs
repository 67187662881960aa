//! `ctl migrate`.

use analytics_ingestor::store::MIGRATOR;
use reqwest::Url;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use super::{Ctl, Ran};
use crate::harness::TestDb;

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

/// An address that refuses connections until somebody listens there.
async fn a_closed_address() -> std::net::SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a port is free");
    listener.local_addr().expect("the listener has an address")
}

#[tokio::test]
async fn it_waits_for_a_database_that_is_not_there_yet() {
    let db = a_database_without_a_schema().await;
    let real: Url = db.url().parse().unwrap();
    let closed = a_closed_address().await;
    let mut away = real.clone();
    away.set_ip_host(closed.ip()).unwrap();
    away.set_port(Some(closed.port())).unwrap();

    let waiting = Ctl::new(["migrate", "--json", "--database-wait-ms", "30000"])
        .with("DATABASE_URL", away.as_str())
        .run();
    let coming_up = async {
        let listener = TcpListener::bind(closed).await.unwrap();
        let target = (
            real.host_str().unwrap().to_owned(),
            real.port().unwrap_or(5432),
        );
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(target.clone()).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    };
    let ran = tokio::select! {
        ran = waiting => ran,
        () = coming_up => unreachable!("it forwards for ever"),
    };
    assert_eq!(applied(&ran), MIGRATOR.iter().count());
}

#[tokio::test]
async fn it_gives_up_at_the_deadline_and_names_the_database_without_its_password() {
    let closed = a_closed_address().await;
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
