//! What operators look at: health, probes, metrics and logs. Contract 12.4.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::client::{JWT_SECRET, token_of};
use crate::harness::event::{a_publication, an_answer};
use crate::harness::program::{Launch, Program};
use crate::harness::samples::Samples;
use crate::harness::{PATIENCE, Reply, TestDb, Topics, eventually};
use analytics_ingestor::auth::Role;

async fn server(db: &TestDb, topics: Option<&Topics>) -> Program {
    let launch = Launch::server(&db.url())
        .with("SIGNUP_ENABLED", "true")
        .with("RUST_LOG", "debug")
        // It counts in its own time, whoever looks.
        .with("REFRESH_ENABLED", "false");
    match topics {
        Some(topics) => {
            launch
                .on(topics)
                .with("KAFKA_ENABLED", "true")
                .start()
                .await
        }
        None => launch.start().await,
    }
}

#[tokio::test]
async fn health_says_what_is_enabled_and_what_can_be_reached() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    for (topics, kafka_enabled, kafka, breaker) in [
        (None, false, "off", "off"),
        (Some(&topics), true, "up", "closed"),
    ] {
        let server = server(&db, topics).await;
        let expected = json!({
            "status": "healthy", "service": "analytics-ingestor", "version": env!("CARGO_PKG_VERSION"),
            "kafka_enabled": kafka_enabled, "kafka": kafka, "breaker": breaker, "database": "up",
            "spool": "off", "spool_events": 0, "spool_bytes": 0,
        });
        // A broker that is busy with other tests may miss one probe.
        let mut health = Value::Null;
        eventually("the server is healthy", PATIENCE, async || {
            health = server.client().get("/health").await.expect(200);
            health["status"] == "healthy"
        })
        .await;
        assert_eq!(health, expected);
        for path in ["/livez", "/readyz"] {
            assert_eq!(server.client().get(path).await.status, 200, "{path}");
        }
    }
}

#[tokio::test]
async fn only_the_exact_text_true_switches_kafka_on() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    for text in ["TRUE", "1", "yes", "", "false"] {
        let server = Launch::server(&db.url())
            .on(&topics)
            .with("KAFKA_ENABLED", text)
            .start()
            .await;
        assert_eq!(
            server.client().get("/health").await.json()["kafka_enabled"],
            false,
            "{text:?}"
        );
    }
}

#[tokio::test]
async fn every_metric_has_the_prefix_and_events_are_counted_by_mode_and_fault() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    let direct = server(&db, None).await;
    direct.client().post_event(an_answer()).await.expect(201);
    let repeated = an_answer().json();
    direct
        .client()
        .post_batch([
            repeated.clone(),
            repeated,
            an_answer().without("answer").json(),
        ])
        .await
        .expect(201);
    let counted = Samples::of(direct.client()).await;
    for (name, expected) in [
        (r#"ingestor_events_accepted_total{mode="direct"}"#, 3.0),
        (
            r#"ingestor_events_invalid_total{code="missing_field"}"#,
            1.0,
        ),
        (r#"ingestor_events_stored_total{writer="direct"}"#, 2.0),
        (r#"ingestor_events_duplicate_total{writer="direct"}"#, 1.0),
    ] {
        assert_eq!(counted.value(name), expected, "{name}");
    }

    let by_kafka = server(&db, Some(&topics)).await;
    let consumer = Launch::consumer(&db.url(), &topics).start().await;
    eventually("an event goes by way of Kafka", PATIENCE, || async {
        by_kafka.client().post_event(an_answer()).await.json()["mode"] == "kafka"
    })
    .await;
    topics.drained(PATIENCE).await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(consumer.client().get(path).await.status, 200, "{path}");
    }
    let of_server = Samples::of(by_kafka.client()).await;
    assert!(of_server.value(r#"ingestor_events_accepted_total{mode="kafka"}"#) >= 1.0);
    assert_eq!(
        of_server.value(r#"ingestor_kafka_breaker_state{state="closed"}"#),
        1.0
    );
    let of_consumer = Samples::of(consumer.client()).await;
    assert!(of_consumer.value(r#"ingestor_events_stored_total{writer="consumer"}"#) >= 1.0);
    for name in counted
        .names()
        .chain(of_server.names())
        .chain(of_consumer.names())
    {
        assert!(name.starts_with("ingestor_"), "{name}");
    }
}

/// What a little workload leaves on the pages of server and consumer, to the last event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_counters_of_a_known_workload_are_exact() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    let server = Launch::server(&db.url())
        .on(&topics)
        .with("KAFKA_ENABLED", "true")
        .with("KAFKA_PRODUCE_DEADLINE_MS", "20000")
        .with("REFRESH_ENABLED", "false")
        .start()
        .await;
    let consumer = Launch::consumer(&db.url(), &topics)
        .with("COMPLETENESS_INTERVAL_MS", "200")
        .with("REFRESH_ENABLED", "false")
        .start()
        .await;
    let fresh = Samples::of(server.client()).await;
    for zero in [
        r#"ingestor_events_accepted_total{mode="direct"}"#,
        r#"ingestor_events_accepted_total{mode="kafka"}"#,
        "ingestor_events_unavailable_total",
        r#"ingestor_kafka_fallback_total{reason="breaker_open"}"#,
        r#"ingestor_kafka_fallback_total{reason="deadline"}"#,
        r#"ingestor_kafka_fallback_total{reason="queue_full"}"#,
        r#"ingestor_kafka_breaker_transitions_total{from="closed",to="open"}"#,
        r#"ingestor_kafka_breaker_transitions_total{from="open",to="half_open"}"#,
        r#"ingestor_kafka_breaker_transitions_total{from="half_open",to="closed"}"#,
        r#"ingestor_kafka_breaker_transitions_total{from="half_open",to="open"}"#,
        r#"ingestor_events_stored_total{writer="direct"}"#,
        r#"ingestor_store_write_retries_total{writer="direct",reason="conflict"}"#,
    ] {
        assert_eq!(fresh.value(zero), 0.0, "{zero}");
    }

    // Eleven events of which one is posted twice; one that is none; two records that are no events.
    let repeated = an_answer().json();
    for _ in 0..2 {
        let body = server.client().post_event(repeated.clone()).await;
        assert_eq!(body.expect(201)["mode"], "kafka");
    }
    let batch = (0..10).map(|_| an_answer().json());
    let body = server.client().post_batch(batch).await.expect(201);
    assert_eq!(body["mode"], "kafka");
    server
        .client()
        .post_event(an_answer().without("answer"))
        .await
        .expect(400);
    topics.produce("one", "no event").await;
    topics.produce("two", "no event").await;
    topics.drained(PATIENCE).await;

    let of_server = Samples::of(server.client()).await;
    for (name, expected) in [
        (r#"ingestor_events_accepted_total{mode="kafka"}"#, 12.0),
        (r#"ingestor_events_accepted_total{mode="direct"}"#, 0.0),
        (
            r#"ingestor_events_invalid_total{code="missing_field"}"#,
            1.0,
        ),
        ("ingestor_events_unavailable_total", 0.0),
        ("ingestor_kafka_produced_total", 12.0),
        // One for each request: two events and a batch.
        ("ingestor_kafka_produce_seconds_count", 3.0),
        (r#"ingestor_kafka_breaker_state{state="closed"}"#, 1.0),
        (
            r#"ingestor_http_request_seconds_count{route="/api/events",method="POST",status="201"}"#,
            2.0,
        ),
        (
            r#"ingestor_http_request_seconds_count{route="/api/events",method="POST",status="400"}"#,
            1.0,
        ),
        (
            r#"ingestor_http_request_seconds_count{route="/api/events/batch",method="POST",status="201"}"#,
            1.0,
        ),
    ] {
        assert_eq!(of_server.value(name), expected, "{name}");
    }

    // A look that comes between two commits sees what is on its way.
    let settled = [
        (r#"ingestor_completeness_records{state="stored"}"#, 12.0),
        (
            r#"ingestor_completeness_records{state="dead_lettered"}"#,
            2.0,
        ),
        (r#"ingestor_lag_events{partition="0"}"#, 0.0),
        (r#"ingestor_lag_events{partition="1"}"#, 0.0),
        (r#"ingestor_lag_events{partition="2"}"#, 0.0),
    ];
    eventually("the consumer has counted", PATIENCE, async || {
        let samples = Samples::of(consumer.client()).await;
        settled
            .iter()
            .all(|(name, expected)| samples.find(name) == Some(*expected))
    })
    .await;
    let of_consumer = Samples::of(consumer.client()).await;
    let topic = &topics.events;
    for (name, expected) in [
        (r#"ingestor_events_stored_total{writer="consumer"}"#, 11.0),
        (r#"ingestor_events_duplicate_total{writer="consumer"}"#, 1.0),
        (
            r#"ingestor_event_freshness_seconds_count{writer="consumer"}"#,
            11.0,
        ),
        (
            r#"ingestor_store_write_batch_events_sum{writer="consumer"}"#,
            12.0,
        ),
        ("ingestor_kafka_consumer_batch_records_sum", 14.0),
        (
            &format!(r#"ingestor_kafka_consumer_records_total{{topic="{topic}",outcome="done"}}"#),
            12.0,
        ),
        (
            &format!(
                r#"ingestor_kafka_consumer_records_total{{topic="{topic}",outcome="dead_letter"}}"#
            ),
            2.0,
        ),
        (
            &format!(r#"ingestor_kafka_dead_letters_total{{topic="{topic}",class="permanent"}}"#),
            2.0,
        ),
        (
            &format!(r#"ingestor_kafka_dead_letters_total{{topic="{topic}",class="transient"}}"#),
            0.0,
        ),
        (
            &format!(
                r#"ingestor_kafka_consumer_retries_total{{topic="{topic}",class="transient"}}"#
            ),
            0.0,
        ),
        (
            r#"ingestor_kafka_consumer_commits_total{result="error"}"#,
            0.0,
        ),
        (r#"ingestor_completeness_records{state="in_flight"}"#, 0.0),
        (r#"ingestor_completeness_records{state="missing"}"#, 0.0),
        (r#"ingestor_completeness_records{state="expired"}"#, 0.0),
        (r#"ingestor_lag_seconds{partition="0"}"#, 0.0),
    ] {
        assert_eq!(of_consumer.value(name), expected, "{name}");
    }
    let commits = of_consumer.value(r#"ingestor_kafka_consumer_commits_total{result="ok"}"#);
    let timed = of_consumer.value("ingestor_kafka_consumer_commit_seconds_count");
    assert!(commits >= 1.0 && timed >= commits, "{commits}, {timed}");
}

#[tokio::test]
async fn a_metric_does_not_grow_with_what_clients_make_up() {
    let db = TestDb::new().await;
    let server = server(&db, None).await;
    let client = server.client();
    for _ in 0..2 {
        // Looking is a request like any other, and counted.
        Samples::of(client).await;
        client.get("/made-up/path").await;
        let strange = client.request(Method::from_bytes(b"STRANGE").unwrap(), "/health");
        Reply::of(strange).await;
        client
            .post_event(an_answer().with("event_type", "MADE_UP"))
            .await
            .expect(400);
        client
            .get(&format!(
                "/api/reports/questions-per-minute?session_id={}",
                uuid::Uuid::new_v4()
            ))
            .await;
    }
    let before = Samples::of(client).await.len();
    for _ in 0..20 {
        let made_up = uuid::Uuid::new_v4().simple().to_string();
        client.get(&format!("/{made_up}")).await;
        Reply::of(client.request(Method::from_bytes(made_up.as_bytes()).unwrap(), "/health")).await;
        client
            .post_event(an_answer().with("event_type", made_up.clone()))
            .await
            .expect(400);
        client
            .get(&format!(
                "/api/reports/questions-per-minute?session_id={made_up}"
            ))
            .await;
    }
    assert_eq!(Samples::of(client).await.len(), before);
}

const PRIVATE: &str = "this-is-nobodys-business";

#[tokio::test]
async fn no_token_no_password_and_no_payload_gets_into_a_log() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    let consumer = Launch::consumer(&db.url(), &topics)
        .with("RUST_LOG", "debug")
        .start()
        .await;
    let mut logs = Vec::new();
    let mut secrets = vec![
        PRIVATE.to_owned(),
        JWT_SECRET.to_owned(),
        token_of(1, Role::Writer),
    ];
    let url: reqwest::Url = db.url().parse().unwrap();
    secrets.extend(url.password().map(str::to_owned));
    for topics in [None, Some(&topics)] {
        let server = server(&db, topics).await;
        let client = server.client();
        let email = format!("{}@example.com", uuid::Uuid::new_v4().simple());
        let account = json!({"name": "Ada", "email": email, "password": PRIVATE, "role": "writer"});
        assert_eq!(
            client.post_json("/api/auth/signup", &account).await.status,
            201
        );
        let token = client
            .post_json("/api/auth/login", &account)
            .await
            .expect(200)["token"]
            .clone();
        secrets.push(token.as_str().unwrap().to_owned());
        let wrong = json!({"email": email, "password": format!("{PRIVATE}-not")});
        client
            .post_json("/api/auth/login", &wrong)
            .await
            .expect(401);
        for body in [
            json!({"email": PRIVATE, "password": [PRIVATE]}).to_string(),
            format!("{{\"password\": \"{PRIVATE}"),
        ] {
            assert_eq!(
                Reply::of(client.post("/api/auth/login").body(body))
                    .await
                    .status,
                400
            );
        }
        for event in [
            an_answer().saying(PRIVATE),
            a_publication().with_key(PRIVATE),
            an_answer().with("student_id", PRIVATE),
            an_answer().with("event_type", PRIVATE),
            an_answer().with("timestamp", PRIVATE),
        ] {
            client.post_event(&event).await;
            client.post_batch([Value::from(event)]).await;
        }
        let forged = client
            .post("/api/events")
            .bearer_auth(PRIVATE)
            .body(PRIVATE);
        assert_eq!(Reply::of(forged).await.status, 401);
        logs.extend(server.log());
    }
    for poison in [
        format!("{{\"tenant_id\":\"{PRIVATE}\",\"payload\":{{}}}}"),
        format!("{{\"timestamp\":5,\"payload\":{{\"answer\":\"{PRIVATE}\"}}}}"),
        json!({"payload": an_answer().with("event_type", PRIVATE).json()}).to_string(),
        json!({"payload": an_answer().with("answer", json!({PRIVATE: 1})).json()}).to_string(),
        format!("\"{PRIVATE}\""),
    ] {
        topics.produce("key", poison).await;
    }
    topics.drained(PATIENCE).await;
    logs.extend(consumer.log());

    assert!(
        logs.iter()
            .any(|line| line.contains("an account was created")),
        "the logs were not captured"
    );
    assert!(logs.len() > 20, "the logs were not captured: {logs:#?}");
    for line in &logs {
        for secret in &secrets {
            assert!(!line.contains(secret.as_str()), "{secret} in: {line}");
        }
    }
}
