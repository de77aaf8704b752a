//! The brokers' ServiceAccount: it may do nothing.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::meta;
use crate::cluster::validate::Valid;

pub fn build_account(valid: &Valid, owner: &OwnerReference) -> ServiceAccount {
    ServiceAccount {
        metadata: meta(valid, owner, valid.names.service_account()),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
