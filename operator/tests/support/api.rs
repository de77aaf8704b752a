//! Objects by path, with what the operator relies on: versions, generations, preconditions,
//! label selectors, apply and merge patches, dry runs and evictions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    counter: u64,
    writes: Vec<String>,
    /// Whether the disruption budget refuses evictions.
    budget_spent: bool,
}

#[derive(Clone, Default)]
pub struct Api(Arc<Mutex<State>>);

impl Api {
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
        if path.contains("/events") {
            return (StatusCode::CREATED, body);
        }
        match parts.method {
            Method::GET => state.read(&path, &query),
            Method::PATCH => state.patch(&path, &query, body),
            Method::POST => state.evict(&path, &body),
            Method::DELETE => state.delete(&path, &body),
            _ => refuse(405, "MethodNotAllowed"),
        }
    }
}

fn refuse(code: u16, reason: &str) -> (StatusCode, Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "code": code, "reason": reason, "message": reason,
    });
    (StatusCode::from_u16(code).expect("a code"), status)
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
        let selector = query
            .split('&')
            .find_map(|p| p.strip_prefix("labelSelector="));
        let pairs: Vec<(&str, &str)> = selector
            .into_iter()
            .flat_map(|s| s.split(','))
            .filter_map(|p| p.split_once('='))
            .collect();
        let matches = |o: &&Value| {
            let labels = &o["metadata"]["labels"];
            pairs.iter().all(|(k, v)| labels[*k] == *v)
        };
        let below = format!("{path}/");
        let items: Vec<&Value> = self
            .objects
            .iter()
            .filter(|(p, _)| p.starts_with(&below))
            .map(|(_, o)| o)
            .filter(matches)
            .collect();
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
        let mut object = live.clone().unwrap_or_else(|| json!({"metadata": {}}));
        if status {
            merge(&mut object["status"], &body["status"]);
        } else {
            merge(&mut object, &body);
        }
        if query.contains("dryRun") {
            return (StatusCode::OK, object);
        }
        self.writes.push(format!(
            "patch {path}{}",
            if status { "/status" } else { "" }
        ));
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

    fn evict(&mut self, path: &str, body: &Value) -> (StatusCode, Value) {
        let Some(pod) = path.strip_suffix("/eviction") else {
            return refuse(405, "MethodNotAllowed");
        };
        self.writes.push(format!("evict {pod}"));
        let live = self.objects.get(pod).cloned().unwrap_or_default();
        if body["deleteOptions"]["preconditions"]["uid"] != live["metadata"]["uid"] {
            return refuse(409, "Conflict");
        }
        if self.budget_spent {
            return refuse(429, "TooManyRequests");
        }
        self.objects.remove(pod);
        (
            StatusCode::CREATED,
            json!({"kind": "Status", "status": "Success", "code": 201}),
        )
    }

    fn delete(&mut self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.writes.push(format!("delete {path}"));
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

/// A merge patch (RFC 7396).
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            if let Value::Object(fields) = into {
                fields.remove(key);
            }
        } else {
            merge(&mut into[key], value);
        }
    }
}
