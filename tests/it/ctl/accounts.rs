//! `ctl tenant` and `ctl user`: contract 12.2.

use serde_json::json;

use super::{Ctl, Ran};
use crate::harness::event::an_answer;
use crate::harness::{App, Reply, TestDb};

async fn add_user(db: &TestDb, email: &str, role: &str, tenant: &str, password: &str) -> Ran {
    let arguments = [
        "user", "add", "--json", "--name", "Ada", "--email", email, "--role", role, "--tenant",
        tenant,
    ];
    Ctl::new(arguments).on(db).reading(password).run().await
}

#[tokio::test]
async fn tenants_are_added_under_a_new_number_and_listed() {
    let db = TestDb::new().await;
    let add = |name: &'static str| Ctl::new(["tenant", "add", "--json", name]).on(&db).run();
    let added = add("North School").await.answers(0);
    assert_eq!(added["tenant_id"], 2);
    add("North School").await.fails_saying("already");
    add("  ").await.fails_saying("needs a name");

    let list = Ctl::new(["tenant", "list", "--json"]).on(&db).run().await;
    let names: Vec<_> = list.answers(0)["tenants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tenant| (tenant["tenant_id"].clone(), tenant["name"].clone()))
        .collect();
    assert_eq!(
        names,
        [
            (json!(1), json!("default")),
            (json!(2), json!("North School"))
        ]
    );
    let table = Ctl::new(["tenant", "list"]).on(&db).run().await;
    assert!(table.exits(0).contains("North School"), "{table:?}");
}

#[tokio::test]
async fn an_admin_of_another_tenant_logs_in_and_writes_there() {
    let db = TestDb::new().await;
    Ctl::new(["tenant", "add", "North"])
        .on(&db)
        .run()
        .await
        .exits(0);
    let added = add_user(&db, "ada@example.com", "admin", "2", "correct horse\n").await;
    assert_eq!(added.answers(0)["tenant_id"], 2);

    let app = App::direct(&db).await;
    let login = json!({"email": "ada@example.com", "password": "correct horse"});
    let token = app.post_json("/api/auth/login", &login).await.expect(200);
    let post = app
        .post("/api/events")
        .bearer_auth(token["token"].as_str().unwrap())
        .json(&an_answer().json());
    Reply::of(post).await.expect(201);
    assert_eq!(db.number("SELECT tenant_id FROM answers").await, 2);
}

#[tokio::test]
async fn a_taken_address_is_refused_and_its_account_unchanged() {
    let db = TestDb::new().await;
    add_user(&db, "ada@example.com", "reader", "1", "123456")
        .await
        .exits(0);
    let again = add_user(&db, "ada@example.com", "admin", "1", "abcdef").await;
    again.fails_saying("ada@example.com has an account already");
    let readers = "SELECT count(*) FROM users WHERE role = 'reader'";
    assert_eq!(db.number(readers).await, 1);
}

#[tokio::test]
async fn the_rules_of_the_sign_up_hold_here_too() {
    let db = TestDb::new().await;
    let long = "x".repeat(73);
    for (email, tenant, password, said) in [
        ("ada", "1", "123456", "email must be an e-mail address"),
        ("ada@example.com", "1", "12345\n", "at least 6 characters"),
        ("ada@example.com", "1", "", "password is required"),
        ("ada@example.com", "1", long.as_str(), "at most 72 bytes"),
        ("ada@example.com", "9", "123456", "there is no tenant 9"),
    ] {
        let refused = add_user(&db, email, "writer", tenant, password).await;
        refused.fails_saying(said);
    }
    add_user(&db, "ada@example.com", "root", "1", "123456")
        .await
        .exits(2);
    assert_eq!(db.number("SELECT count(*) FROM users").await, 0);
}
