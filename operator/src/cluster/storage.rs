//! Volumes: they grow by a detour, because a StatefulSet's claim template cannot change.

use kube::ResourceExt;
use kube::api::{DeleteParams, PropagationPolicy};
use serde_json::json;
use weir_crds::{QueueCluster, WhenDeleted};

use super::build::owner;
use super::observe::Observed;
use super::validate::Valid;
use crate::apply::Applier;
use crate::error::{Error, Result};

/// How far growing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Growth {
    /// The claim template may say this size.
    Settled(String),
    /// The StatefulSet goes, its pods stay, and it is made again.
    Recreating,
    /// The storage class cannot; the old size stays.
    Refused { size: String, why: String },
}

/// Grows every claim, then takes the StatefulSet away so that it can be made with the new size.
///
/// # Errors
/// The API server did not answer.
pub async fn grow(applier: &Applier, valid: &Valid, observed: &Observed) -> Result<Growth> {
    let wanted = &valid.spec.storage.size;
    let Some(set) = &observed.stateful_set else {
        return Ok(Growth::Settled(wanted.clone()));
    };
    if set.metadata.deletion_timestamp.is_some() {
        return Ok(Growth::Recreating);
    }
    let size = set
        .spec
        .as_ref()
        .and_then(|s| s.volume_claim_templates.as_ref()?.first()?.spec.clone())
        .and_then(|c| c.resources?.requests?.get("storage").cloned())
        .map_or_else(|| wanted.clone(), |q| q.0);
    if size == *wanted {
        return Ok(Growth::Settled(size));
    }
    for claim in observed.claims.values() {
        let requested = claim
            .spec
            .as_ref()
            .and_then(|s| s.resources.as_ref()?.requests.as_ref()?.get("storage"));
        if requested.is_some_and(|q| q.0 == *wanted) {
            continue;
        }
        match applier.grow_claim(claim, wanted).await {
            Ok(()) => {}
            Err(error) if matches!(error.code(), Some(403 | 422)) => {
                let why = format!("claim {}: {error}", claim.name_any());
                return Ok(Growth::Refused { size, why });
            }
            Err(error) => return Err(error),
        }
    }
    let orphan = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    applier.delete(set, orphan).await?;
    Ok(Growth::Recreating)
}

/// Claims that must die with the cluster have it as their owner; the others have not.
///
/// # Errors
/// The API server did not answer, or refused.
pub async fn own_claims(
    applier: &Applier,
    cluster: &QueueCluster,
    valid: &Valid,
    observed: &Observed,
) -> Result<(), Error> {
    let mut us = owner(cluster);
    // Not as its controller: that would be the StatefulSet's place.
    us.controller = None;
    us.block_owner_deletion = None;
    for claim in observed.claims.values() {
        let owners = claim.owner_references();
        let owned = owners.iter().any(|o| o.uid == us.uid);
        let wanted = valid.spec.storage.when_deleted == WhenDeleted::Delete;
        if owned == wanted {
            continue;
        }
        let mut owners: Vec<_> = owners.iter().filter(|o| o.uid != us.uid).cloned().collect();
        if wanted {
            owners.push(us.clone());
        }
        let change = json!({"metadata": {
            "ownerReferences": owners,
            "resourceVersion": claim.resource_version(),
        }});
        applier.merge(claim, change).await?;
    }
    Ok(())
}
