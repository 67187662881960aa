//! The description of the API is true: contract 12.4.

use std::collections::{BTreeMap, BTreeSet};

use analytics_ingestor::auth::Role;
use analytics_ingestor::http;
use analytics_ingestor::store::fixtures;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::harness::client::token_of;
use crate::harness::{App, Reply, Setup, TestDb};

const METHODS: [Method; 6] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// The document as it is served.
struct Document(Value);

/// What one method of one path does.
struct Operation<'d> {
    path: &'d str,
    method: Method,
    details: &'d Value,
}

impl Document {
    async fn of(app: &App) -> Self {
        let reply = app.get("/openapi.json").await;
        assert_eq!(
            reply.header("content-type"),
            Some("application/json; charset=utf-8")
        );
        Self(reply.expect(200))
    }

    fn operations(&self) -> Vec<Operation<'_>> {
        let paths = object(&self.0["paths"]);
        let operations = paths.iter().flat_map(|(path, methods)| {
            object(methods)
                .iter()
                .map(move |(method, details)| Operation {
                    path,
                    method: method.to_uppercase().parse().unwrap(),
                    details,
                })
        });
        operations.collect()
    }

    /// Follows references to where something is described.
    fn resolve<'d>(&'d self, mut node: &'d Value) -> &'d Value {
        while let Some(reference) = node.get("$ref") {
            let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
            node = self
                .0
                .pointer(pointer)
                .unwrap_or_else(|| panic!("{pointer} is nowhere"));
        }
        node
    }

    /// Checks a value against a schema, which must name every field that is there.
    fn check(&self, schema: &Value, value: &Value, at: &str) {
        let schema = self.resolve(schema);
        if let Some(known) = schema.get("enum") {
            assert!(
                known.as_array().unwrap().contains(value),
                "{at}: {value} is none of {known}"
            );
        }
        let kinds = match &schema["type"] {
            Value::Array(kinds) => kinds.clone(),
            kind => vec![kind.clone()],
        };
        let fits = kinds.iter().any(|kind| match kind.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            kind => panic!("{at}: what is {kind}?"),
        });
        assert!(fits, "{at}: {value} is no {kinds:?}");
        if let (Some(min), Some(number)) = (schema.get("minimum"), value.as_f64()) {
            assert!(number >= min.as_f64().unwrap(), "{at}: {value}");
        }
        if let (Some(max), Some(number)) = (schema.get("maximum"), value.as_f64()) {
            assert!(number <= max.as_f64().unwrap(), "{at}: {value}");
        }
        if let Value::Array(entries) = value {
            for (place, entry) in entries.iter().enumerate() {
                self.check(&schema["items"], entry, &format!("{at}[{place}]"));
            }
        }
        if let (Some(properties), Value::Object(fields)) = (schema.get("properties"), value) {
            for (name, field) in fields {
                let at = format!("{at}.{name}");
                let described = properties.get(name);
                self.check(
                    described.unwrap_or_else(|| panic!("{at} is not described")),
                    field,
                    &at,
                );
            }
            let required = schema.get("required").and_then(Value::as_array);
            for name in required.into_iter().flatten() {
                assert!(
                    fields.contains_key(name.as_str().unwrap()),
                    "{at} lacks {name}"
                );
            }
        }
    }
}

impl Operation<'_> {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Sends the request with the document's own examples, ids as `id` makes them of the example's, as an admin.
    async fn call(&self, app: &App, document: &Document, id: impl Fn(&str) -> String) -> Reply {
        let mut path = self.path.to_owned();
        let mut query = Vec::new();
        let parameters = self.details.get("parameters").and_then(Value::as_array);
        for parameter in parameters.into_iter().flatten() {
            let parameter = document.resolve(parameter);
            let name = parameter["name"].as_str().unwrap();
            let Some(example) = parameter.get("example") else {
                assert_ne!(parameter["required"], true, "{}: {name}", self.name());
                continue;
            };
            let value = id(example.as_str().unwrap());
            if parameter["in"] == "path" {
                path = path.replace(&format!("{{{name}}}"), &value);
            } else {
                query.push(format!("{name}={value}"));
            }
        }
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        let mut request = app
            .request(self.method.clone(), &path)
            .bearer_auth(token_of(1, Role::Admin));
        if let Some(body) = self
            .details
            .pointer("/requestBody/content/application~1json")
        {
            let account = json!({"name": "Ida", "email": "ida@example.com", "password": "123456", "role": "reader"});
            let example = body.get("example").unwrap_or(&account);
            document.check(
                &body["schema"],
                example,
                &format!("the example of {}", self.name()),
            );
            request = request.json(example);
        }
        Reply::of(request).await
    }

    /// Checks an answer of success against what is described.
    fn check(&self, document: &Document, reply: &Reply) {
        let name = self.name();
        let answer = &self.details["responses"][reply.status.to_string()];
        assert!(!answer.is_null() && reply.status < 300, "{name}: {reply:?}");
        let Some(content) = answer.get("content") else {
            assert_eq!(reply.text, "", "{name}");
            return;
        };
        let (media_type, described) = object(content).iter().next().unwrap();
        let sent = reply.header("content-type").unwrap_or_default();
        assert!(sent.starts_with(media_type), "{name}: {sent}");
        if media_type == "application/json" {
            document.check(&described["schema"], &reply.json(), &name);
        }
    }
}

fn object(value: &Value) -> &Map<String, Value> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {value}"))
}

/// The paths that the router knows, out of its own description of itself.
fn routed_paths(db: &TestDb) -> BTreeSet<String> {
    let text = format!("{:?}", http::router(Setup::on(&db.url()).assemble()));
    let quoted = text.split('"').skip(1).step_by(2);
    quoted
        .filter(|path| path.starts_with('/') && *path != "/" && !path.contains("__private"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn every_route_is_described_with_its_methods_and_nothing_else_is() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let document = Document::of(&app).await;
    let mut described: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for operation in document.operations() {
        let methods = described.entry(operation.path.to_owned()).or_default();
        methods.insert(operation.method.to_string());
    }
    let routed = routed_paths(&db);
    assert!(
        routed.contains("/api/reports/question-analysis"),
        "{routed:?}"
    );
    assert_eq!(described.keys().cloned().collect::<BTreeSet<_>>(), routed);
    for (path, methods) in described {
        let mut answered = BTreeSet::new();
        for method in METHODS {
            let reply = Reply::of(app.request(method.clone(), &path)).await;
            if reply.text != "404 page not found" {
                answered.insert(method.to_string());
            }
        }
        assert_eq!(answered, methods, "{path}");
    }
}

#[tokio::test]
async fn every_operation_answers_its_own_example_as_its_schema_says() {
    let db = TestDb::new().await;
    fixtures::replace(&mut db.pool.acquire().await.unwrap())
        .await
        .unwrap();
    let app = App::direct(&db).await;
    let document = Document::of(&app).await;
    let operations = document.operations();
    let reports = operations.iter().filter(|operation| {
        operation.method == Method::GET && operation.path.starts_with("/api/reports/")
    });
    assert_eq!(reports.clone().count(), 22);
    for operation in &operations {
        let reply = operation.call(&app, &document, str::to_owned).await;
        operation.check(&document, &reply);
    }
    // The shape is the same where there is nothing to tell.
    for operation in reports {
        let unknown = |_: &str| "00000000-0000-0000-0000-0000000000ff".to_owned();
        let reply = operation.call(&app, &document, unknown).await;
        operation.check(&document, &reply);
    }
}

#[tokio::test]
async fn the_description_is_whole() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let document = Document::of(&app).await;
    assert_eq!(document.0["info"]["version"], env!("CARGO_PKG_VERSION"));
    let tags: Vec<&Value> = document.0["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| &tag["name"])
        .collect();
    let mut ids = BTreeSet::new();
    for operation in document.operations() {
        let name = operation.name();
        assert!(
            ids.insert(operation.details["operationId"].as_str().unwrap()),
            "{name}"
        );
        assert!(tags.contains(&&operation.details["tags"][0]), "{name}");
        let is_open = operation.details.get("security") == Some(&json!([]));
        let responses = object(&operation.details["responses"]);
        assert_eq!(
            is_open,
            !responses.contains_key("403") || operation.path == "/api/auth/signup",
            "{name}"
        );
        for response in responses.values() {
            let content = document.resolve(response).get("content");
            for described in content.iter().flat_map(|content| object(content).values()) {
                document.resolve(&described["schema"]);
            }
        }
    }
}

#[tokio::test]
async fn the_page_needs_no_other_host() {
    let db = TestDb::new().await;
    let app = App::direct(&db).await;
    let page = app.get("/docs").await;
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    for outside in [
        "http:", "https:", "\"//", "'//", "(//", "=//", "@import", "url(", "<link", " src=",
    ] {
        assert!(!page.text.contains(outside), "the page has {outside}");
    }
    // It draws the document, which must lead nowhere else either.
    assert!(page.text.contains("fetch(\"openapi.json\")"));
    let document = app.get("/openapi.json").await;
    assert!(!document.text.contains("://"), "the document has a URL");
}
