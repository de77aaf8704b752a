//! Claims ask for more, and say when they have it.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;
use std::collections::BTreeMap;

use crate::apply::Applier;
use crate::cluster::observe::Observed;
use crate::error::Result;
use crate::quantity::bytes;

/// Asks for larger volumes wherever less was asked for; why it cannot be, if so.
///
/// # Errors
/// The API server did not answer.
pub async fn grow(applier: &Applier, observed: &Observed, wanted: &str) -> Result<Option<String>> {
    let smaller = |c: &&PersistentVolumeClaim| requested(c) < bytes(wanted);
    for claim in observed.claims.values().filter(smaller) {
        let class = claim
            .spec
            .as_ref()
            .and_then(|s| s.storage_class_name.clone());
        if let Some(class) = class
            && applier.can_grow(&class).await? == Some(false)
        {
            let name = claim.name_any();
            let why = format!("claim {name}: storage class {class} cannot grow its volumes");
            return Ok(Some(why));
        }
        match applier.grow_claim(claim, wanted).await {
            Ok(()) => {}
            Err(error) if matches!(error.code(), Some(403 | 422)) => {
                return Ok(Some(format!("claim {}: {error}", claim.name_any())));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Volumes that have not got yet what was asked for, and what they wait for.
pub fn pending(observed: &Observed) -> Option<String> {
    let behind = |claim: &&PersistentVolumeClaim| {
        let has = claim
            .status
            .as_ref()
            .and_then(|s| storage(s.capacity.as_ref()));
        // One that has nothing is not bound yet: it gets its size at once.
        has.is_some_and(|has| Some(has) < requested(claim))
    };
    let behind: Vec<_> = observed.claims.values().filter(behind).collect();
    let first = behind.first()?;
    let total = observed.claims.len();
    let (count, name) = (behind.len(), first.name_any());
    let why = match waits_for_pod(first) {
        true => "its file system grows when its pod starts",
        false => "its storage class is at it",
    };
    Some(format!(
        "{count} of {total} volumes are growing; {name}: {why}"
    ))
}

fn waits_for_pod(claim: &PersistentVolumeClaim) -> bool {
    let conditions = claim.status.as_ref().and_then(|s| s.conditions.as_ref());
    let mut all = conditions.into_iter().flatten();
    all.any(|c| c.type_ == "FileSystemResizePending" && c.status == "True")
}

fn requested(claim: &PersistentVolumeClaim) -> Option<u128> {
    let resources = claim.spec.as_ref()?.resources.as_ref()?;
    storage(resources.requests.as_ref())
}

fn storage(quantities: Option<&BTreeMap<String, Quantity>>) -> Option<u128> {
    bytes(&quantities?.get("storage")?.0)
}
