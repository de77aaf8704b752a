//! Brokers of one rack restart together: while one is away, the next of its rack goes too, if the
//! map of replicas and every other broker agree.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;
use weir_crds::{QueueClusterStatus, RollAtOnce, RollMember, RollStatus};

use super::{Freedom, Rolling, replace};
use crate::cluster::observe::foreign_budget;
use crate::cluster::placement::{stoppable, tolerated};
use crate::cluster::plan::BrokerFacts;
use crate::cluster::scaling::look;
use crate::cluster::scene::Scene;
use crate::error::Result;

/// Restarts one more broker beside the one whose turn it is, if that is away already; `None`
/// where there is none, or it must wait.
///
/// # Errors
/// The API server did not answer, or refused.
pub(super) async fn advance(
    scene: &Scene<'_>,
    status: &mut QueueClusterStatus,
) -> Result<Option<Rolling>> {
    if scene.valid.spec.roll.at_once != RollAtOnce::Rack {
        return Ok(None);
    }
    let Some(turn) = status.roll.as_mut() else {
        return Ok(None);
    };
    let Some((broker, pod)) = candidate(scene, turn) else {
        return Ok(None);
    };
    if let Some(why) = objection(scene, turn, broker, pod).await {
        tracing::debug!(broker, %why, "does not restart beside another");
        return Ok(None);
    }
    let uid = pod.uid().unwrap_or_default();
    let stored = |o: &&mut RollMember| o.broker == broker && o.pod_uid == uid && o.leaders_away;
    let Some(member) = turn.others.iter_mut().find(stored) else {
        // Stored before its leaders move: they are given back if it does not restart.
        turn.others.retain(|o| o.broker != broker);
        turn.others.push(RollMember {
            broker,
            pod_uid: uid,
            leaders_away: true,
            leaders_away_since: None,
        });
        let first = turn.broker;
        let message = format!("broker {broker} is to restart beside broker {first}");
        return Ok(Some(Rolling::new(Freedom::Nothing, message)));
    };
    match replace::move_away(scene, broker, &mut member.leaders_away_since).await {
        Ok(None) => {}
        Ok(Some(why)) => {
            let message = format!("broker {broker}: {why}");
            return Ok(Some(Rolling::new(Freedom::Nothing, message)));
        }
        Err(why) => {
            tracing::debug!(broker, %why, "does not restart beside another");
            return Ok(None);
        }
    }
    // Our own disruption budget knows of no racks and would refuse; the brokers were asked
    // instead, and no other budget has a say in this pod.
    scene.applier.delete(pod, DeleteParams::default()).await?;
    scene.ctx.metrics.restarts.inc();
    let note = format!("pod {} is replaced", pod.name_any());
    scene.event("BrokerRestarted", note.clone()).await;
    Ok(Some(Rolling::new(Freedom::Nothing, note)))
}

fn rack<'a>(scene: &'a Scene<'_>, broker: i32) -> Option<&'a str> {
    scene.brokers.entry(broker)?.rack.as_deref()
}

/// The next outdated broker of the rack, and its pod; all brokers of other racks must be well.
fn candidate<'a>(scene: &'a Scene<'_>, turn: &RollStatus) -> Option<(i32, &'a Pod)> {
    let here = rack(scene, turn.broker)?;
    let in_rack = |b: &&BrokerFacts| rack(scene, b.id) == Some(here);
    let ill = |b: &BrokerFacts| b.ailment().is_some();
    if scene.facts.brokers.iter().any(|b| !in_rack(&b) && ill(b)) {
        return None;
    }
    // The quorum must have noticed that the first is away: only then do its answers count it.
    let away = scene.brokers.entry(turn.broker).is_some_and(|b| b.fenced);
    if !away || !scene.facts.template_settled {
        return None;
    }
    let mut rest = scene.facts.brokers.iter().filter(in_rack);
    let next = rest.find(|b| b.id != turn.broker && !ill(b) && b.outdated())?;
    Some((next.id, scene.observed.pods.get(&next.id)?))
}

/// Why it must not go as well.
async fn objection(scene: &Scene<'_>, turn: &RollStatus, broker: i32, pod: &Pod) -> Option<String> {
    let here = rack(scene, turn.broker);
    let gone = |b: &&BrokerFacts| rack(scene, b.id) == here && b.ailment().is_some();
    let mut away: BTreeSet<i32> = scene
        .facts
        .brokers
        .iter()
        .filter(gone)
        .map(|b| b.id)
        .collect();
    away.insert(broker);
    let most = tolerated(scene.facts.brokers.len());
    if away.len() > most {
        return Some(format!("no more than {most} brokers may be away"));
    }
    let Some(spokesman) = scene.brokers.spokesman() else {
        return Some("no broker speaks for the quorum".to_owned());
    };
    let map = match look(scene, spokesman).await {
        Ok(map) => map,
        Err(why) => return Some(why),
    };
    if let Err(why) = stoppable(&map, &away) {
        return Some(why);
    }
    if let Some(why) = replace::unsafe_now(scene.brokers, broker).await {
        return Some(why);
    }
    // An eviction cannot be tried: our own budget refuses a second one. Where somebody else's
    // budget selects the pod too, it waits for its own turn, in which it is evicted.
    match foreign_budget(&scene.ctx.client, &scene.valid.names, pod).await {
        Ok(other) => other.map(|name| format!("PodDisruptionBudget {name} selects its pod")),
        Err(error) => Some(error.to_string()),
    }
}
