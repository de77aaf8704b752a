//! An empty broker goes: out of the metadata, then its pod, then its volume if that is not kept.

use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::json;
use weir_crds::{QueueClusterStatus, ScalingPhase, ScalingStatus, WhenScaled};

use super::{bounded, but};
use crate::admin::Refusal;
use crate::cluster::observe::Reached;
use crate::cluster::scene::Scene;
use crate::conditions::Verdict;
use crate::error::Result;

/// Goes on with a broker that is empty; `None` if there is none.
///
/// # Errors
/// The API server did not answer, or refused.
pub async fn advance(
    scene: &Scene<'_>,
    spokesman: &Reached,
    status: &mut QueueClusterStatus,
) -> Result<Option<Verdict>> {
    let Some(turn) = status.scaling.as_mut() else {
        return Ok(None);
    };
    let said = match turn.phase {
        ScalingPhase::Draining | ScalingPhase::Cancelling => return Ok(None),
        ScalingPhase::Removing => remove(scene, spokesman, turn).await?,
        ScalingPhase::Leaving => match follow(scene, spokesman, turn).await? {
            Some(said) => said,
            None => {
                let message = format!("broker {} is gone", turn.broker);
                status.scaling = None;
                scene.event("BrokerRemoved", message.clone()).await;
                return Ok(Some(but("ScalingIn", message)));
            }
        },
    };
    turn.message = bounded(&said);
    Ok(Some(but("ScalingIn", said)))
}

/// Out of the metadata, and at once one pod less: a broker that is alive would come back.
async fn remove(
    scene: &Scene<'_>,
    spokesman: &Reached,
    turn: &mut ScalingStatus,
) -> Result<String> {
    let broker = turn.broker;
    if scene.replicas <= broker {
        turn.phase = ScalingPhase::Leaving;
        return Ok(format!("broker {broker} stops"));
    }
    if let Some(why) = scene.absent(Some(broker)) {
        return Ok(format!(
            "broker {broker} is empty and waits for others: {why}"
        ));
    }
    if scene.replicas != broker + 1 {
        turn.phase = ScalingPhase::Draining;
        return Ok(format!("broker {broker} is not the last one any more"));
    }
    if let Err(error) = take_out(spokesman, broker).await {
        if error.is(Refusal::Precondition) {
            // It got something again, or lost its cordon.
            turn.phase = ScalingPhase::Draining;
        }
        return Ok(format!("broker {broker} cannot be taken out: {error}"));
    }
    if let Some(set) = &scene.observed.stateful_set {
        let change = json!({"spec": {"replicas": broker}});
        scene.applier.merge(set, change).await?;
    }
    turn.phase = ScalingPhase::Leaving;
    Ok(format!("broker {broker} is out of the cluster and stops"))
}

/// Asks once more whether it is empty, and takes it out.
async fn take_out(spokesman: &Reached, broker: i32) -> Result<(), crate::admin::AdminError> {
    match spokesman.handle.cordon_broker(broker, true).await {
        Ok(has) if has.replicas > 0 => {
            return Err(crate::admin::AdminError::Refused {
                kind: Refusal::Precondition,
                message: format!("it has {} replicas", has.replicas),
            });
        }
        Ok(_) => {}
        // Out already.
        Err(error) if error.is(Refusal::NotFound) => {}
        Err(error) => return Err(error),
    }
    spokesman.handle.remove_broker(broker).await
}

/// Waits for the pod, makes sure that it did not join again while it stopped, and sees to its
/// volume; `None` when nothing is left to do.
async fn follow(
    scene: &Scene<'_>,
    spokesman: &Reached,
    turn: &ScalingStatus,
) -> Result<Option<String>> {
    let broker = turn.broker;
    if let Some(pod) = scene.observed.pods.get(&broker) {
        return Ok(Some(format!("pod {} stops", pod.name_any())));
    }
    if scene.brokers.entry(broker).is_some() {
        let outcome = spokesman.handle.remove_broker(broker).await;
        let said = match outcome {
            Ok(()) => format!("broker {broker} is taken out once more"),
            Err(error) => format!("broker {broker} cannot be taken out: {error}"),
        };
        return Ok(Some(said));
    }
    // The name is free again only when its volume is seen to, and a cordon outlives its broker.
    let goes = scene.valid.spec.storage.when_scaled == WhenScaled::Delete;
    let Some(claim) = scene.observed.claims.get(&broker).filter(|_| goes) else {
        let uncordoned = spokesman.handle.cordon_broker(broker, false).await;
        return Ok(uncordoned
            .err()
            .map(|e| format!("broker {broker} is gone, but its id is still cordoned: {e}")));
    };
    if claim.metadata.deletion_timestamp.is_none() {
        scene.applier.delete(claim, DeleteParams::default()).await?;
    }
    Ok(Some(format!("claim {} goes", claim.name_any())))
}
