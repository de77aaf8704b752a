//! How an API server answers and merges.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};

pub fn refuse(code: u16, reason: &str) -> (StatusCode, Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "code": code, "reason": reason, "message": reason,
    });
    (StatusCode::from_u16(code).expect("a code"), status)
}

/// A merge patch (RFC 7396).
pub fn merge(into: &mut Value, patch: &Value) {
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

/// Objects below a path that a query's label selector takes.
pub fn selected<'a>(
    objects: &'a BTreeMap<String, Value>,
    path: &str,
    query: &str,
) -> Vec<&'a Value> {
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
    objects
        .iter()
        .filter(|(p, _)| p.starts_with(&below))
        .map(|(_, o)| o)
        .filter(matches)
        .collect()
}
