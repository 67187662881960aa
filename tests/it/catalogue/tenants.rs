//! Two tenants that use the same ids have catalogues of their own.

use serde_json::json;

use super::{World, classroom_of, classroom_path, ids, quiz_of, quiz_path};
use crate::harness::event::an_answer;

#[tokio::test]
async fn a_catalogue_entry_is_seen_in_its_own_tenant_only() {
    let world = World::new().await;
    let [quiz, question, classroom, student] = ids();
    let paths = [quiz_path(quiz), classroom_path(classroom)];
    for (tenant, key, name) in [(1, "A", "Ann"), (2, "B", "Ben")] {
        let bodies = [
            quiz_of(&[(question, Some(key))]),
            classroom_of(&[(student, Some(name))]),
        ];
        for (path, body) in paths.iter().zip(&bodies) {
            world.app.put_as(tenant, path, body).await.expect(200);
        }
    }
    for (tenant, key, name) in [(1, "A", "Ann"), (2, "B", "Ben")] {
        let quiz = world.app.entry_as(tenant, &paths[0]).await.expect(200);
        assert_eq!(quiz["questions"][0]["correct_answer"], key);
        let classroom = world.app.entry_as(tenant, &paths[1]).await.expect(200);
        assert_eq!(
            classroom["students"],
            json!([{"student_id": student, "name": name}])
        );
    }
    for path in &paths {
        world
            .app
            .entry_as(3, path)
            .await
            .refuses(404, "not_found", None);
    }
}

#[tokio::test]
async fn a_key_of_one_tenant_regrades_nothing_in_another() {
    let world = World::new().await;
    let [quiz, question, session] = ids();
    for tenant in [1, 2] {
        let answer = an_answer().in_session(session).of(question).saying("A");
        world.app.post_event_as(tenant, answer).await.expect(201);
    }
    let version = "SELECT facts_version FROM sessions WHERE tenant_id = 2";
    let before = world.db.number(version).await;
    world.put_key(quiz, question, Some("A")).await;
    assert_eq!(world.db.number(version).await, before);
    let question_text = question.to_string();
    for (tenant, correct) in [(1, 1), (2, 0)] {
        let params = [("question_id", question_text.as_str())];
        let body = world
            .app
            .report_as(tenant, "question-analysis", &params)
            .await;
        assert_eq!(
            body.expect(200)["usage_stats"]["correct_attempts"],
            correct,
            "tenant {tenant}"
        );
    }
}
