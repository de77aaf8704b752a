//! Volumes: they grow by a detour, because a StatefulSet's claim template cannot change.
//!
//! Claims are grown first. Then the StatefulSet goes and leaves its pods behind, and is made again
//! like a copy of itself that was put away before: with as many brokers, the template that runs
//! and the stamp of the last restart, so that no pod is outdated by it.

mod claims;
mod stash;

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;
use kube::api::{DeleteParams, PropagationPolicy};
use serde_json::json;
use weir_crds::{QueueCluster, WhenDeleted};

use super::build::owner;
use super::observe::Observed;
use super::validate::Valid;
use crate::apply::Applier;
use crate::error::{Error, Result};
use crate::quantity::bytes;

/// How far growing is.
#[derive(Clone, Debug, PartialEq)]
pub enum Growth {
    /// The claim template may say this size; what volumes still wait for, if anything.
    Settled { size: String, waits: Option<String> },
    /// The StatefulSet goes or has just come back; its pods stay.
    Recreating,
    /// It is gone, and is to be made again like this.
    Again(Box<StatefulSet>),
    /// The old size stays.
    Refused { size: String, why: String },
}

/// Grows every claim, then takes the StatefulSet away and makes it with the new size.
///
/// # Errors
/// The API server did not answer.
pub async fn grow(
    applier: &Applier,
    cluster: &QueueCluster,
    valid: &Valid,
    observed: &Observed,
) -> Result<Growth> {
    let wanted = valid.spec.storage.size.clone();
    let put_away = observed.config_maps.get(&valid.names.growth());
    let Some(set) = &observed.stateful_set else {
        let copy = put_away.and_then(stash::read);
        return Ok(match copy {
            Some(copy) => Growth::Again(Box::new(copy)),
            None => Growth::Settled {
                size: wanted,
                waits: None,
            },
        });
    };
    if set.metadata.deletion_timestamp.is_some() {
        return Ok(Growth::Recreating);
    }
    let size = template_size(set).unwrap_or_else(|| wanted.clone());
    match bytes(&wanted).cmp(&bytes(&size)) {
        std::cmp::Ordering::Equal => {
            if let Some(copy) = put_away {
                if let Some(stamp) = stash::read(copy).and_then(|c| stash::stamp_missing(&c, set)) {
                    applier.merge(set, stamp).await?;
                    return Ok(Growth::Recreating);
                }
                applier.delete(copy, DeleteParams::default()).await?;
            }
            let waits = claims::pending(observed);
            return Ok(Growth::Settled { size, waits });
        }
        std::cmp::Ordering::Less => {
            let why = format!("volumes of {size} do not shrink to {wanted}");
            return Ok(Growth::Refused { size, why });
        }
        std::cmp::Ordering::Greater => {}
    }
    if let Some(why) = claims::grow(applier, observed, &wanted).await? {
        return Ok(Growth::Refused { size, why });
    }
    let copy = stash::build(valid, &owner(cluster), set)?;
    applier.apply(&copy, put_away).await?;
    let orphan = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    applier.delete(set, orphan).await?;
    Ok(Growth::Recreating)
}

fn template_size(set: &StatefulSet) -> Option<String> {
    let templates = set.spec.as_ref()?.volume_claim_templates.as_ref()?;
    let resources = templates.first()?.spec.as_ref()?.resources.as_ref()?;
    let size = resources.requests.as_ref()?.get("storage")?;
    Some(size.0.clone())
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
