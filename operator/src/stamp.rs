//! The mark on everything that is applied: from which words it was written.

use kube::Resource;
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::hash::digest;
use crate::likeness::{contains, difference};

/// Remembers what was applied last, so that a field taken away is noticed too.
pub const APPLIED: &str = "weir.dev/applied";

/// How an object is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    AsWanted,
    /// Something else is wanted of it than was.
    Outdated,
    /// The same is wanted as before, and somebody changed this of it.
    Edited(String),
}

pub fn encode(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::Encode {
        what: "an object",
        why: error.to_string(),
    })
}

/// The object as it is sent: with its kind, and a digest of itself.
pub fn stamped<K>(wanted: &K) -> Result<Value>
where
    K: Resource<DynamicType = ()> + Serialize,
{
    let mut body = encode(wanted)?;
    let mark = digest(body.to_string().as_bytes());
    body["apiVersion"] = json!(K::api_version(&()));
    body["kind"] = json!(K::kind(&()));
    body["metadata"]["annotations"][APPLIED] = json!(mark);
    Ok(body)
}

/// Whether `live` was last written from this very body and still says all of it.
pub fn found(body: &Value, live: &Value) -> Found {
    let mark = |v: &Value| v["metadata"]["annotations"][APPLIED].clone();
    let mut wanted = body.clone();
    // Objects in lists come without their kind.
    if let Value::Object(fields) = &mut wanted {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    if contains(live, &wanted) {
        return Found::AsWanted;
    }
    // Whoever takes the mark away has edited it too.
    if mark(live).is_null() || mark(body) == mark(live) {
        return Found::Edited(difference(live, &wanted).unwrap_or_default());
    }
    Found::Outdated
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;

    fn map(value: &str) -> ConfigMap {
        let object = json!({"metadata": {"name": "m"}, "data": {"a": value}});
        serde_json::from_value(object).expect("a ConfigMap")
    }

    #[test]
    fn an_edit_is_told_from_a_change_of_what_is_wanted() {
        let written = stamped(&map("1")).expect("JSON");
        assert_eq!(found(&written, &written), Found::AsWanted);
        let wanted = stamped(&map("2")).expect("JSON");
        assert_eq!(found(&wanted, &written), Found::Outdated);
        let mut edited = written.clone();
        edited["data"]["a"] = json!("x");
        let said = Found::Edited("data.a".to_owned());
        assert_eq!(found(&written, &edited), said);
        let mut unmarked = written.clone();
        unmarked["metadata"]["annotations"] = json!({});
        assert!(matches!(found(&written, &unmarked), Found::Edited(_)));
    }
}
