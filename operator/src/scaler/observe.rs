//! What a scaler finds: its cluster, and the target with its pods. Reads only.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::runtime::reflector::ObjectRef;
use weir_crds::{ConsumerScaler, QueueCluster, QueueClusterStatus};

use super::plan::hosts;
use super::target::{Lookup, Target};
use super::validate::Valid;
use crate::claims::Claimant;
use crate::conditions::Verdict;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::topic::observe::allowed;

/// All that Kubernetes says.
pub struct Observed {
    pub target: Target,
    pub pods: Arc<Vec<Pod>>,
    /// Brokers of the cluster are being restarted.
    pub rolling: bool,
}

/// What there is, or what is waited for.
pub enum Sight {
    All(Box<Observed>),
    Waits(Verdict),
}

/// Looks for the scaler of this UID. The cluster comes from the operator's own watch and the pods,
/// as long as they are settled, from the last list: a busy scaler reads its target's scale alone.
///
/// # Errors
/// The API server did not answer.
pub async fn observe(ctx: &Context, valid: &Valid, uid: &str) -> Result<Sight> {
    let cluster = match cluster(ctx, valid).await? {
        Ok(cluster) => cluster,
        Err(waits) => return Ok(Sight::Waits(waits)),
    };
    let namespace = &valid.key.0;
    let client = &ctx.client;
    let target = match Target::find(client, namespace, &valid.target).await? {
        Lookup::Found(target) => *target,
        Lookup::Missing(why) => return Ok(Sight::Waits(Verdict::working("TargetNotFound", why))),
        Lookup::Refused(why) => {
            return Ok(Sight::Waits(Verdict::stalled("TargetNotAllowed", why)));
        }
    };
    let pods = pods(ctx, valid, uid, &target).await?;
    let status = cluster.status.as_ref();
    Ok(Sight::All(Box::new(Observed {
        target,
        pods,
        rolling: status.is_some_and(is_rolling),
    })))
}

/// Whether brokers are being restarted. Between two of them no restart is under way, and the next
/// is about to be.
pub fn is_rolling(status: &QueueClusterStatus) -> bool {
    status.roll.is_some() || status.brokers.iter().any(|b| !b.updated)
}

/// An older ConsumerScaler with the same target. Of two that scaled it in turn neither would ever
/// have what it wants: the oldest has it, as long as it is there.
///
/// # Errors
/// The API server did not answer.
pub async fn elder(ctx: &Context, scaler: &ConsumerScaler) -> Result<Option<String>> {
    for (namespace, name) in ctx.scalers.claims.older(scaler) {
        let api: Api<ConsumerScaler> = Api::namespaced(ctx.client.clone(), &namespace);
        let Some(other) = api.get_opt(&name).await? else {
            continue;
        };
        if other.wish() == scaler.wish() && other.metadata.deletion_timestamp.is_none() {
            return Ok(Some(format!("ConsumerScaler {name}")));
        }
    }
    Ok(None)
}

async fn pods(ctx: &Context, valid: &Valid, uid: &str, target: &Target) -> Result<Arc<Vec<Pod>>> {
    let scalers = &ctx.scalers;
    let version = target.version();
    let report = scalers.backlogs.latest(&valid.cluster, &valid.source.group);
    let hosts = report.map(|seen| hosts(&seen.report)).unwrap_or_default();
    let now_ms = scalers.clock.now_ms();
    let known = version
        .as_ref()
        .and_then(|version| scalers.pods.of(uid, version, &hosts, now_ms));
    if let Some(known) = known {
        return Ok(known);
    }
    let listed = Arc::new(target.pods(&ctx.client, &valid.key.0).await?);
    if let Some(version) = version {
        let replicas = target.replicas();
        scalers.pods.keep(uid, version, replicas, &listed, now_ms);
    }
    Ok(listed)
}

async fn cluster(ctx: &Context, valid: &Valid) -> Result<Result<Arc<QueueCluster>, Verdict>> {
    let (namespace, name) = &valid.cluster;
    let not_allowed = || {
        let message = format!(
            "QueueCluster {namespace}/{name} takes no resources of this namespace: see its topicNamespaces"
        );
        Verdict::stalled("NamespaceNotAllowed", message)
    };
    let found = match find(ctx, namespace, name).await {
        Ok(found) => found,
        // An operator of one namespace has no rights in others.
        Err(error) if error.code() == Some(403) => return Ok(Err(not_allowed())),
        Err(error) => return Err(error),
    };
    let Some(cluster) = found.filter(|c| c.metadata.deletion_timestamp.is_none()) else {
        let message = format!("there is no QueueCluster {namespace}/{name}");
        return Ok(Err(Verdict::working("ClusterNotFound", message)));
    };
    if !allowed(ctx, &valid.key.0, &cluster).await? {
        return Ok(Err(not_allowed()));
    }
    if !cluster.status.as_ref().is_some_and(|s| s.formed) {
        let message = format!("QueueCluster {namespace}/{name} is not formed yet");
        return Ok(Err(Verdict::working("ClusterNotReady", message)));
    }
    Ok(Ok(cluster))
}

/// The cluster as the operator's own watch has it; what that does not have is asked for.
async fn find(ctx: &Context, namespace: &str, name: &str) -> Result<Option<Arc<QueueCluster>>> {
    let seen = ctx.clusters.get();
    let seen = seen.and_then(|all| all.get(&ObjectRef::new(name).within(namespace)));
    if let Some(seen) = seen {
        return Ok(Some(seen));
    }
    let api: Api<QueueCluster> = Api::namespaced(ctx.client.clone(), namespace);
    Ok(api.get_opt(name).await.map_err(Error::from)?.map(Arc::new))
}
