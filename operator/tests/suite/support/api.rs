//! Objects by path, with what the operator relies on: versions, generations, preconditions,
//! label selectors, apply and merge patches, dry runs and evictions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::fuse::Fuse;
use super::life::Life;
use super::patch::{merge, refuse, selected};

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    counter: u64,
    writes: Vec<String>,
    events: Vec<String>,
    /// Whether the disruption budget refuses evictions.
    budget_spent: bool,
    life: Life,
    /// Paths that begin with this get this answer: reads too if that is 403.
    refused: Option<(String, u16)>,
    /// Whether storage classes can grow volumes.
    cannot_grow: bool,
    /// What a cluster must never see.
    guard: Option<Guard>,
    pub violations: Vec<String>,
}

/// Says what is wrong with a write, given everything that is there.
type Guard = Box<dyn Fn(&str, &BTreeMap<String, Value>) -> Option<String> + Send>;

#[derive(Clone, Default)]
pub struct Api(Arc<Mutex<State>>, Fuse);

impl Api {
    pub fn new(fuse: &Fuse) -> Self {
        Self(Arc::default(), fuse.clone())
    }

    /// Checks every write from now on.
    pub fn watch_over(
        &self,
        guard: impl Fn(&str, &BTreeMap<String, Value>) -> Option<String> + Send + 'static,
    ) {
        self.0.lock().expect("lock").guard = Some(Box::new(guard));
    }

    pub fn violations(&self) -> Vec<String> {
        self.0.lock().expect("lock").violations.clone()
    }

    pub fn refuse_growth(&self, refuse: bool) {
        self.0.lock().expect("lock").cannot_grow = refuse;
    }

    /// Paths of what is there.
    pub fn paths(&self) -> Vec<String> {
        let state = self.0.lock().expect("lock");
        state.objects.keys().cloned().collect()
    }

    pub fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move {
                let (parts, body) = request.into_parts();
                let bytes = body.collect_bytes().await.expect("a body");
                let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
                let (code, answer) = api.handle(&parts, body);
                let body = Body::from(answer.to_string().into_bytes());
                let response = Response::builder().status(code).body(body);
                Ok::<_, std::convert::Infallible>(response.expect("a response"))
            }
        });
        Client::new(service, "default")
    }

    pub fn get(&self, path: &str) -> Option<Value> {
        self.0.lock().expect("lock").objects.get(path).cloned()
    }

    /// Stores an object as somebody else would.
    pub fn put(&self, path: &str, object: Value) {
        self.0.lock().expect("lock").store(path, object);
    }

    pub fn remove(&self, path: &str) {
        self.0.lock().expect("lock").objects.remove(path);
    }

    /// What was written since the last time, events aside.
    pub fn take_writes(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("lock").writes)
    }

    /// Reasons and notes of the events since the last time.
    pub fn take_events(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("lock").events)
    }

    /// How long the operator that writes here lives.
    pub fn life(&self) -> Life {
        self.0.lock().expect("lock").life.clone()
    }

    /// Takes away the right to whatever path begins like this.
    pub fn forbid(&self, prefix: &str) {
        self.0.lock().expect("lock").refused = Some((prefix.to_owned(), 403));
    }

    /// Takes nothing that is written to whatever path begins like this.
    pub fn take_for_invalid(&self, prefix: &str) {
        self.0.lock().expect("lock").refused = Some((prefix.to_owned(), 422));
    }

    pub fn refuse_nothing(&self) {
        self.0.lock().expect("lock").refused = None;
    }

    pub fn spend_budget(&self, spent: bool) {
        self.0.lock().expect("lock").budget_spent = spent;
    }

    fn handle(&self, parts: &http::request::Parts, body: Value) -> (StatusCode, Value) {
        let path = parts.uri.path().to_owned();
        let query = parts.uri.query().unwrap_or_default();
        let query = query
            .replace("%3D", "=")
            .replace("%2C", ",")
            .replace("%2F", "/");
        let mut state = self.0.lock().expect("lock");
        if self.1.is_blown() {
            return refuse(500, "DeadOperator");
        }
        if path.contains("/events") {
            let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
            state
                .events
                .push(format!("{}: {}", text("reason"), text("note")));
            return (StatusCode::CREATED, body);
        }
        let write = parts.method != Method::GET && !query.contains("dryRun");
        if !state.life.permits(write) {
            return refuse(503, "ServiceUnavailable");
        }
        if let Some((prefix, code)) = &state.refused
            && path.starts_with(prefix)
            && (write || *code == 403)
        {
            return refuse(*code, "Refused");
        }
        let written = state.writes.len();
        let answer = match parts.method {
            Method::GET => state.read(&path, &query),
            Method::PATCH => state.patch(&path, &query, body),
            Method::POST => state.post(&path, &query, body),
            Method::DELETE => state.delete(&path, &body),
            _ => refuse(405, "MethodNotAllowed"),
        };
        if state.writes.len() > written {
            self.1.write();
        }
        answer
    }
}

impl State {
    fn store(&mut self, path: &str, mut object: Value) -> Value {
        self.counter += 1;
        object["metadata"]["resourceVersion"] = json!(self.counter.to_string());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-{}", self.counter));
            object["metadata"]["generation"] = json!(1);
        }
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn read(&self, path: &str, query: &str) -> (StatusCode, Value) {
        if let Some(object) = self.objects.get(path) {
            return (StatusCode::OK, object.clone());
        }
        let is_name = path
            .split('/')
            .rev()
            .take_while(|s| *s != "namespaces")
            .count()
            != 2;
        if is_name || path.split('/').count() == 5 {
            return refuse(404, "NotFound");
        }
        let items = selected(&self.objects, path, query);
        let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items});
        (StatusCode::OK, list)
    }

    fn patch(&mut self, path: &str, query: &str, mut body: Value) -> (StatusCode, Value) {
        let (path, status) = match path.strip_suffix("/status") {
            Some(path) => (path, true),
            None => (path, false),
        };
        let live = self.objects.get(path).cloned();
        let meta = &body["metadata"];
        for key in ["uid", "resourceVersion"] {
            let now = live.as_ref().map_or(&Value::Null, |l| &l["metadata"][key]);
            if !meta[key].is_null() && meta[key] != *now {
                return refuse(409, "Conflict");
            }
        }
        if let Value::Object(meta) = &mut body["metadata"] {
            meta.remove("resourceVersion");
        }
        if self.cannot_grow && path.contains("persistentvolumeclaims") && !body["spec"].is_null() {
            return refuse(403, "Forbidden");
        }
        let mut object = live.clone().unwrap_or_else(|| json!({"metadata": {}}));
        if status {
            merge(&mut object["status"], &body["status"]);
        } else {
            merge(&mut object, &body);
        }
        if query.contains("dryRun") {
            return (StatusCode::OK, object);
        }
        let status = if status { "/status" } else { "" };
        self.wrote(format!("patch {path}{status}"));
        if Some(&object) == live.as_ref() {
            return (StatusCode::OK, object);
        }
        if let Some(live) = &live
            && live["spec"] != object["spec"]
        {
            let generation = live["metadata"]["generation"].as_i64().unwrap_or(0);
            object["metadata"]["generation"] = json!(generation + 1);
        }
        (StatusCode::OK, self.store(path, object))
    }

    fn wrote(&mut self, write: String) {
        let wrong = self.guard.as_ref().and_then(|g| g(&write, &self.objects));
        self.violations
            .extend(wrong.map(|why| format!("{write}: {why}")));
        self.writes.push(write);
    }

    fn post(&mut self, path: &str, query: &str, body: Value) -> (StatusCode, Value) {
        if let Some(pod) = path.strip_suffix("/eviction") {
            return self.evict(pod, query.contains("dryRun"), &body);
        }
        let name = body["metadata"]["name"].as_str().unwrap_or_default();
        let path = format!("{path}/{name}");
        if self.objects.contains_key(&path) {
            return refuse(409, "AlreadyExists");
        }
        self.wrote(format!("create {path}"));
        (StatusCode::CREATED, self.store(&path, body))
    }

    fn evict(&mut self, pod: &str, dry: bool, body: &Value) -> (StatusCode, Value) {
        if !dry {
            self.wrote(format!("evict {pod}"));
        }
        let live = self.objects.get(pod).cloned().unwrap_or_default();
        if body["deleteOptions"]["preconditions"]["uid"] != live["metadata"]["uid"] {
            return refuse(409, "Conflict");
        }
        if self.budget_spent {
            return refuse(429, "TooManyRequests");
        }
        if !dry {
            self.objects.remove(pod);
        }
        (
            StatusCode::CREATED,
            json!({"kind": "Status", "status": "Success", "code": 201}),
        )
    }

    fn delete(&mut self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.wrote(format!("delete {path}"));
        let Some(live) = self.objects.get(path).cloned() else {
            return refuse(404, "NotFound");
        };
        if body["preconditions"]["uid"] != live["metadata"]["uid"] {
            return refuse(409, "Conflict");
        }
        self.objects.remove(path);
        (
            StatusCode::OK,
            json!({"kind": "Status", "status": "Success", "code": 200}),
        )
    }
}
