//! Everything in Kubernetes that a cluster consists of, written in order.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;
use kube::api::DeleteParams;
use weir_crds::{QueueCluster, QueueClusterStatus};

use super::build::{
    INPUTS, RENDER, build_account, build_budget, build_config_map, build_secrets, build_services,
    build_stateful_set, owner,
};
use super::observe::Observed;
use super::scaling;
use super::storage::{self, Growth};
use super::template;
use super::tls::Certificates;
use super::validate::Valid;
use crate::apply::Applier;
use crate::conditions::Verdict;
use crate::error::Result;

/// What came of writing the objects.
pub struct Written {
    /// Brokers there are to be.
    pub replicas: i32,
    /// The StatefulSet was not changed just now.
    pub template_settled: bool,
    /// Something that a person should know, beside all else.
    pub complaint: Option<Verdict>,
}

/// Writes everything but the brokers' own metadata; the verdict if it cannot go on.
///
/// # Errors
/// The API server did not answer, refused, or a name is taken.
pub async fn apply_objects(
    cluster: &QueueCluster,
    applier: &Applier,
    valid: &Valid,
    observed: &Observed,
    certificates: &Certificates,
    status: &QueueClusterStatus,
) -> Result<Result<Written, Verdict>> {
    let owner = owner(cluster);
    let account = build_account(valid, &owner);
    applier.apply(&account, observed.account.as_ref()).await?;
    for secret in build_secrets(valid, &owner, certificates) {
        let live = observed.secrets.get(&secret.name_any());
        applier.apply(&secret, live).await?;
    }
    let replicas = replicas(valid, observed, status);
    for service in build_services(valid, &owner, replicas) {
        let live = observed.services.get(&service.name_any());
        applier.apply(&service, live).await?;
    }
    sweep_services(applier, valid, observed, replicas).await?;
    let budget = build_budget(valid, &owner);
    applier.apply(&budget, observed.budget.as_ref()).await?;
    storage::own_claims(applier, cluster, valid, observed).await?;
    let (size, complaint) = match storage::grow(applier, cluster, valid, observed).await? {
        Growth::Settled { size, waits } => (size, waits.map(|why| ("GrowingVolumes", why))),
        Growth::Refused { size, why } => (size, Some(("VolumesCannotGrow", why))),
        Growth::Recreating => return Ok(Err(growing())),
        Growth::Again(copy) => {
            let live = copy
                .spec
                .as_ref()
                .and_then(|s| s.replicas)
                .unwrap_or(replicas);
            let replicas = scaling::replicas(valid.spec.replicas, live, status);
            let size = valid.spec.storage.size.clone();
            let parts = Parts { replicas, size };
            let made = apply_set(applier, valid, observed, &owner, Some(&copy), parts).await?;
            return Ok(Err(made.err().unwrap_or_else(growing)));
        }
    };
    let parts = Parts { replicas, size };
    let set = match apply_set(applier, valid, observed, &owner, None, parts).await? {
        Ok(set) => set,
        Err(verdict) => return Ok(Err(verdict)),
    };
    let live = observed.stateful_set.as_ref();
    let unchanged = live.and_then(|s| s.metadata.generation) == set.metadata.generation;
    Ok(Ok(Written {
        replicas,
        template_settled: unchanged,
        complaint: complaint.map(|(reason, message)| Verdict::ReadyBut {
            reason: reason.to_owned(),
            message,
        }),
    }))
}

fn growing() -> Verdict {
    let message = "the StatefulSet is made again with larger claims; the pods stay";
    Verdict::working("GrowingVolumes", message)
}

/// What of a StatefulSet is not said in the template.
struct Parts {
    replicas: i32,
    size: String,
}

/// Writes the config and the StatefulSet that mounts it. Without a StatefulSet its template is
/// that of `like`, as long as no user has asked for another.
async fn apply_set(
    applier: &Applier,
    valid: &Valid,
    observed: &Observed,
    owner: &OwnerReference,
    like: Option<&StatefulSet>,
    parts: Parts,
) -> Result<Result<StatefulSet, Verdict>> {
    let config_map = build_config_map(valid, owner);
    let live_map = observed.config_maps.get(&config_map.name_any());
    applier.apply(&config_map, live_map).await?;
    let live = observed.stateful_set.as_ref();
    let Parts { replicas, size } = parts;
    let running = live.or(like);
    let parts = template::choose(valid, running, &config_map.name_any(), replicas, size);
    let mounted = template::mounted_config(&parts.template);
    let wanted = build_stateful_set(valid, owner, parts);
    // The template is what any pod takes that is made anew, for whatever reason: it is written
    // only if the API server would take it.
    if let Err(error) = rehearse(applier, live, &wanted).await {
        return match error.code() {
            Some(400 | 422) => Ok(Err(Verdict::stalled("InvalidTemplate", error.to_string()))),
            _ => Err(error),
        };
    }
    let set = applier.apply(&wanted, live).await?;
    sweep_config_maps(applier, valid, observed, mounted.as_deref()).await?;
    Ok(Ok(set))
}

async fn rehearse(
    applier: &Applier,
    live: Option<&StatefulSet>,
    wanted: &StatefulSet,
) -> Result<()> {
    let inputs = |set: &StatefulSet| set.annotations().get(INPUTS).cloned();
    let render = |set: &StatefulSet| set.annotations().get(RENDER).cloned();
    let same =
        |live: &StatefulSet| inputs(live) == inputs(wanted) && render(live) == render(wanted);
    if live.is_some_and(same) {
        return Ok(());
    }
    applier.rehearse(wanted).await
}

/// How many brokers there are to be. Fewer than there are is a matter of emptying them first.
fn replicas(valid: &Valid, observed: &Observed, status: &QueueClusterStatus) -> i32 {
    scaling::replicas(valid.spec.replicas, live_replicas(observed), status)
}

/// How many brokers there are.
pub fn live_replicas(observed: &Observed) -> i32 {
    let of_set = observed
        .stateful_set
        .as_ref()
        .and_then(|s| s.spec.as_ref()?.replicas);
    // Without a StatefulSet its orphaned pods say how many there are.
    let of_pods = observed.pods.keys().next_back().map_or(0, |n| n + 1);
    of_set.unwrap_or(of_pods)
}

/// Takes away Services of listeners that are gone.
async fn sweep_services(
    applier: &Applier,
    valid: &Valid,
    observed: &Observed,
    replicas: i32,
) -> Result<()> {
    let owner = OwnerReference::default();
    let wanted: Vec<String> = build_services(valid, &owner, replicas)
        .iter()
        .map(ResourceExt::name_any)
        .collect();
    for (name, service) in &observed.services {
        if !wanted.contains(name) {
            applier.delete(service, DeleteParams::default()).await?;
        }
    }
    Ok(())
}

/// Takes away configs that neither the template nor a pod mounts.
async fn sweep_config_maps(
    applier: &Applier,
    valid: &Valid,
    observed: &Observed,
    mounted: Option<&str>,
) -> Result<()> {
    let mut used: Vec<String> = mounted.map(str::to_owned).into_iter().collect();
    used.push(valid.names.growth());
    for pod in observed.pods.values() {
        let template = PodTemplateSpec {
            metadata: None,
            spec: pod.spec.clone(),
        };
        used.extend(template::mounted_config(&template));
    }
    for (name, map) in &observed.config_maps {
        if !used.contains(name) {
            applier.delete(map, DeleteParams::default()).await?;
        }
    }
    Ok(())
}
