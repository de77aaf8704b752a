//! The StatefulSet. Its pods are replaced by this operator only, one at a time.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
    StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, PodTemplateSpec, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use serde_json::json;
use weir_crds::Listener;

use super::meta;
use crate::cluster::validate::Valid;
use crate::hash::digest;

/// Digest of what a user said about the pods.
pub const INPUTS: &str = "weir.dev/inputs";
/// Names the operator that rendered the template.
pub const RENDER: &str = "weir.dev/render";
/// The stamp of the restart that was asked for last when the template was written.
pub const RESTARTED: &str = "weir.dev/restarted";
/// Raised with every change of what the builders make of the same inputs. Such a change waits
/// for the next restart that a user causes.
const RENDER_VERSION: u32 = 1;

/// What differs from one reconcile to the next.
#[derive(Clone, Debug)]
pub struct StatefulSetParts {
    pub replicas: i32,
    pub storage_size: String,
    pub template: PodTemplateSpec,
    pub inputs: String,
    pub render: String,
    pub restarted: String,
}

/// Digest of everything in the spec from which the pod template is made.
pub fn inputs_digest(valid: &Valid) -> String {
    let spec = &valid.spec;
    let listeners = spec.listeners.iter().map(|listener| Listener {
        // Matters of Services alone.
        annotations: BTreeMap::new(),
        external_traffic_policy: None,
        ..listener.clone()
    });
    let listeners: Vec<Listener> = listeners.collect();
    let inputs = json!({
        "version": spec.version,
        "image": spec.image,
        "imagePullPolicy": spec.image_pull_policy,
        "resources": spec.resources,
        "racks": spec.racks,
        "listeners": listeners,
        "podTemplate": spec.pod_template,
    });
    digest(inputs.to_string().as_bytes())
}

/// Names the builders and the defaults that a template is made with.
pub fn render_mark(valid: &Valid) -> String {
    format!("{RENDER_VERSION}-{}", digest(valid.image.as_bytes()))
}

pub fn build_stateful_set(
    valid: &Valid,
    owner: &OwnerReference,
    parts: StatefulSetParts,
) -> StatefulSet {
    let mut metadata = meta(valid, owner, valid.names.stateful_set());
    metadata.annotations = Some(BTreeMap::from([
        (INPUTS.to_owned(), parts.inputs),
        (RENDER.to_owned(), parts.render),
        (RESTARTED.to_owned(), parts.restarted),
    ]));
    StatefulSet {
        metadata,
        spec: Some(StatefulSetSpec {
            // Volumes never go by themselves.
            persistent_volume_claim_retention_policy: Some(
                StatefulSetPersistentVolumeClaimRetentionPolicy {
                    when_deleted: Some("Retain".to_owned()),
                    when_scaled: Some("Retain".to_owned()),
                },
            ),
            pod_management_policy: Some("Parallel".to_owned()),
            replicas: Some(parts.replicas),
            revision_history_limit: Some(5),
            selector: LabelSelector {
                match_labels: Some(valid.names.selector()),
                ..LabelSelector::default()
            },
            service_name: Some(valid.names.brokers_service()),
            template: parts.template,
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("OnDelete".to_owned()),
                rolling_update: None,
            }),
            volume_claim_templates: Some(vec![claim(valid, parts.storage_size)]),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

fn claim(valid: &Valid, size: String) -> PersistentVolumeClaim {
    let storage = BTreeMap::from([("storage".to_owned(), Quantity(size))]);
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some("data".to_owned()),
            labels: Some(valid.names.labels()),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            resources: Some(VolumeResourceRequirements {
                requests: Some(storage),
                limits: None,
            }),
            storage_class_name: valid.spec.storage.class_name.clone(),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}
