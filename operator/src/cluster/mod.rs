//! `QueueCluster`: reconcile as a table of contents.

pub mod addresses;
pub mod build;
pub mod facts;
mod objects;
pub mod observe;
pub mod plan;
mod roll;
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
use weir_crds::{PAUSE_ANNOTATION, QueueCluster, QueueClusterStatus, RollStatus};

use crate::admin::Refusal;
use crate::apply::Applier;
use crate::conditions::{Verdict, now};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka_config::difference;
use build::RACK_ANNOTATION;
use observe::{Brokers, Observed};
use plan::{Facts, Step};
use roll::Replaced;
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
    let verdict = match &outcome {
        Ok(verdict) => verdict.clone(),
        Err(error @ Error::NotOurs { .. }) => Verdict::stalled("NameTaken", error.to_string()),
        Err(error) => Verdict::working("Failing", error.to_string()),
    };
    let said = status::conclude(&cluster, status, &verdict, &now());
    tell(&cluster, &ctx, &verdict).await;
    applier
        .status(&*cluster, cluster.status.as_ref(), &said)
        .await?;
    outcome?;
    if is_paused(&*cluster) {
        return Ok(Action::await_change());
    }
    Ok(match verdict {
        Verdict::Ready { .. } | Verdict::Stalled { .. } => Action::requeue(ctx.settings.resync),
        Verdict::Working { .. } | Verdict::ReadyBut { .. } => Action::requeue(ctx.settings.poll),
    })
}

/// Whether a person has asked that nothing be changed.
pub fn is_paused(resource: &impl ResourceExt) -> bool {
    let value = resource.annotations().get(PAUSE_ANNOTATION);
    value.map(String::as_str) == Some("true")
}

/// What is said of a paused resource.
pub fn paused() -> Verdict {
    let message = format!("the annotation {PAUSE_ANNOTATION} stops every change");
    Verdict::working("Paused", message)
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

/// The steps of a reconcile, in order.
async fn advance(
    cluster: &QueueCluster,
    ctx: &Context,
    applier: &Applier,
    status: &mut QueueClusterStatus,
) -> Result<Verdict> {
    if is_paused(cluster) {
        return Ok(paused());
    }
    let valid = match validate(cluster, &ctx.settings) {
        Ok(valid) => valid,
        Err(invalid) => return Ok(Verdict::stalled(invalid.reason, invalid.message)),
    };
    if status.cluster_id.is_none() {
        // Stored before any pod exists: two operators can never form two clusters.
        status.cluster_id = Some(uuid::Uuid::new_v4().to_string());
        return Ok(Verdict::working("Starting", "the cluster has an identity"));
    }
    let observed = observe::observe(&ctx.client, &valid).await?;
    let unix = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
    let certificates = tls::certificates(&valid.names, &observed.secrets, unix)?;
    let objects =
        match objects::apply_objects(cluster, applier, &valid, &observed, &certificates).await? {
            Ok(objects) => objects,
            Err(verdict) => return Ok(verdict),
        };
    tell_racks(applier, &valid, &observed).await?;
    let identity = certificates.identity();
    let brokers = observe::ask(&ctx.brokers, &valid.names, &identity, &observed.pods).await;
    let formed = status.formed;
    let mut facts = facts::facts(
        &observed,
        &brokers,
        objects.replicas,
        formed,
        status.roll.as_ref(),
    );
    facts.template_settled &= objects.template_settled;
    status::describe(&valid, &observed, &brokers, &facts, status);
    if let Some(verdict) = form(&brokers, status).await? {
        return Ok(verdict);
    }
    if status.formed {
        push_addresses(&valid, &observed, &brokers).await?;
        if let Some(verdict) = push_settings(&valid, &brokers, status).await? {
            return Ok(verdict);
        }
    }
    let verdict = status::judge(&facts, &brokers, status.formed);
    let rolling = advance_roll(ctx, applier, cluster, &observed, &brokers, &facts, status).await?;
    Ok(match rolling.or(objects.complaint) {
        Some(said) => said.given(&verdict),
        None => verdict,
    })
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

/// The first quorum, once in the life of a cluster, by broker 0 alone.
async fn form(brokers: &Brokers, status: &mut QueueClusterStatus) -> Result<Option<Verdict>> {
    let Some(id) = status.cluster_id.clone() else {
        return Ok(None);
    };
    let foreign = brokers
        .answering()
        .find(|(_, r)| !r.answer.cluster_id.is_empty() && r.answer.cluster_id != id);
    if let Some((ordinal, reached)) = foreign {
        let theirs = &reached.answer.cluster_id;
        let message =
            format!("the volume of broker {ordinal} belongs to cluster {theirs}, not to {id}");
        return Ok(Some(Verdict::stalled("ForeignVolume", message)));
    }
    if status.formed {
        return Ok(None);
    }
    let Some((_, first)) = brokers.answering().find(|(ordinal, _)| *ordinal == 0) else {
        return Ok(None);
    };
    let exists = brokers
        .answering()
        .any(|(_, r)| !r.answer.cluster_id.is_empty());
    if !exists {
        first.handle.form(&id).await?;
    }
    // Also where it had been formed and this was not stored any more.
    status.formed = true;
    Ok(Some(Verdict::working(
        "Starting",
        "the first quorum is formed",
    )))
}

/// Tells the quorum where brokers are reached from outside, where it does not know it.
async fn push_addresses(valid: &Valid, observed: &Observed, brokers: &Brokers) -> Result<()> {
    let Some(spokesman) = brokers.spokesman() else {
        return Ok(());
    };
    for ordinal in observed.pods.keys() {
        let Some(entry) = brokers.entry(*ordinal) else {
            continue;
        };
        let wanted = addresses::outside_addresses(valid, observed, *ordinal);
        if !addresses::known(&wanted, &entry.listeners) {
            tracing::info!(broker = ordinal, ?wanted, "outside addresses");
            spokesman.handle.set_listeners(*ordinal, wanted).await?;
        }
    }
    Ok(())
}

/// Brings cluster-wide settings to what the resource says. No broker restarts for them.
async fn push_settings(
    valid: &Valid,
    brokers: &Brokers,
    status: &mut QueueClusterStatus,
) -> Result<Option<Verdict>> {
    let Some(spokesman) = brokers.spokesman() else {
        return Ok(None);
    };
    let live = spokesman.handle.cluster_config().await?;
    let (set, remove) = difference(&valid.settings, &live, &status.config_keys);
    if !set.is_empty() || !remove.is_empty() {
        tracing::info!(?set, ?remove, "cluster-wide settings");
        match spokesman.handle.alter_cluster_config(set, remove).await {
            Ok(()) => {}
            Err(error) if error.is(Refusal::Invalid) => {
                return Ok(Some(Verdict::stalled("InvalidConfig", error.to_string())));
            }
            Err(error) => return Err(error.into()),
        }
    }
    status.config_keys = valid.settings.keys().cloned().collect();
    Ok(None)
}

/// One step of a rolling restart, if one is due; the verdict while it lasts.
async fn advance_roll(
    ctx: &Context,
    applier: &Applier,
    cluster: &QueueCluster,
    observed: &Observed,
    brokers: &Brokers,
    facts: &Facts,
    status: &mut QueueClusterStatus,
) -> Result<Option<Verdict>> {
    let rolling = |message: String| {
        let reason = "Rolling".to_owned();
        Ok(Some(Verdict::ReadyBut { reason, message }))
    };
    match plan::plan(facts) {
        Step::Idle => {
            status.roll = None;
            Ok(None)
        }
        Step::Finish { broker } => {
            if let Some(spokesman) = brokers.spokesman() {
                spokesman.handle.elect_preferred().await?;
            }
            status.roll = None;
            rolling(format!("broker {broker} is back and caught up"))
        }
        Step::Wait { broker, why } => {
            let whom = broker.map_or_else(String::new, |id| format!("broker {id}: "));
            let message = format!("waiting: {whom}{why}");
            let since = status.roll.as_mut().map(|turn| {
                turn.message = message.clone();
                format!(" (since {})", turn.since)
            });
            rolling(format!("{message}{}", since.unwrap_or_default()))
        }
        Step::Replace { broker, how } => {
            let turn = Turn { broker, how };
            let taken = take_turn(ctx, applier, cluster, observed, brokers, turn, status).await?;
            taken.map_or(Ok(None), rolling)
        }
    }
}

/// A broker and the way to restart it.
#[derive(Clone, Copy)]
struct Turn {
    broker: i32,
    how: plan::How,
}

/// Restarts the broker whose turn it is, or says why not yet.
async fn take_turn(
    ctx: &Context,
    applier: &Applier,
    cluster: &QueueCluster,
    observed: &Observed,
    brokers: &Brokers,
    Turn { broker, how }: Turn,
    status: &mut QueueClusterStatus,
) -> Result<Option<String>> {
    let Some(pod) = observed.pods.get(&broker) else {
        return Ok(None);
    };
    let uid = pod.uid().unwrap_or_default();
    let turn = match status.roll.clone() {
        Some(turn) if turn.broker == broker && turn.pod_uid == uid => turn,
        // Stored first: whoever goes on after a crash must know whose turn it is.
        _ => return Ok(Some(begin(status, broker, uid))),
    };
    let message = match roll::replace(applier, brokers, pod, &turn, how).await? {
        Replaced::Done => {
            ctx.metrics.restarts.inc();
            let note = format!("pod {} is replaced", pod.name_any());
            let reference = cluster.object_ref(&());
            ctx.event(
                &reference,
                EventType::Normal,
                "BrokerRestarted",
                note.clone(),
            )
            .await;
            note
        }
        Replaced::Waiting(why) => {
            format!(
                "broker {broker} cannot restart yet: {why} (since {})",
                turn.since
            )
        }
    };
    let message_stored = message.chars().take(1000).collect();
    status.roll = Some(RollStatus {
        message: message_stored,
        ..turn
    });
    Ok(Some(message))
}

fn begin(status: &mut QueueClusterStatus, broker: i32, pod_uid: String) -> String {
    let message = format!("broker {broker} is to restart");
    status.roll = Some(RollStatus {
        broker,
        pod_uid,
        since: now(),
        message: message.clone(),
    });
    message
}
