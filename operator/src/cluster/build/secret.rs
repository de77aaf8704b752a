//! Secrets with the cluster's certificates.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::meta;
use crate::cluster::tls::{Bundle, Certificates};
use crate::cluster::validate::Valid;

/// The authority first: what it signed must not be seen without it.
pub fn build_secrets(
    valid: &Valid,
    owner: &OwnerReference,
    certificates: &Certificates,
) -> Vec<Secret> {
    let build = |name: String, bundle: &Bundle, type_: &str| {
        let mut metadata = meta(valid, owner, name);
        metadata.annotations = Some(bundle.annotations());
        Secret {
            metadata,
            type_: Some(type_.to_owned()),
            data: Some(bundle.bytes()),
            ..Secret::default()
        }
    };
    let names = &valid.names;
    vec![
        build(names.ca_secret(), &certificates.ca, "Opaque"),
        build(
            names.broker_secret(),
            &certificates.broker,
            "kubernetes.io/tls",
        ),
        build(
            names.operator_secret(),
            &certificates.operator,
            "kubernetes.io/tls",
        ),
    ]
}
