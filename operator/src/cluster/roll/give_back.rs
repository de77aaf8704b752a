//! Who was to restart and does not leads again.

use std::collections::BTreeSet;

use kube::ResourceExt;
use weir_crds::{QueueClusterStatus, RollStatus};

use crate::admin::Refusal;
use crate::cluster::scene::Scene;

/// Lets every broker of the turn lead again that was to restart and does not. One that did restart
/// registers anew and needs no permission; nor is it given where the node is cordoned. Whether
/// nobody waits for it any more.
pub async fn give_back(scene: &Scene<'_>, status: &mut QueueClusterStatus) -> bool {
    let cordoned: BTreeSet<i32> = status.leaders_away.iter().map(|a| a.broker).collect();
    let Some(turn) = status.roll.as_mut() else {
        return true;
    };
    let first = (
        turn.broker,
        &turn.pod_uid,
        &mut turn.leaders_away,
        &mut turn.leaders_away_since,
    );
    let others = turn.others.iter_mut().map(|o| {
        (
            o.broker,
            &o.pod_uid,
            &mut o.leaders_away,
            &mut o.leaders_away_since,
        )
    });
    for (broker, pod_uid, away, since) in std::iter::once(first).chain(others) {
        if *away && (cordoned.contains(&broker) || allow(scene, broker, pod_uid).await) {
            *away = false;
            *since = None;
        }
    }
    !owes(turn)
}

/// Whether some broker of the turn may be without leaders.
pub fn owes(turn: &RollStatus) -> bool {
    turn.leaders_away || turn.others.iter().any(|o| o.leaders_away)
}

/// Whether the broker may lead from now on.
async fn allow(scene: &Scene<'_>, broker: i32, pod_uid: &str) -> bool {
    let pod = scene.observed.pods.get(&broker);
    let stays = pod.is_some_and(|p| {
        p.uid().as_deref() == Some(pod_uid) && p.metadata.deletion_timestamp.is_none()
    });
    if !stays {
        return true;
    }
    let Some(spokesman) = scene.brokers.spokesman() else {
        return false;
    };
    match spokesman.handle.allow_leaders(broker).await {
        Ok(()) => true,
        // One that is not registered will be, and then needs no permission.
        Err(error) if error.is(Refusal::NotFound) => true,
        Err(error) => {
            tracing::warn!(broker, %error, "leaders not allowed yet");
            false
        }
    }
}
