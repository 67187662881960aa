//! Two tenants that use the same ids never see each other's rows, by either write path: contract 12.2.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::{enrol, ids};
use crate::harness::Stand;
use crate::harness::event::{CLASSROOM, a_publication, a_start, an_answer};

#[tokio::test]
async fn two_tenants_with_the_same_ids_have_rows_and_reports_of_their_own() {
    for stand in Stand::both().await {
        let [session, question, start, first, second, third, fourth] = ids();
        let [ann, ben] = ids();
        let now = OffsetDateTime::now_utc();
        let at = |second: i64| now - Duration::seconds(600 - second);
        enrol(&stand.db, 1, CLASSROOM, &[ann, ben]).await;
        enrol(&stand.db, 2, CLASSROOM, &[ann]).await;
        let answer = |id, student, text: &str| {
            an_answer()
                .in_session(session)
                .of(question)
                .named(id)
                .by(student)
                .saying(text)
                .at(at(30))
        };
        let publish = |id| {
            a_publication()
                .in_session(session)
                .of(question)
                .named(id)
                .with_key("B")
        };
        let ours = [
            a_start().in_session(session).named(start).at(at(0)),
            publish(first).at(at(10)),
            answer(second, ann, "B"),
        ];
        let theirs = [
            a_start().in_session(session).named(start).at(at(0)),
            publish(first).at(at(10)),
            publish(third).at(at(20)),
            answer(second, ann, "A"),
            answer(fourth, ben, "C"),
        ];
        stand
            .app
            .post_batch_as(1, ours.each_ref().map(Value::from))
            .await
            .expect(201);
        stand
            .app
            .post_batch_as(2, theirs.each_ref().map(Value::from))
            .await
            .expect(201);
        stand.settle().await;

        let (session, question) = (session.to_string(), question.to_string());
        let of_session = [("session_id", session.as_str())];
        let of_question = [("question_id", question.as_str())];
        let of_both = [of_session[0], of_question[0]];
        for (tenant, publications, received, distribution, accuracies) in [
            (1, 1, 2, json!({"B": 1}), json!([100])),
            (2, 2, 1, json!({"A": 1, "C": 1}), json!([0, 0])),
            (3, 0, 0, json!({}), json!([])),
        ] {
            let report =
                async |name, params| stand.app.report_as(tenant, name, params).await.expect(200);
            let pace = report("questions-per-minute", &of_session).await;
            assert_eq!(pace["total_questions"], publications, "tenant {tenant}");
            let rate = report("response-rate", &of_both).await;
            assert_eq!(rate["students_received"], received, "tenant {tenant}");
            assert_eq!(
                rate["students_answered"],
                received.min(1),
                "tenant {tenant}"
            );
            let analysis = report("question-analysis", &of_question).await;
            assert_eq!(
                analysis["answer_distribution"], distribution,
                "tenant {tenant}"
            );
            let active = report("active-participants", &of_session).await;
            let found: Vec<_> = active["active_participants"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["accuracy"].clone())
                .collect();
            assert_eq!(json!(found), accuracies, "tenant {tenant}");
        }
    }
}

#[tokio::test]
async fn an_event_of_one_tenant_is_no_duplicate_of_anothers() {
    let stand = Stand::direct().await;
    let event = an_answer();
    for tenant in [1, 2] {
        let body = stand.app.post_event_as(tenant, &event).await.expect(201);
        assert_eq!(body.get("duplicate"), None, "tenant {tenant}");
        let body = stand.app.post_event_as(tenant, &event).await.expect(201);
        assert_eq!(body["duplicate"], true, "tenant {tenant}");
    }
}

#[tokio::test]
async fn a_key_in_one_tenant_grades_nothing_in_another() {
    let stand = Stand::direct().await;
    let [session, question] = ids();
    for tenant in [1, 2] {
        let answer = an_answer().in_session(session).of(question);
        stand.app.post_event_as(tenant, answer).await.expect(201);
    }
    let versions = "SELECT sum(facts_version) FROM sessions WHERE tenant_id = 2";
    let before = stand.db.number(versions).await;
    let publication = a_publication().of(question).with_key("B");
    stand.app.post_event_as(1, publication).await.expect(201);
    assert_eq!(stand.db.number(versions).await, before);
    for (tenant, correct) in [(1, 1), (2, 0)] {
        let body = stand
            .app
            .report_as(
                tenant,
                "question-analysis",
                &[("question_id", &question.to_string())],
            )
            .await;
        assert_eq!(
            body.expect(200)["usage_stats"]["correct_attempts"],
            correct,
            "tenant {tenant}"
        );
    }
}
