//! Clients of the HTTP API that do what clients do: give up early, send again, send too often.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::event::{Draft, Events};
use crate::history::{History, Told};
use crate::stage::Stage;

const SINGLE_WRITERS: u64 = 4;
const BATCH_WRITERS: u64 = 2;
const BATCH_EVENTS_MAX: usize = 24;
/// Most tries before a client gives an event up.
const TRIES_MAX: u32 = 8;
/// Events that were acknowledged and may be sent once more.
const REMEMBERED: usize = 50;

/// Writes until the time is over; what is under way then is finished.
pub(crate) async fn write(
    stage: &Arc<Stage>,
    history: &Arc<History>,
    seed: u64,
    until: Instant,
) -> anyhow::Result<()> {
    let tokens = stage.rig.tokens()?;
    let mut writers = JoinSet::new();
    for number in 0..SINGLE_WRITERS + BATCH_WRITERS {
        let writer = Writer {
            stage: Arc::clone(stage),
            history: Arc::clone(history),
            url: stage.rig.server_url(),
            tokens: tokens.clone(),
            events: Events::new(seed, number),
            rng: Rng::with_seed(seed ^ number << 32),
            acknowledged: Vec::new(),
            until,
        };
        if number < SINGLE_WRITERS {
            writers.spawn(writer.write_singly());
        } else {
            writers.spawn(writer.write_batches());
        }
    }
    while let Some(ended) = writers.join_next().await {
        ended?;
    }
    Ok(())
}

struct Writer {
    stage: Arc<Stage>,
    history: Arc<History>,
    url: String,
    tokens: Vec<(i32, String)>,
    events: Events,
    rng: Rng,
    acknowledged: Vec<Draft>,
    until: Instant,
}

#[derive(Deserialize)]
struct BatchAnswer {
    results: Vec<ElementResult>,
}

#[derive(Deserialize)]
struct ElementResult {
    event_id: String,
    status: String,
    mode: Option<String>,
    code: Option<String>,
}

impl Writer {
    async fn write_singly(mut self) {
        while Instant::now() < self.until {
            let draft = match self.rng.u8(0..10) {
                0 => self.known(),
                _ => None,
            };
            let draft = draft.unwrap_or_else(|| self.events.next(&self.stage.clock_s));
            for _ in 0..TRIES_MAX {
                let told = self.post_one(&draft).await;
                let again = self.is_worth_another_try(&told);
                if matches!(told, Told::Acknowledged { .. }) {
                    self.remember(&draft);
                }
                if !again || Instant::now() >= self.until {
                    break;
                }
                self.pause(50..500).await;
            }
            self.pause(15..80).await;
        }
    }

    async fn write_batches(mut self) {
        while Instant::now() < self.until {
            let mut drafts = self.draw_batch();
            for _ in 0..TRIES_MAX {
                let told = self.post_all(&drafts).await;
                let mut again = Vec::new();
                for (draft, told) in drafts.into_iter().zip(told) {
                    if matches!(told, Told::Acknowledged { .. }) {
                        self.remember(&draft);
                    }
                    if self.is_worth_another_try(&told) {
                        again.push(draft);
                    }
                }
                drafts = again;
                if drafts.is_empty() || Instant::now() >= self.until {
                    break;
                }
                self.pause(50..500).await;
            }
            self.pause(150..500).await;
        }
    }

    /// Events of one tenant, some of them twice, some of them sent before.
    fn draw_batch(&mut self) -> Vec<Draft> {
        let count = self.rng.usize(1..=BATCH_EVENTS_MAX);
        let mut drafts: Vec<Draft> = Vec::with_capacity(count);
        while drafts.len() < count {
            let draft = match self.rng.u8(0..20) {
                0 => self.known(),
                1 => drafts.last().cloned(),
                _ => None,
            };
            let draft = draft.unwrap_or_else(|| self.events.next(&self.stage.clock_s));
            // A token is of one tenant.
            if drafts
                .first()
                .is_none_or(|first| first.key.0 == draft.key.0)
            {
                drafts.push(draft);
            }
        }
        drafts
    }

    fn known(&mut self) -> Option<Draft> {
        let place = self.rng.usize(0..self.acknowledged.len().max(1));
        self.acknowledged.get(place).cloned()
    }

    fn remember(&mut self, draft: &Draft) {
        if self.acknowledged.len() == REMEMBERED {
            let place = self.rng.usize(0..REMEMBERED);
            self.acknowledged.swap_remove(place);
        }
        self.acknowledged.push(draft.clone());
    }

    /// Most clients send again what was not acknowledged, some give up; and some never hear that it was.
    fn is_worth_another_try(&mut self, told: &Told) -> bool {
        let in_a_hundred = match told {
            Told::Acknowledged { .. } => 2,
            Told::Invalid(_) => 5,
            _ => 80,
        };
        self.rng.u8(0..100) < in_a_hundred
    }

    async fn pause(&mut self, ms: std::ops::Range<u64>) {
        sleep(Duration::from_millis(self.rng.u64(ms))).await;
    }

    async fn post_one(&mut self, draft: &Draft) -> Told {
        let sent = Instant::now();
        let told = match self
            .post("/api/events", draft.key.0, draft.json.clone())
            .await
        {
            Ok((StatusCode::CREATED, answer)) => Told::Acknowledged {
                mode: answer["mode"].as_str().unwrap_or_default().to_owned(),
                duplicate: answer["duplicate"] == true,
            },
            Ok((StatusCode::BAD_REQUEST, answer)) => {
                Told::Invalid(answer["code"].as_str().unwrap_or_default().to_owned())
            }
            Ok((StatusCode::SERVICE_UNAVAILABLE, _)) => Told::Unavailable,
            Ok((status, answer)) => Told::Nonsense(format!("{status}: {answer}")),
            Err(error) => Told::Nothing(error),
        };
        self.history.note(draft, "single", sent, told.clone());
        told
    }

    async fn post_all(&mut self, drafts: &[Draft]) -> Vec<Told> {
        let Some(first) = drafts.first() else {
            return Vec::new();
        };
        let sent = Instant::now();
        let body = drafts.iter().map(|draft| draft.json.clone()).collect();
        let answer = self.post("/api/events/batch", first.key.0, body).await;
        let told = read_batch_answer(drafts, answer);
        for (draft, told) in drafts.iter().zip(&told) {
            self.history.note(draft, "batch", sent, told.clone());
        }
        told
    }

    /// Status and body, or why there is none.
    async fn post(
        &mut self,
        path: &str,
        tenant: i32,
        body: Value,
    ) -> Result<(StatusCode, Value), String> {
        let token = self.tokens.iter().find(|(of, _)| *of == tenant);
        let token = token.map(|(_, token)| token.as_str()).unwrap_or_default();
        let patience = Duration::from_millis(self.rng.u64(800..6_000));
        let request = self.stage.rig.http.post(format!("{}{path}", self.url));
        let answer = request
            .bearer_auth(token)
            .timeout(patience)
            .json(&body)
            .send()
            .await
            .map_err(|error| why(&error))?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(|error| why(&error))?;
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Ok((status, body))
    }
}

fn why(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    kind.to_owned()
}

fn read_batch_answer(drafts: &[Draft], answer: Result<(StatusCode, Value), String>) -> Vec<Told> {
    let all = |told: Told| vec![told; drafts.len()];
    let (status, body) = match answer {
        Ok(answer) => answer,
        Err(error) => return all(Told::Nothing(error)),
    };
    let text = body.to_string();
    let results = match serde_json::from_value::<BatchAnswer>(body) {
        Ok(BatchAnswer { results }) if results.len() == drafts.len() => results,
        _ if status == StatusCode::SERVICE_UNAVAILABLE => return all(Told::Unavailable),
        _ => return all(Told::Nonsense(format!("{status}: {text}"))),
    };
    let read = |(draft, result): (&Draft, ElementResult)| match result.status.as_str() {
        _ if result.event_id != draft.key.1 => {
            Told::Nonsense(format!("the answer names {}", result.event_id))
        }
        "accepted" | "duplicate" => Told::Acknowledged {
            mode: result.mode.unwrap_or_default(),
            duplicate: result.status == "duplicate",
        },
        "invalid" => Told::Invalid(result.code.unwrap_or_default()),
        "unavailable" => Told::Unavailable,
        other => Told::Nonsense(format!("status {other}")),
    };
    drafts.iter().zip(results).map(read).collect()
}
