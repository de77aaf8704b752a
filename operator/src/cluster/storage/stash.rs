//! The copy of a StatefulSet from which it is made again.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::{Value, json};

use crate::cluster::template::{STAMP, restarted_at};
use crate::cluster::validate::Valid;
use crate::error::{Error, Result};

const KEY: &str = "statefulset.json";

/// What is to be put away: all that was said of it, nothing that the API server added.
///
/// # Errors
/// It cannot be written as JSON.
pub fn build(valid: &Valid, owner: &OwnerReference, set: &StatefulSet) -> Result<ConfigMap> {
    let copy = StatefulSet {
        metadata: ObjectMeta {
            name: set.metadata.name.clone(),
            namespace: set.metadata.namespace.clone(),
            labels: set.metadata.labels.clone(),
            annotations: set.metadata.annotations.clone(),
            owner_references: set.metadata.owner_references.clone(),
            ..ObjectMeta::default()
        },
        spec: set.spec.clone(),
        status: None,
    };
    let text = serde_json::to_string(&copy).map_err(|error| Error::Encode {
        what: "a StatefulSet",
        why: error.to_string(),
    })?;
    Ok(ConfigMap {
        metadata: ObjectMeta {
            name: Some(valid.names.growth()),
            namespace: Some(valid.names.namespace.clone()),
            labels: Some(valid.names.labels()),
            owner_references: Some(vec![owner.clone()]),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(KEY.to_owned(), text)])),
        ..ConfigMap::default()
    })
}

pub fn read(map: &ConfigMap) -> Option<StatefulSet> {
    serde_json::from_str(map.data.as_ref()?.get(KEY)?).ok()
}

/// The stamp of the last restart that `kubectl` or the command line asked for, as a change of a
/// StatefulSet that has not got it. It is never part of what we apply: we must not come to own it.
pub fn stamp_missing(copy: &StatefulSet, live: &StatefulSet) -> Option<Value> {
    let wanted = restarted_at(copy)?;
    let missing = restarted_at(live).is_none();
    missing.then(|| json!({"spec": {"template": {"metadata": {"annotations": {STAMP: wanted}}}}}))
}
