//! Whether an object says already what it should.

use serde_json::Value;

/// Whether `live` says at least what `wanted` says. Lists are compared in order and must be of
/// the same length, but their items may say more.
pub fn contains(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(key, value)| {
            live.get(key)
                .map_or_else(|| is_empty(value), |live| contains(live, value))
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(l, w)| contains(l, w))
        }
        (live, wanted) => live == wanted,
    }
}

/// Where `live` first does not say what `wanted` says, as a path.
pub fn difference(live: &Value, wanted: &Value) -> Option<String> {
    let inner = |at: String, live: &Value, wanted: &Value| {
        let below = difference(live, wanted)?;
        let dot = if below.is_empty() || below.starts_with('[') {
            ""
        } else {
            "."
        };
        Some(format!("{at}{dot}{below}"))
    };
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().find_map(|(key, value)| match live.get(key) {
                None => (!is_empty(value)).then(|| key.clone()),
                Some(live) => inner(key.clone(), live, value),
            })
        }
        (Value::Array(live), Value::Array(wanted)) if live.len() == wanted.len() => {
            let mut pairs = live.iter().zip(wanted).enumerate();
            pairs.find_map(|(at, (live, wanted))| inner(format!("[{at}]"), live, wanted))
        }
        (live, wanted) => (live != wanted).then(String::new),
    }
}

/// Whether the API server drops such a value when it stores it.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// A merge patch keeps what it does not name: fields of the status that are gone are named null.
pub fn with_nulls(before: Option<Value>, mut body: Value) -> Value {
    if let (Some(Value::Object(before)), Value::Object(now)) = (before, &mut body["status"]) {
        for key in before.keys() {
            now.entry(key.clone()).or_insert(Value::Null);
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_that_says_more_contains_one_that_says_less() {
        let live = json!({"a": 1, "list": [{"x": 1, "defaulted": true}], "other": 2});
        assert!(contains(&live, &json!({"a": 1, "list": [{"x": 1}]})));
        assert!(contains(
            &live,
            &json!({"a": 1, "none": {}, "nothing": null})
        ));
        assert!(!contains(&live, &json!({"a": 2})));
        assert!(!contains(&live, &json!({"list": []})));
        assert!(!contains(&live, &json!({"missing": 1})));
    }

    #[test]
    fn a_difference_is_named_by_its_path() {
        let live = json!({"a": {"list": [{"x": 1}, {"x": 2}]}, "b": [1]});
        let at = |wanted: Value| difference(&live, &wanted);
        assert_eq!(at(json!({"a": {"none": {}}})), None);
        let second = at(json!({"a": {"list": [{"x": 1}, {"x": 3}]}}));
        assert_eq!(second.as_deref(), Some("a.list[1].x"));
        assert_eq!(at(json!({"b": []})).as_deref(), Some("b"));
        assert_eq!(at(json!({"a": {"y": 1}})).as_deref(), Some("a.y"));
    }

    #[test]
    fn fields_gone_from_a_status_are_nulled() {
        let before = json!({"roll": {"broker": 1}, "replicas": 3});
        let body = with_nulls(Some(before), json!({"status": {"replicas": 3}}));
        assert_eq!(body, json!({"status": {"replicas": 3, "roll": null}}));
    }
}
