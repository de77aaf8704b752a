//! Paused resources: looked at, told how they are, and left as they are.

use kube::ResourceExt;
use weir_crds::{PAUSE_ANNOTATION, QueueCluster, QueueClusterStatus};

use super::scene::Scene;
use super::tls::read_identity;
use super::validate::Valid;
use super::{nodes, objects, observe, roll, seen, status};
use crate::apply::Applier;
use crate::conditions::Verdict;
use crate::context::Context;
use crate::error::Result;

/// Whether a person has asked that nothing be changed.
pub fn is_paused(resource: &impl ResourceExt) -> bool {
    let value = resource.annotations().get(PAUSE_ANNOTATION);
    value.map(String::as_str) == Some("true")
}

/// What is said of a paused resource about which `verdict` holds: a pause makes nothing unready
/// that is ready, and nothing ready that is not.
pub fn paused(verdict: &Verdict) -> Verdict {
    let reason = "Paused".to_owned();
    let how = verdict.message();
    let message = format!("the annotation {PAUSE_ANNOTATION} stops every change; {how}");
    let message = message.trim_end_matches("; ").to_owned();
    match verdict {
        Verdict::Ready { .. } | Verdict::ReadyBut { .. } => Verdict::ReadyBut { reason, message },
        Verdict::Working { .. } | Verdict::Stalled { .. } => Verdict::Working { reason, message },
    }
}

/// Looks at a paused cluster. One thing is done: who was to restart or to be drained, and is not
/// now, may lead again; a pause must leave no broker without leaders.
///
/// # Errors
/// The API server did not answer.
pub async fn look(
    cluster: &QueueCluster,
    ctx: &Context,
    applier: &Applier,
    valid: &Valid,
    status: &mut QueueClusterStatus,
) -> Result<Verdict> {
    let observed = observe::observe(&ctx.client, valid, status).await?;
    let secret = observed.secrets.get(&valid.names.operator_secret());
    let Some(identity) = read_identity(secret) else {
        return Ok(Verdict::working("Starting", "no broker was started yet"));
    };
    let brokers = observe::ask(&ctx.brokers, &valid.names, &identity, &observed.pods).await;
    let replicas = objects::live_replicas(&observed);
    let facts = seen(valid, &observed, &brokers, replicas, status);
    let scene = Scene {
        ctx,
        applier,
        cluster,
        valid,
        observed: &observed,
        brokers: &brokers,
        facts: &facts,
        replicas,
    };
    roll::give_back(&scene, status).await;
    nodes::give_back(&scene, status).await;
    Ok(status::judge(&facts, &brokers, status.formed))
}
