//! Clients that post one event after the other, and remember what each was answered.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use analytics_ingestor::auth::Role;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::client::{Client, Reply, token_of};
use super::event::an_answer;
use super::wait::eventually;

/// What became of one post.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) event_id: Uuid,
    /// When it was sent.
    pub(crate) at: Instant,
    pub(crate) took: Duration,
    /// The status, and the mode that the answer names; `None` when the connection broke.
    pub(crate) answer: Option<(u16, String)>,
    pub(crate) retry_after: Option<String>,
    /// Why there is no answer although there was a connection: nobody can tell what became of the event.
    pub(crate) cut: Option<String>,
}

impl Sent {
    pub(crate) fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(|(status, _)| *status)
    }

    pub(crate) fn is(&self, mode: &str) -> bool {
        self.answer
            .as_ref()
            .is_some_and(|(status, took)| *status == 201 && took == mode)
    }
}

/// Fails, naming some, if a post was not answered 201.
#[track_caller]
pub(crate) fn assert_no_request_failed(sent: &[Sent]) {
    let failed: Vec<_> = sent
        .iter()
        .filter(|sent| sent.status() != Some(201))
        .take(3)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Clients at work.
pub(crate) struct Load {
    sent: Arc<Mutex<Vec<Sent>>>,
    stop: CancellationToken,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// So many clients, each posting answers of tenant 1 without a pause.
    pub(crate) fn start(client: &Client, clients: usize) -> Self {
        let sent = Arc::<Mutex<Vec<Sent>>>::default();
        let stop = CancellationToken::new();
        let clients = (0..clients)
            .map(|_| {
                let (client, sent, stop) = (client.clone(), Arc::clone(&sent), stop.clone());
                tokio::spawn(async move {
                    let token = token_of(1, Role::Writer);
                    while !stop.is_cancelled() {
                        let post = post_one(&client, &token).await;
                        // A client that is turned away does not come back at once.
                        let is_refused = post.status() != Some(201);
                        sent.lock().expect("no holder panics").push(post);
                        if is_refused {
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    }
                })
            })
            .collect();
        Self {
            sent,
            stop,
            clients,
        }
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().expect("no holder panics").clone()
    }

    fn count(&self, wanted: impl Fn(&Sent) -> bool) -> usize {
        let sent = self.sent.lock().expect("no holder panics");
        sent.iter().filter(|sent| wanted(sent)).count()
    }

    /// Waits until so many more posts are as wanted.
    pub(crate) async fn more(
        &self,
        count: usize,
        deadline: Duration,
        wanted: impl Fn(&Sent) -> bool,
    ) {
        let before = self.count(&wanted);
        let what = format!("{count} more posts are as wanted");
        eventually(&what, deadline, || {
            std::future::ready(self.count(&wanted) >= before + count)
        })
        .await;
    }

    /// Lets every client finish its post, and returns all of them.
    pub(crate) async fn stop(self) -> Vec<Sent> {
        self.stop.cancel();
        for client in self.clients {
            client.await.expect("a client does not panic");
        }
        std::mem::take(&mut *self.sent.lock().expect("no holder panics"))
    }
}

async fn post_one(client: &Client, token: &str) -> Sent {
    let event = an_answer();
    let at = Instant::now();
    let request = client
        .post("/api/events")
        .bearer_auth(token)
        .json(&event.json());
    let reply = Reply::try_of(request).await;
    let cut = reply
        .as_ref()
        .err()
        .filter(|error| !error.is_connect())
        .map(|error| format!("{error:?}"));
    let reply = reply.ok();
    let retry_after = reply
        .as_ref()
        .and_then(|reply| reply.header("retry-after").map(str::to_owned));
    let answer = reply.map(|reply| {
        let mode = reply.json()["mode"].as_str().unwrap_or_default().to_owned();
        (reply.status, mode)
    });
    Sent {
        event_id: event.id().parse().expect("the event has a UUID"),
        at,
        took: at.elapsed(),
        answer,
        retry_after,
        cut,
    }
}

/// The events that were acknowledged.
pub(crate) fn acknowledged(sent: &[Sent]) -> BTreeSet<Uuid> {
    sent.iter()
        .filter(|sent| sent.status() == Some(201))
        .map(|sent| sent.event_id)
        .collect()
}
