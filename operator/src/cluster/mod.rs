//! `QueueCluster`: reconcile as a table of contents.

pub mod addresses;
pub mod build;
pub mod facts;
pub mod nodes;
mod objects;
pub mod observe;
mod pause;
pub mod placement;
pub mod plan;
mod roll;
mod scaling;
mod scene;
mod settings;
pub mod status;
mod storage;
mod template;
pub mod tls;
pub mod validate;

use std::sync::Arc;

use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::{Resource, ResourceExt};
use serde_json::json;
use weir_crds::{QueueCluster, QueueClusterStatus};

use crate::apply::Applier;
use crate::conditions::{Verdict, now};
use crate::context::Context;
use crate::drift::counted;
use crate::error::{Error, Result};
use build::RACK_ANNOTATION;
use facts::facts;
use observe::{Brokers, Observed};
pub use pause::{is_paused, paused};
use plan::Facts;
use scaling::Freedom;
use scene::Scene;
use validate::{Valid, validate};

/// Field manager of this controller.
pub const MANAGER: &str = "weir-operator-cluster";

/// Brings one cluster nearer to what its resource says. Safe to stop anywhere: the next attempt
/// goes on from what it finds.
///
/// # Errors
/// What is worth another attempt after a pause.
pub async fn reconcile(cluster: Arc<QueueCluster>, ctx: Arc<Context>) -> Result<Action> {
    if cluster.meta().deletion_timestamp.is_some() {
        // Everything goes with its owner; volumes as their policy says.
        return Ok(Action::await_change());
    }
    let applier = Applier::new(ctx.client.clone(), MANAGER, ctx.metrics.clone());
    let mut status = cluster.status.clone().unwrap_or_default();
    let outcome = advance(&cluster, &ctx, &applier, &mut status).await;
    tell_drift(&cluster, &ctx, &applier, &mut status).await;
    let verdict = match &outcome {
        Ok(verdict) => verdict.clone(),
        Err(error @ Error::NotOurs { .. }) => Verdict::stalled("NameTaken", error.to_string()),
        Err(error @ Error::Invalid { .. }) => Verdict::stalled("InvalidObject", error.to_string()),
        Err(error) => Verdict::working("Failing", error.to_string()),
    };
    let said = status::conclude(&cluster, status, &verdict, &now());
    tell(&cluster, &ctx, &verdict).await;
    applier
        .status(&*cluster, cluster.status.as_ref(), &said)
        .await?;
    outcome?;
    Ok(match verdict {
        Verdict::Ready { .. } | Verdict::Stalled { .. } => Action::requeue(ctx.settings.resync),
        Verdict::Working { .. } | Verdict::ReadyBut { .. } => Action::requeue(ctx.settings.poll),
    })
}

/// An event whenever the verdict gets another reason.
async fn tell(cluster: &QueueCluster, ctx: &Context, verdict: &Verdict) {
    let conditions = cluster.status.as_ref().map(|s| s.conditions.as_slice());
    let said_before = conditions
        .unwrap_or_default()
        .iter()
        .any(|c| c.reason == verdict.reason());
    if said_before {
        return;
    }
    let type_ = match verdict {
        Verdict::Stalled { .. } => EventType::Warning,
        _ => EventType::Normal,
    };
    let reference = cluster.object_ref(&());
    let message = verdict.message().to_owned();
    ctx.event(&reference, type_, verdict.reason(), message)
        .await;
}

/// Tells what was put back that somebody had changed, and counts it.
async fn tell_drift(
    cluster: &QueueCluster,
    ctx: &Context,
    applier: &Applier,
    status: &mut QueueClusterStatus,
) {
    let drifts = applier.drifts().take();
    if drifts.is_empty() {
        return;
    }
    let what = drifts.join("; ");
    let note = format!("changed behind this resource's back and put back: {what}");
    let reference = cluster.object_ref(&());
    ctx.event(&reference, EventType::Warning, "DriftReverted", note)
        .await;
    status.drift = Some(counted(status.drift.as_ref(), drifts.len(), &what, now()));
}

/// The steps of a reconcile, in order.
async fn advance(
    cluster: &QueueCluster,
    ctx: &Context,
    applier: &Applier,
    status: &mut QueueClusterStatus,
) -> Result<Verdict> {
    let valid = match validate(cluster, &ctx.settings) {
        Ok(valid) => valid,
        Err(invalid) => return Ok(Verdict::stalled(invalid.reason, invalid.message)),
    };
    if is_paused(cluster) {
        let how = pause::look(cluster, ctx, applier, &valid, status).await?;
        return Ok(paused(&how));
    }
    if status.cluster_id.is_none() {
        // Stored before any pod exists: two operators can never form two clusters.
        status.cluster_id = Some(uuid::Uuid::new_v4().to_string());
        return Ok(Verdict::working("Starting", "the cluster has an identity"));
    }
    let observed = observe::observe(&ctx.client, &valid, status).await?;
    let unix = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
    let certificates = tls::certificates(&valid.names, &observed.secrets, unix)?;
    let objects =
        match objects::apply_objects(cluster, applier, &valid, &observed, &certificates, status)
            .await?
        {
            Ok(objects) => objects,
            Err(verdict) => return Ok(verdict),
        };
    tell_racks(applier, &valid, &observed).await?;
    let identity = certificates.identity();
    let brokers = observe::ask(&ctx.brokers, &valid.names, &identity, &observed.pods).await;
    let mut facts = seen(&valid, &observed, &brokers, objects.replicas, status);
    facts.template_settled &= objects.template_settled;
    if let Some(verdict) = settings::form(&brokers, valid.spec.replicas, status).await? {
        return Ok(verdict);
    }
    let scene = Scene {
        ctx,
        applier,
        cluster,
        valid: &valid,
        observed: &observed,
        brokers: &brokers,
        facts: &facts,
        replicas: objects.replicas,
    };
    if status.formed {
        settings::be_heard(&ctx.term, &brokers).await?;
        settings::push_addresses(&valid, &observed, &brokers).await?;
        let pushed = settings::push_settings(&scene, status).await?;
        if let Some(verdict) = pushed {
            return Ok(verdict);
        }
    }
    let verdict = status::judge(&facts, &brokers, status.formed);
    let said = act(&scene, status).await?;
    Ok(match said.or(objects.complaint) {
        Some(said) => said.given(&verdict),
        None => verdict,
    })
}

/// Puts what is there into the status, and into the planner's words.
fn seen(
    valid: &Valid,
    observed: &Observed,
    brokers: &Brokers,
    replicas: i32,
    status: &mut QueueClusterStatus,
) -> Facts {
    status.lost = nodes::lost(observed, brokers, replicas, status);
    let present = scaling::leaving(status).map_or(replicas, |b| b.min(replicas));
    let roll = status.roll.as_ref();
    let facts = facts(observed, brokers, present, status.formed, roll);
    status::describe(valid, observed, brokers, &facts, status);
    facts
}

/// What is done to brokers and with replicas, the most urgent first to be told.
async fn act(scene: &Scene<'_>, status: &mut QueueClusterStatus) -> Result<Option<Verdict>> {
    let rolling = roll::advance(scene, status).await?;
    if !status.formed {
        return Ok(rolling.map(|r| r.verdict));
    }
    let free = rolling.as_ref().map_or(Freedom::All, |r| r.freedom);
    let cordoned = nodes::advance(scene, status).await;
    let moving = scaling::advance(scene, free, status).await?;
    Ok(rolling.map(|r| r.verdict).or(moving).or(cordoned))
}

/// Writes the rack of each pod's node where the broker reads it.
async fn tell_racks(applier: &Applier, valid: &Valid, observed: &Observed) -> Result<()> {
    for pod in observed.pods.values() {
        let Some(rack) = addresses::rack_note(valid, pod, &observed.nodes) else {
            continue;
        };
        if pod.annotations().get(RACK_ANNOTATION) != Some(&rack) {
            let change = json!({"metadata": {"annotations": {RACK_ANNOTATION: rack}}});
            applier.merge(pod, change).await?;
        }
    }
    Ok(())
}
