//! `ctl audit` and what `ctl rebuild` makes of its findings.

use std::time::Duration;

use analytics_ingestor::store::figures::refresh_stale;
use fastrand::Rng;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Ctl, Ran};
use crate::harness::TestDb;
use crate::refresh::world::{assert_all_stored, some_events, stale, write, wrong};

async fn audit(db: &TestDb, arguments: &[&str]) -> Ran {
    let arguments = ["audit", "--json"].iter().chain(arguments).copied();
    Ctl::new(arguments).on(db).run().await
}

/// A database with sessions of two tenants, all of them stored.
async fn stored(seed: u64) -> TestDb {
    let db = TestDb::new().await;
    write(&db, &some_events(&mut Rng::with_seed(seed), 300)).await;
    refresh_stale(&db.pool, 100).await.unwrap();
    assert_all_stored(&db).await;
    db
}

const SESSION: &str = "00000000-0000-0001-0000-000000000002";
const QUESTION: &str = "00000000-0000-0002-0000-000000000001";
const STUDENT: &str = "00000000-0000-0003-0000-000000000003";
const NOBODY: &str = "00000000-0000-0009-0000-000000000009";

/// A row of tenant 1 as it is stored.
async fn row(db: &TestDb, table: &str, key: &str) -> Value {
    let query = format!(
        "SELECT to_jsonb(r) FROM stored_session_{table} r
         WHERE tenant_id = 1 AND session_id = '{SESSION}' {key}"
    );
    let row = sqlx::query_scalar(sqlx::AssertSqlSafe(query));
    row.fetch_one(&db.pool).await.unwrap()
}

#[tokio::test]
async fn an_audit_finds_nothing_where_all_is_right_and_counts_what_is_behind_apart() {
    let db = stored(1).await;
    let sessions = db.number("SELECT count(*) FROM sessions").await;
    let expected = json!({"sessions": sessions, "behind": 0, "differences": 0, "findings": []});
    assert_eq!(audit(&db, &[]).await.answers(0), expected);

    write(&db, &some_events(&mut Rng::with_seed(2), 4)).await;
    let behind = stale(&db).await;
    let expected =
        json!({"sessions": sessions, "behind": behind, "differences": 0, "findings": []});
    assert_eq!(audit(&db, &[]).await.answers(0), expected);

    refresh_stale(&db.pool, 100).await.unwrap();
    let said = Ctl::new(["audit"]).on(&db).run().await;
    let expected = format!("{sessions} sessions, 0 of them behind, 0 differences\n");
    assert_eq!(said.exits(0), expected);
}

/// What a finding is about, without its values.
fn subject(finding: &Value) -> Value {
    json!([
        finding["tenant_id"],
        finding["session_id"],
        finding["entity"],
        finding["id"],
        finding["problem"],
        finding["column"]
    ])
}

#[tokio::test]
async fn a_value_that_was_changed_is_named_with_both_values_and_mended() {
    for (table, entity, key, id, column, value) in [
        ("figures", "session", String::new(), None, "correct", "-1"),
        (
            "figures",
            "session",
            String::new(),
            None,
            "peak_per_minute",
            "99",
        ),
        (
            "figures",
            "session",
            String::new(),
            None,
            "first_at",
            "NULL",
        ),
        (
            "questions",
            "question",
            format!("AND question_id = '{QUESTION}'"),
            Some(QUESTION),
            "distribution",
            r#"'{"A": 1000}'"#,
        ),
        (
            "questions",
            "question",
            format!("AND question_id = '{QUESTION}'"),
            Some(QUESTION),
            "least_latency_us",
            "-1",
        ),
        (
            "students",
            "student",
            format!("AND student_id = '{STUDENT}'"),
            Some(STUDENT),
            "last_question_order",
            "77",
        ),
    ] {
        let db = stored(1).await;
        let right = row(&db, table, &key).await;
        db.execute(&format!(
            "UPDATE stored_session_{table} SET {column} = {value}
             WHERE tenant_id = 1 AND session_id = '{SESSION}' {key}"
        ))
        .await;
        let altered = row(&db, table, &key).await;
        let found = audit(&db, &[]).await.answers(1);
        let expected = json!([{
            "tenant_id": 1, "session_id": SESSION, "entity": entity, "id": id, "problem": "differs", "column": column,
            "stored": altered[column], "recomputed": right[column],
        }]);
        assert_eq!(found["findings"], expected, "{column}");
        assert_eq!(found["differences"], 1);
        Ctl::new(["rebuild"]).on(&db).run().await.exits(0);
        audit(&db, &[]).await.exits(0);
        assert_eq!(row(&db, table, &key).await[column], right[column]);
    }
}

#[tokio::test]
async fn a_row_that_is_missing_or_left_over_is_named_and_mended() {
    for (damage, entity, id, problem) in [
        (
            format!("DELETE FROM stored_session_figures WHERE session_id = '{SESSION}'"),
            "session",
            None,
            "missing",
        ),
        (
            format!("DELETE FROM stored_session_questions WHERE session_id = '{SESSION}' AND question_id = '{QUESTION}'"),
            "question",
            Some(QUESTION),
            "missing",
        ),
        (
            format!("DELETE FROM stored_session_students WHERE session_id = '{SESSION}' AND student_id = '{STUDENT}'"),
            "student",
            Some(STUDENT),
            "missing",
        ),
        (
            format!(
                "INSERT INTO stored_session_questions
                 SELECT (jsonb_populate_record(q, '{{\"question_id\": \"{NOBODY}\"}}')).*
                 FROM stored_session_questions q WHERE session_id = '{SESSION}' AND question_id = '{QUESTION}'"
            ),
            "question",
            Some(NOBODY),
            "left_over",
        ),
        (
            format!(
                "INSERT INTO stored_session_students
                 SELECT (jsonb_populate_record(s, '{{\"student_id\": \"{NOBODY}\"}}')).*
                 FROM stored_session_students s WHERE session_id = '{SESSION}' AND student_id = '{STUDENT}'"
            ),
            "student",
            Some(NOBODY),
            "left_over",
        ),
    ] {
        let db = stored(1).await;
        db.execute(&format!("{damage} AND tenant_id = 1")).await;
        let found = audit(&db, &[]).await.answers(1);
        let [finding] = &found["findings"].as_array().unwrap()[..] else {
            panic!("one finding: {found}");
        };
        let expected = json!([1, SESSION, entity, id, problem, null]);
        assert_eq!(subject(finding), expected);
        let (there, absent) = match problem {
            "missing" => ("recomputed", "stored"),
            _ => ("stored", "recomputed"),
        };
        assert_eq!(finding[there]["session_id"], SESSION, "{finding}");
        assert_eq!(finding[absent], Value::Null, "{finding}");
        Ctl::new(["rebuild"]).on(&db).run().await.exits(0);
        audit(&db, &[]).await.exits(0);
        assert_all_stored(&db).await;
    }
}

#[tokio::test]
async fn what_is_stored_of_no_session_is_named_and_mended() {
    let db = stored(1).await;
    for table in ["figures", "questions", "students"] {
        db.execute(&format!(
            "INSERT INTO stored_session_{table}
             SELECT (jsonb_populate_record(r, '{{\"session_id\": \"{NOBODY}\"}}')).*
             FROM stored_session_{table} r WHERE (tenant_id, session_id) = (1, '{SESSION}') LIMIT 1"
        ))
        .await;
    }
    let found = audit(&db, &[]).await.answers(1);
    let findings = found["findings"].as_array().unwrap();
    let entities: Vec<&Value> = findings.iter().map(|finding| &finding["entity"]).collect();
    assert_eq!(entities, ["question", "session", "student"]);
    for finding in findings {
        assert_eq!(finding["problem"], "left_over");
        assert_eq!(finding["session_id"], NOBODY);
    }
    Ctl::new(["rebuild"]).on(&db).run().await.exits(0);
    audit(&db, &[]).await.exits(0);
    assert_all_stored(&db).await;
}

#[tokio::test]
async fn a_session_that_moved_on_without_a_mark_is_named_and_mended() {
    let db = stored(1).await;
    let version = row(&db, "figures", "").await["of_version"]
        .as_i64()
        .unwrap();
    db.execute(&format!(
        "UPDATE sessions SET facts_version = facts_version + 1 WHERE (tenant_id, session_id) = (1, '{SESSION}')"
    ))
    .await;
    let found = audit(&db, &[]).await.answers(1);
    let expected = json!([{
        "tenant_id": 1, "session_id": SESSION, "entity": "session", "id": null, "problem": "unmarked",
        "column": "of_version", "stored": version, "recomputed": version + 1,
    }]);
    assert_eq!(found["findings"], expected);
    Ctl::new(["rebuild"]).on(&db).run().await.exits(0);
    audit(&db, &[]).await.exits(0);

    write(&db, &some_events(&mut Rng::with_seed(9), 20)).await;
    db.execute("DELETE FROM stale_sessions").await;
    let found = audit(&db, &[]).await.answers(1);
    let problems = found["findings"].as_array().unwrap().iter();
    assert!(
        problems
            .clone()
            .any(|finding| finding["problem"] == "unmarked")
    );
    assert!(!wrong(&db).await.is_empty(), "a report would be wrong");
    Ctl::new(["rebuild"]).on(&db).run().await.exits(0);
    audit(&db, &[]).await.exits(0);
}

#[tokio::test]
async fn facts_that_came_by_plain_sql_are_named_and_taken_in() {
    for plain in [
        format!(
            "INSERT INTO answers (session_id, event_id, question_id, student_id, answer, submitted_at)
             VALUES ('{SESSION}', '{NOBODY}', '{QUESTION}', '{NOBODY}', 'A', now())"
        ),
        format!("DELETE FROM answers WHERE (tenant_id, session_id) = (1, '{SESSION}')"),
        "UPDATE questions SET correct_answer = 'changed' WHERE tenant_id = 1".to_owned(),
    ] {
        let db = stored(1).await;
        db.execute(&plain).await;
        let found = audit(&db, &[]).await.answers(1);
        assert!(found["differences"].as_i64() > Some(1), "{plain}: {found}");
        let answer = Ctl::new(["rebuild", "--json"]).on(&db).run().await.answers(0);
        let sessions = db.number("SELECT count(*) FROM sessions").await;
        let expected = json!({"sessions": sessions, "failed": 0, "failures": []});
        assert_eq!(answer, expected);
        audit(&db, &[]).await.exits(0);
        assert_all_stored(&db).await;
    }
}

#[tokio::test]
async fn one_tenant_is_audited_alone() {
    let db = stored(1).await;
    db.execute("UPDATE stored_session_figures SET answers = -1 WHERE tenant_id = 2")
        .await;
    for (tenant, code) in [("1", 0), ("2", 1), ("3", 0)] {
        let found = audit(&db, &["--tenant", tenant]).await.answers(code);
        let sessions = format!("SELECT count(*) FROM sessions WHERE tenant_id = {tenant}");
        assert_eq!(found["sessions"], db.number(&sessions).await);
        let differences = if tenant == "2" {
            &found["sessions"]
        } else {
            &json!(0)
        };
        assert_eq!(&found["differences"], differences);
    }
}

#[tokio::test]
async fn findings_past_the_limit_are_counted_and_the_text_says_so() {
    let db = stored(1).await;
    db.execute("UPDATE stored_session_figures SET answers = -1")
        .await;
    let sessions = db.number("SELECT count(*) FROM sessions").await;
    let found = audit(&db, &["--limit", "2"]).await.answers(1);
    assert_eq!(found["findings"].as_array().unwrap().len(), 2);
    assert_eq!(found["differences"], sessions);
    let said = Ctl::new(["audit", "--limit", "2"]).on(&db).run().await;
    let said = said.exits(1);
    for part in [
        "answers",
        "differs",
        "-1",
        &format!("and {} more", sessions - 2),
        "ctl rebuild",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_of_a_system_at_work_finds_nothing() {
    let db = stored(3).await;
    let stop = CancellationToken::new();
    let (writer, writing_stop) = (db.writer(1), stop.clone());
    let writing = tokio::spawn(async move {
        let mut rng = Rng::with_seed(4);
        while !writing_stop.is_cancelled() {
            let written = writer.write_batch(&some_events(&mut rng, 10), None).await;
            written.expect("the database takes events");
        }
    });
    let (pool, refreshing_stop) = (db.pool.clone(), stop.clone());
    let refreshing = tokio::spawn(async move {
        while !refreshing_stop.is_cancelled() {
            refresh_stale(&pool, 5).await.expect("the database answers");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    for _ in 0..5 {
        assert_eq!(audit(&db, &[]).await.answers(0)["differences"], 0);
    }
    stop.cancel();
    writing.await.unwrap();
    refreshing.await.unwrap();
}

#[tokio::test]
async fn a_database_without_a_schema_is_answered_with_what_to_do() {
    let db = TestDb::new().await;
    db.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        .await;
    for command in ["audit", "rebuild"] {
        let ran = Ctl::new([command]).on(&db).run().await;
        ran.fails_saying("ctl migrate");
    }
}
