//! A client of the API, as the quiz app and the dashboard are.

use std::time::Duration;

use analytics_ingestor::auth::{Role, Tokens};
use analytics_ingestor::tenant::Tenant;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, redirect};
use secrecy::SecretString;
use serde_json::Value;

use super::wait::PATIENCE;

/// The key that every server of the tests signs with.
pub(crate) const JWT_SECRET: &str = "the-key-of-the-integration-tests-0123456789";

/// The account number in tokens that the tests make themselves.
pub(crate) const USER_ID: i32 = 4711;

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) took: Duration,
}

impl Reply {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        Self::try_of(request).await.expect("the server answers")
    }

    pub(crate) async fn try_of(request: RequestBuilder) -> reqwest::Result<Self> {
        let began = std::time::Instant::now();
        let response = request.send().await?;
        Ok(Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await?,
            took: began.elapsed(),
        })
    }

    /// The body, once the status is as expected.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the answer is a refusal with the status, the code and, where there is one, the field.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, code: &str, field: Option<&str>) {
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{self:?}");
        assert_eq!(body.get("field").and_then(Value::as_str), field, "{self:?}");
        assert!(
            body["error"].as_str().is_some_and(|text| !text.is_empty()),
            "{self:?}"
        );
    }
}

/// A client of one server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    base: String,
    http: reqwest::Client,
}

/// A token of a tenant and a role, as a login would give it.
pub(crate) fn token_of(tenant: i64, role: Role) -> String {
    let tenant = Tenant::from_operator(tenant).expect("a tenant's number is positive");
    Tokens::new(&SecretString::from(JWT_SECRET), 1)
        .sign(USER_ID, tenant, role)
        .expect("a token can be signed")
}

impl Client {
    pub(crate) fn new(base: String) -> Self {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .expect("a client can be made");
        Self { base, http }
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        Reply::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Reply {
        Reply::of(self.post(path).json(body)).await
    }

    /// Posts one event as tenant 1.
    pub(crate) async fn post_event(&self, event: impl Into<Value>) -> Reply {
        self.post_event_as(1, event).await
    }

    pub(crate) async fn post_event_as(&self, tenant: i64, event: impl Into<Value>) -> Reply {
        let request = self
            .post("/api/events")
            .bearer_auth(token_of(tenant, Role::Writer));
        Reply::of(request.json(&event.into())).await
    }

    /// Posts a batch as tenant 1.
    pub(crate) async fn post_batch(&self, events: impl IntoIterator<Item = Value>) -> Reply {
        self.post_batch_as(1, events).await
    }

    pub(crate) async fn post_batch_as(
        &self,
        tenant: i64,
        events: impl IntoIterator<Item = Value>,
    ) -> Reply {
        let body = Value::Array(events.into_iter().collect());
        Reply::of(self.batch(tenant).json(&body)).await
    }

    /// A batch request that lacks its body.
    pub(crate) fn batch(&self, tenant: i64) -> RequestBuilder {
        self.post("/api/events/batch")
            .bearer_auth(token_of(tenant, Role::Writer))
    }

    /// Puts an entry into a tenant's catalogue.
    pub(crate) async fn put_as(&self, tenant: i64, path: &str, body: &Value) -> Reply {
        let request = self
            .request(Method::PUT, path)
            .bearer_auth(token_of(tenant, Role::Admin));
        Reply::of(request.json(body)).await
    }

    /// Reads an entry of a tenant's catalogue.
    pub(crate) async fn entry_as(&self, tenant: i64, path: &str) -> Reply {
        let request = self
            .request(Method::GET, path)
            .bearer_auth(token_of(tenant, Role::Admin));
        Reply::of(request).await
    }

    /// Reads a report as tenant 1.
    pub(crate) async fn report(&self, name: &str, params: &[(&str, &str)]) -> Reply {
        self.report_as(1, name, params).await
    }

    pub(crate) async fn report_as(
        &self,
        tenant: i64,
        name: &str,
        params: &[(&str, &str)],
    ) -> Reply {
        let mut url = reqwest::Url::parse(&format!("{}/api/reports/{name}", self.base))
            .expect("the address is a URL");
        url.query_pairs_mut().extend_pairs(params);
        let request = self
            .http
            .get(url)
            .bearer_auth(token_of(tenant, Role::Reader));
        Reply::of(request).await
    }

    /// Sends a generic query as tenant 1.
    pub(crate) async fn query(&self, body: &Value) -> Reply {
        self.query_as(1, body).await
    }

    pub(crate) async fn query_as(&self, tenant: i64, body: &Value) -> Reply {
        let request = self
            .post("/api/reports/query")
            .bearer_auth(token_of(tenant, Role::Reader));
        Reply::of(request.json(body)).await
    }
}
