//! In front of the API in memory: scale subresources, and an operator that is killed after some
//! number of writes.

// Each suite uses a part of it.
#![allow(dead_code)]

use std::sync::{Arc, Mutex};

use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::api::Api;

/// One operator's way to the API server.
#[derive(Clone)]
pub struct Front {
    client: Client,
    /// Writes that still succeed; `None`: all.
    left: Arc<Mutex<Option<usize>>>,
    /// Paths that were read.
    reads: Arc<Mutex<Vec<String>>>,
}

impl Front {
    pub fn new(api: &Api, writes: Option<usize>) -> Self {
        Self {
            client: api.client(),
            left: Arc::new(Mutex::new(writes)),
            reads: Arc::default(),
        }
    }

    /// Whether a write was refused or the last one was made: nothing gets through any more.
    pub fn is_dead(&self) -> bool {
        *self.left.lock().expect("lock") == Some(0)
    }

    /// What was read since the last time.
    pub fn take_reads(&self) -> Vec<String> {
        std::mem::take(&mut self.reads.lock().expect("lock"))
    }

    pub fn client(&self) -> Client {
        let front = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let front = front.clone();
            async move { Ok::<_, std::convert::Infallible>(front.serve(request).await) }
        });
        Client::new(service, "default")
    }

    async fn serve(&self, request: Request<Body>) -> Response<Body> {
        if !self.permits(&request) {
            return answer(StatusCode::SERVICE_UNAVAILABLE, &refusal(503));
        }
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        if path == "/apis/apps/v1" {
            return answer(StatusCode::OK, &kinds());
        }
        if parts.method == Method::GET {
            self.reads.lock().expect("lock").push(path.clone());
        }
        let of = path.strip_suffix("/scale").map(str::to_owned);
        if let Some(of) = &of {
            let uri = parts.uri.to_string().replace(&path, of);
            parts.uri = uri.parse().expect("a path");
        }
        let sent = self.client.send(Request::from_parts(parts, body)).await;
        let (parts, body) = sent.expect("an answer").into_parts();
        let bytes = body.collect_bytes().await.expect("a body");
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if of.is_none() || !parts.status.is_success() {
            return answer(parts.status, &value);
        }
        answer(parts.status, &scale(&value))
    }

    fn permits(&self, request: &Request<Body>) -> bool {
        let write = request.method() != Method::GET && !request.uri().path().contains("/events");
        match &mut *self.left.lock().expect("lock") {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= usize::from(write);
                true
            }
        }
    }
}

fn scale(of: &Value) -> Value {
    let labels = of["spec"]["selector"]["matchLabels"].as_object();
    let pairs = labels.into_iter().flatten();
    let pairs: Vec<String> = pairs
        .map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default()))
        .collect();
    // A zero is left out, as a real API server does.
    let spec = match of["spec"]["replicas"].as_i64() {
        Some(0) => json!({}),
        _ => json!({"replicas": of["spec"]["replicas"]}),
    };
    json!({
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {
            "name": of["metadata"]["name"],
            "namespace": of["metadata"]["namespace"],
            "uid": of["metadata"]["uid"],
            "resourceVersion": of["metadata"]["resourceVersion"],
        },
        "spec": spec,
        "status": {"replicas": of["spec"]["replicas"], "selector": pairs.join(",")},
    })
}

/// What the API server says of the kinds of apps/v1.
fn kinds() -> Value {
    let one = |name: &str, kind: &str| {
        json!({"name": name, "singularName": "", "namespaced": true, "kind": kind,
               "verbs": ["get", "list", "patch", "watch"]})
    };
    json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "apps/v1",
        "resources": [
            one("deployments", "Deployment"),
            one("statefulsets", "StatefulSet"),
            one("statefulsets/scale", "Scale"),
        ],
    })
}

fn refusal(code: u16) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
           "reason": "ServiceUnavailable", "message": "killed"})
}

fn answer(status: StatusCode, body: &Value) -> Response<Body> {
    let body = Body::from(body.to_string().into_bytes());
    let response = Response::builder().status(status).body(body);
    response.expect("a response")
}
