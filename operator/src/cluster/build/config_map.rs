//! The brokers' static config: immutable and named by its digest, because an edit in place would
//! lie in wait for the next restart.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::broker_config::{CONFIG_FILE, broker_config};
use super::meta;
use crate::cluster::validate::Valid;
use crate::hash::digest;

pub fn build_config_map(valid: &Valid, owner: &OwnerReference) -> ConfigMap {
    let config = broker_config(valid);
    // JSON is YAML; but people read this one.
    let text = serde_saphyr::to_string(&config).unwrap_or_else(|_| config.to_string());
    let name = format!("{}-config-{}", valid.names.cluster, digest(text.as_bytes()));
    ConfigMap {
        metadata: meta(valid, owner, name),
        data: Some(BTreeMap::from([(CONFIG_FILE.to_owned(), text)])),
        immutable: Some(true),
        ..ConfigMap::default()
    }
}
