//! The server's HTTP contract as a sender sees it: what was sent, and what each answer means for it.

use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::tally::Fate;

/// What an answer says.
#[derive(Debug)]
pub(super) enum Answered {
    /// Each event's own fate, in the order sent; `None` is to be sent again.
    Each {
        fates: Vec<Option<Fate>>,
        retry_after: Option<Duration>,
    },
    /// Nothing was settled; the same may be sent again.
    Again {
        reason: String,
        retry_after: Option<Duration>,
    },
    /// The body as a whole was refused: a part of it is at fault, or it is too large.
    Refused { reason: String },
    /// Nothing that is sent this way will ever be taken.
    Hopeless { reason: String },
}

/// Connections to one server.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    authorization: HeaderValue,
}

#[derive(Deserialize)]
struct LoginAnswer {
    token: String,
}

#[derive(Deserialize)]
struct EventAnswer {
    mode: String,
    #[serde(default)]
    duplicate: bool,
}

#[derive(Deserialize)]
struct BatchAnswer {
    results: Vec<ResultAnswer>,
}

#[derive(Deserialize)]
struct ResultAnswer {
    event_id: String,
    status: String,
    mode: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: String,
}

impl Client {
    pub(super) fn new(url: &str, connections: usize, timeout: Duration) -> anyhow::Result<Self> {
        let parsed: Url = url.parse().context("the URL of the API (LOAD_URL)")?;
        ensure!(
            matches!(parsed.scheme(), "http" | "https"),
            "the URL of the API (LOAD_URL) must begin with http:// or https://"
        );
        let http = reqwest::Client::builder()
            // What is measured is the server.
            .no_proxy()
            .pool_max_idle_per_host(connections)
            .timeout(timeout)
            .tcp_nodelay(true)
            .build()?;
        Ok(Self {
            http,
            url: url.trim_end_matches('/').to_owned(),
            authorization: HeaderValue::from_static(""),
        })
    }

    pub(super) fn use_token(&mut self, token: &SecretString) -> anyhow::Result<()> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret().trim()))
            .map_err(|_| anyhow!("the token holds characters that no token has"))?;
        value.set_sensitive(true);
        self.authorization = value;
        Ok(())
    }

    pub(super) async fn log_in(
        &mut self,
        email: &str,
        password: &SecretString,
    ) -> anyhow::Result<()> {
        let login = serde_json::json!({"email": email, "password": password.expose_secret()});
        let url = format!("{}/auth/login", self.url);
        let answer = self
            .http
            .post(&url)
            .json(&login)
            .send()
            .await
            .map_err(|error| anyhow!(error.without_url()).context(url.clone()))?;
        let status = answer.status();
        let body = answer.bytes().await?;
        if status != StatusCode::OK {
            bail!("{email} cannot log in: {}", reason(status, &body));
        }
        let answer: LoginAnswer = serde_json::from_slice(&body)
            .map_err(|_| anyhow!("{url} gave no token; is this the right URL?"))?;
        self.use_token(&answer.token.into())
    }

    /// Sends one event on its own.
    pub(super) async fn send_one(&self, event: &Bytes) -> Answered {
        self.post("events", "application/json", event.clone(), one_meaning)
            .await
    }

    /// Sends events as lines of one batch.
    pub(super) async fn send_batch(&self, events: &[Bytes]) -> Answered {
        let sent = events.len();
        self.post(
            "events/batch",
            "application/x-ndjson",
            lines(events),
            |status, retry_after, body| batch_meaning(sent, status, retry_after, body),
        )
        .await
    }

    async fn post(
        &self,
        route: &str,
        content_type: &'static str,
        body: Bytes,
        meaning: impl Fn(StatusCode, Option<Duration>, &[u8]) -> Answered,
    ) -> Answered {
        let sent = async {
            let answer = self
                .http
                .post(format!("{}/{route}", self.url))
                .header(AUTHORIZATION, self.authorization.clone())
                .header(CONTENT_TYPE, content_type)
                .body(body)
                .send()
                .await?;
            let (status, retry_after) = (answer.status(), retry_after(answer.headers()));
            Ok::<_, reqwest::Error>((status, retry_after, answer.bytes().await?))
        };
        match sent.await {
            Ok((status, retry_after, body)) => meaning(status, retry_after, &body),
            // The request may or may not have been seen; events are taken once, so it may be sent again.
            Err(error) => Answered::Again {
                reason: format!("{:#}", anyhow!(error.without_url())),
                retry_after: None,
            },
        }
    }
}

fn lines(events: &[Bytes]) -> Bytes {
    let bytes = events.iter().map(|event| event.len() + 1).sum();
    let mut body = BytesMut::with_capacity(bytes);
    for event in events {
        body.put_slice(event);
        body.put_u8(b'\n');
    }
    body.freeze()
}

fn one_meaning(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Answered {
    if status != StatusCode::CREATED {
        return failure(status, retry_after, body);
    }
    let fate = serde_json::from_slice(body)
        .ok()
        .and_then(|answer: EventAnswer| acknowledged(&answer.mode, answer.duplicate));
    match fate {
        Some(fate) => Answered::Each {
            fates: vec![Some(fate)],
            retry_after,
        },
        None => not_understood(status),
    }
}

fn batch_meaning(
    sent: usize,
    status: StatusCode,
    retry_after: Option<Duration>,
    body: &[u8],
) -> Answered {
    // A batch that no store could take is answered 503 with the same body.
    if status != StatusCode::CREATED && status != StatusCode::SERVICE_UNAVAILABLE {
        return failure(status, retry_after, body);
    }
    let Ok(answer) = serde_json::from_slice::<BatchAnswer>(body) else {
        return match status {
            StatusCode::CREATED => not_understood(status),
            _ => failure(status, retry_after, body),
        };
    };
    let fates: Option<Vec<_>> = answer.results.into_iter().map(fate).collect();
    match fates {
        Some(fates) if fates.len() == sent => Answered::Each { fates, retry_after },
        _ => not_understood(status),
    }
}

/// The fate of one event of a batch; the inner `None` is to be sent again, the outer one is not understood.
#[expect(
    clippy::option_option,
    reason = "the two absences are different answers"
)]
fn fate(result: ResultAnswer) -> Option<Option<Fate>> {
    let mode = result.mode.unwrap_or_default();
    match result.status.as_str() {
        "accepted" => acknowledged(&mode, false).map(Some),
        "duplicate" => Some(Some(Fate::Duplicate)),
        "unavailable" => Some(None),
        "invalid" => {
            let error = result.error.unwrap_or_default();
            let reason = format!("event {}: {error}", result.event_id);
            Some(Some(Fate::Invalid(reason)))
        }
        _ => None,
    }
}

fn acknowledged(mode: &str, duplicate: bool) -> Option<Fate> {
    match (mode, duplicate) {
        (_, true) => Some(Fate::Duplicate),
        ("direct", false) => Some(Fate::Direct),
        ("kafka", false) => Some(Fate::Kafka),
        _ => None,
    }
}

fn failure(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Answered {
    let reason = reason(status, body);
    match status {
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => Answered::Refused { reason },
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Answered::Again {
            reason,
            retry_after,
        },
        _ if status.is_server_error() => Answered::Again {
            reason,
            retry_after,
        },
        _ => Answered::Hopeless { reason },
    }
}

fn not_understood(status: StatusCode) -> Answered {
    Answered::Hopeless {
        reason: format!("the server answered {status} in a form that it should not have"),
    }
}

fn reason(status: StatusCode, body: &[u8]) -> String {
    match serde_json::from_slice::<ErrorAnswer>(body) {
        Ok(answer) => format!("{}: {}", status.as_u16(), answer.error),
        Err(_) => status.to_string(),
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse();
    seconds.ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Option<Duration> = Some(Duration::from_secs(3));

    #[test]
    fn a_single_event_is_acknowledged_by_the_mode_of_its_answer() {
        for (body, fate) in [
            (r#"{"event_id":"a","mode":"direct"}"#, Fate::Direct),
            (r#"{"event_id":"a","mode":"kafka"}"#, Fate::Kafka),
            (
                r#"{"event_id":"a","mode":"direct","duplicate":true}"#,
                Fate::Duplicate,
            ),
        ] {
            let answered = one_meaning(StatusCode::CREATED, None, body.as_bytes());
            assert!(
                matches!(&answered, Answered::Each { fates, .. } if fates[..] == [Some(fate)]),
                "{answered:?}"
            );
        }
    }

    #[test]
    fn each_event_of_a_batch_has_its_own_fate_even_under_503() {
        let body = br#"{"message":"Batch events processed","results":[
            {"event_id":"a","status":"accepted","mode":"kafka"},
            {"event_id":"b","status":"invalid","code":"missing_field","error":"quiz_id is required"},
            {"event_id":"c","status":"unavailable","code":"unavailable"},
            {"event_id":"d","status":"duplicate","mode":"direct"}]}"#;
        for status in [StatusCode::CREATED, StatusCode::SERVICE_UNAVAILABLE] {
            let Answered::Each { fates, retry_after } = batch_meaning(4, status, LATER, body)
            else {
                panic!("{status} gives each event's fate");
            };
            assert_eq!(retry_after, LATER);
            let invalid = Fate::Invalid("event b: quiz_id is required".into());
            assert_eq!(
                fates,
                [
                    Some(Fate::Kafka),
                    Some(invalid),
                    None,
                    Some(Fate::Duplicate)
                ]
            );
        }
    }

    #[test]
    fn an_answer_that_forgets_an_event_is_not_taken_for_an_acknowledgement() {
        let body = br#"{"results":[{"event_id":"a","status":"accepted","mode":"direct"}]}"#;
        let answered = batch_meaning(2, StatusCode::CREATED, None, body);
        assert!(
            matches!(answered, Answered::Hopeless { .. }),
            "{answered:?}"
        );
    }

    #[test]
    fn a_busy_or_broken_server_is_asked_again() {
        for status in [408, 429, 500, 502, 503, 504] {
            let status = StatusCode::from_u16(status).unwrap();
            for answered in [
                one_meaning(status, LATER, br#"{"error":"busy"}"#),
                batch_meaning(2, status, LATER, br#"{"error":"busy"}"#),
            ] {
                assert!(
                    matches!(&answered, Answered::Again { retry_after, .. } if *retry_after == LATER),
                    "{status}: {answered:?}"
                );
            }
        }
    }

    #[test]
    fn a_refused_body_is_told_apart_from_a_refused_sender() {
        for (status, refused) in [
            (400, true),
            (413, true),
            (401, false),
            (403, false),
            (404, false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let answered = batch_meaning(2, status, None, br#"{"error":"no"}"#);
            assert_eq!(
                matches!(answered, Answered::Refused { .. }),
                refused,
                "{answered:?}"
            );
            assert_eq!(
                matches!(answered, Answered::Hopeless { .. }),
                !refused,
                "{answered:?}"
            );
        }
    }

    #[test]
    fn a_batch_is_one_event_a_line() {
        let events = [Bytes::from_static(b"{1}"), Bytes::from_static(b"{2}")];
        assert_eq!(lines(&events), "{1}\n{2}\n");
    }
}
