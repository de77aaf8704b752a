//! The manifests that are generated from the types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON,
};
use kube::CustomResourceExt;
use serde_json::json;

use crate::{ConsumerScaler, QueueCluster, Topic};

/// Largest manifest: `kubectl apply` stores it whole in an annotation of at most 262,144 bytes.
pub const CRD_BYTES_MAX: usize = 200_000;

/// A generated file.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Name of the file without its folder.
    pub file: &'static str,
    pub definition: CustomResourceDefinition,
}

/// Every custom resource definition, in the order in which it is listed.
pub fn manifests() -> Vec<Manifest> {
    vec![
        Manifest {
            file: "queueclusters.yaml",
            definition: finished(QueueCluster::crd()),
        },
        Manifest {
            file: "topics.yaml",
            definition: finished(Topic::crd()),
        },
        Manifest {
            file: "consumerscalers.yaml",
            definition: finished(ConsumerScaler::crd()),
        },
    ]
}

/// A resource that the operator has not seen yet must not look finished: tools that know nothing
/// of Weir take a resource without conditions for a ready one.
fn finished(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    let unknown = json!({
        "observedGeneration": -1,
        "conditions": [{
            "type": "Ready",
            "status": "Unknown",
            "reason": "Pending",
            "message": "waiting for the operator",
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        }],
    });
    for version in &mut definition.spec.versions {
        let root = version
            .schema
            .as_mut()
            .and_then(|s| s.open_api_v3_schema.as_mut())
            .and_then(|s| s.properties.as_mut());
        if let Some(status) = root.and_then(|p| p.get_mut("status")) {
            status.default = Some(JSON(unknown.clone()));
        }
    }
    definition
}
