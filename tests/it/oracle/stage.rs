//! Plays a scenario through the real API, and compares every report with what the oracle expects.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use analytics_ingestor::auth::Role;
use analytics_ingestor::store::figures;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::asks::asks;
use super::clock::{self, Micros};
use super::compare::{Wordings, differences};
use super::entry::Entry;
use super::model::{Catalogue, Happening, Model};
use super::query::Query;
use super::reports::{Ask, expected};
use super::scenario::{PATIENCE, Scenario, Sent, Story, Thing, id};
use crate::harness::client::{Client, token_of};
use crate::harness::{App, Reply, TestDb};

/// Requests under way at one time.
const LANES: usize = 4;

/// One server and one database for all scenarios: each has two tenants of its own.
pub(super) struct Stage {
    app: App,
    db: TestDb,
    next_tenant: AtomicI64,
    wordings: Mutex<Wordings>,
}

/// Something that the server is asked.
#[derive(Debug, Clone)]
enum Request {
    Report(Ask),
    Query(Query),
}

/// Something that arrives at the server.
enum Arrival {
    Event(Sent),
    Entry(Entry),
    /// Figures of these sessions are stored.
    Refresh(Vec<Uuid>),
}

impl Stage {
    pub(super) async fn new() -> Self {
        let db = TestDb::new().await;
        Self {
            app: App::direct(&db).await,
            db,
            next_tenant: AtomicI64::new(1),
            wordings: Mutex::default(),
        }
    }

    /// Plays the scenario; what is wrong afterwards is the error.
    pub(super) async fn play(&self, scenario: &Scenario) -> Result<(), String> {
        let began = clock::now();
        let tenant = self.next_tenant.fetch_add(2, Ordering::Relaxed);
        let mut random = fastrand::Rng::with_seed(scenario.shuffle);
        let (catalogue, events) = self.bring(scenario, tenant, began, &mut random).await?;
        let model = Model::new(&events, catalogue);
        let reports = asks(&scenario.ours, &mut random).into_iter();
        let queries = scenario.queries.iter().map(|plan| plan.about(&model));
        let requests = reports
            .map(Request::Report)
            .chain(queries.map(Request::Query))
            .collect();
        let replies = self.ask_all(tenant, requests).await;
        let took = clock::now() - began;
        if took >= PATIENCE {
            return Err(format!(
                "the machine is too slow: {took} µs for one scenario"
            ));
        }
        let mut wordings = self.wordings.lock().expect("no other test uses it");
        for (request, reply, now) in replies {
            if reply.status != 200 {
                return Err(format!("{request:?} was answered {reply:?}"));
            }
            let expected = request.expected(&model, now);
            let actual: Value =
                serde_json::from_str(&reply.text).map_err(|_| reply.text.clone())?;
            let differences = differences(&expected, &actual, &mut wordings, now);
            if !differences.is_empty() {
                return Err(format!(
                    "{request:?}\n{}\nexpected {expected:#}\nfound {actual:#}",
                    differences.join("\n")
                ));
            }
        }
        Ok(())
    }

    /// Lets everything of both tenants arrive. What the first one's reports have to know comes back.
    async fn bring(
        &self,
        scenario: &Scenario,
        tenant: i64,
        now: Micros,
        random: &mut fastrand::Rng,
    ) -> Result<(Catalogue, Vec<Happening>), String> {
        let theirs = scenario.theirs.iter().map(|story| (tenant + 1, story));
        let mut arrivals: Vec<(i64, Arrival)> = [(tenant, &scenario.ours)]
            .into_iter()
            .chain(theirs)
            .flat_map(|(tenant, story)| {
                let arrivals = arrivals(story, now).into_iter();
                arrivals.map(move |arrival| (tenant, arrival))
            })
            .collect();
        random.shuffle(&mut arrivals);
        let mut catalogues = [Catalogue::default(), Catalogue::default()];
        let mut happenings = Vec::new();
        let mut batches: [Vec<Value>; 2] = [Vec::new(), Vec::new()];
        for (whose, arrival) in arrivals {
            let side = usize::from(whose != tenant);
            match arrival {
                Arrival::Event(sent) => {
                    batches[side].push(sent.json());
                    if side == 0 {
                        happenings.push(sent.event);
                    }
                    if batches[side].len() < scenario.batch_max {
                        continue;
                    }
                    self.post(whose, std::mem::take(&mut batches[side])).await?;
                }
                Arrival::Entry(entry) => {
                    entry.apply(&mut catalogues[side]);
                    self.put(whose, &entry, &catalogues[side]).await?;
                }
                Arrival::Refresh(sessions) => self.refresh(whose, &sessions).await,
            }
        }
        for (side, batch) in (0..).zip(batches) {
            self.post(tenant + side, batch).await?;
        }
        // Some sessions end with their figures stored, the others are behind.
        let sessions = (0..).take(scenario.ours.sessions.len());
        let stored = sessions.map(|number| id(Thing::Session, number));
        let stored: Vec<Uuid> = stored.filter(|_| random.bool()).collect();
        self.refresh(tenant, &stored).await;
        let [catalogue, _] = catalogues;
        Ok((catalogue, happenings))
    }

    async fn post(&self, tenant: i64, events: Vec<Value>) -> Result<(), String> {
        let count = events.len();
        let reply = self.app.post_batch_as(tenant, events).await;
        if reply.status == 201 && reply.json()["processed_count"] == count {
            Ok(())
        } else {
            Err(format!("a batch was answered {reply:?}"))
        }
    }

    /// Changes the catalogue, which already has the entry here.
    async fn put(&self, tenant: i64, entry: &Entry, catalogue: &Catalogue) -> Result<(), String> {
        let reply = self.app.put_as(tenant, &entry.path(), &entry.body()).await;
        if reply.status == 200 && reply.json() == entry.stored(catalogue) {
            Ok(())
        } else {
            Err(format!("{entry:?} was answered {reply:?}"))
        }
    }

    /// Stores the figures of the sessions, as far as they exist.
    async fn refresh(&self, tenant: i64, sessions: &[Uuid]) {
        let tenant = i32::try_from(tenant).expect("tenants are few");
        let sessions: Vec<_> = sessions.iter().map(|session| (tenant, *session)).collect();
        figures::refresh_group(&self.db.pool, &sessions)
            .await
            .expect("the figures can be stored");
    }

    /// What the server answers, and when it was asked.
    async fn ask_all(&self, tenant: i64, requests: Vec<Request>) -> Vec<(Request, Reply, Micros)> {
        let token = token_of(tenant, Role::Reader);
        let mut lanes = JoinSet::new();
        for first in 0..LANES {
            let requests = requests.iter().skip(first).step_by(LANES);
            let requests: Vec<Request> = requests.cloned().collect();
            let client = Client::clone(&self.app);
            let token = token.clone();
            lanes.spawn(async move {
                let mut replies = Vec::new();
                for request in requests {
                    let now = clock::now();
                    let http = request.on(&client).bearer_auth(&token);
                    replies.push((request, Reply::of(http).await, now));
                }
                replies
            });
        }
        lanes.join_all().await.into_iter().flatten().collect()
    }
}

impl Request {
    fn on(&self, client: &Client) -> RequestBuilder {
        match self {
            Self::Report(ask) => client.request(Method::GET, &ask.path()),
            Self::Query(query) => client.post("/api/reports/query").json(&query.body()),
        }
    }

    fn expected(&self, model: &Model, now: Micros) -> Value {
        match self {
            Self::Report(ask) => expected(model, ask, now),
            Self::Query(query) => query.expected(model),
        }
    }
}

fn arrivals(story: &Story, now: Micros) -> Vec<Arrival> {
    let events = story.events(now);
    let again = story
        .copies
        .iter()
        .filter_map(|place| events.get(*place).cloned());
    let refreshes = story.refreshes.iter().map(|sessions| {
        let sessions: BTreeSet<Uuid> = sessions
            .iter()
            .map(|number| id(Thing::Session, *number))
            .collect();
        Arrival::Refresh(sessions.into_iter().collect())
    });
    let entries = story.catalogue.iter().cloned().map(Arrival::Entry);
    let again: Vec<Sent> = again.collect();
    let events = events.into_iter().chain(again).map(Arrival::Event);
    events.chain(entries).chain(refreshes).collect()
}
