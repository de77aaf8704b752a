//! A broker is emptied before it goes: cordon, drain in waves, until nothing of it is left.

use weir_crds::{Progress, QueueClusterStatus, ScalingPhase, ScalingStatus};
use weir_proto::admin as pb;

use super::{Freedom, bounded, but, joined, progress, start};
use crate::cluster::observe::Reached;
use crate::cluster::placement::{Obstacle, ReplicaMap, Why, drain, wave};
use crate::cluster::scene::Scene;
use crate::conditions::{Verdict, now};

/// Empties the broker whose turn it is, or begins with the highest ordinal that is too many.
pub async fn advance(
    scene: &Scene<'_>,
    spokesman: &Reached,
    map: &ReplicaMap,
    free: Freedom,
    status: &mut QueueClusterStatus,
) -> Option<Verdict> {
    let wanted = scene.valid.spec.replicas;
    let Some(mut turn) = status.scaling.clone() else {
        return (wanted < scene.replicas).then(|| begin(scene, map, status));
    };
    let verdict = match turn.phase {
        ScalingPhase::Draining if wanted > turn.broker || scene.replicas != turn.broker + 1 => {
            turn.phase = ScalingPhase::Cancelling;
            let message = format!("broker {} stays: {wanted} brokers are wanted", turn.broker);
            say(&mut turn, "ScalingIn", message)
        }
        ScalingPhase::Draining => empty(scene, spokesman, map, free, &mut turn).await,
        ScalingPhase::Cancelling => return Some(cancel(scene, spokesman, map, status).await),
        ScalingPhase::Removing | ScalingPhase::Leaving => return None,
    };
    status.scaling = Some(turn);
    Some(verdict)
}

fn say(turn: &mut ScalingStatus, reason: &str, message: String) -> Verdict {
    turn.message = bounded(&message);
    but(reason, message)
}

fn refused(scene: &Scene<'_>, obstacle: &Obstacle) -> Verdict {
    let (live, wanted) = (scene.replicas, scene.valid.spec.replicas);
    let message = format!("{live} brokers cannot become {wanted}: {obstacle}");
    but(obstacle.reason(), message)
}

/// Stores whose turn it is. Nothing has been touched before that, nor if it is refused.
fn begin(scene: &Scene<'_>, map: &ReplicaMap, status: &mut QueueClusterStatus) -> Verdict {
    let broker = scene.replicas - 1;
    if let Err(obstacle) = drain(map, broker, Why::Leaving) {
        return refused(scene, &obstacle);
    }
    if let Some(why) = scene.absent(Some(broker)) {
        let message = format!("broker {broker} cannot leave before the others serve: {why}");
        return but("ScalingIn", message);
    }
    let (partitions, bytes) = map.load(broker);
    let message = format!("broker {broker} is to leave");
    status.scaling = Some(ScalingStatus {
        from: scene.replicas,
        to: scene.valid.spec.replicas,
        broker,
        phase: ScalingPhase::Draining,
        since: now(),
        progress: progress::left(Progress::default(), partitions, bytes),
        message: message.clone(),
    });
    // Who moves things to even them out stops for this.
    status.balance = None;
    but("Draining", message)
}

async fn empty(
    scene: &Scene<'_>,
    spokesman: &Reached,
    map: &ReplicaMap,
    free: Freedom,
    turn: &mut ScalingStatus,
) -> Verdict {
    let broker = turn.broker;
    turn.to = scene.valid.spec.replicas;
    let has = match spokesman.handle.cordon_broker(broker, true).await {
        Ok(has) => has,
        Err(error) => {
            let message = format!("broker {broker} cannot be cordoned: {error}");
            return say(turn, "Draining", message);
        }
    };
    let proposal = match drain(map, broker, Why::Leaving) {
        Ok(proposal) => proposal,
        Err(obstacle) => {
            turn.phase = ScalingPhase::Cancelling;
            let message = format!("broker {broker} stays: {obstacle}");
            return say(turn, obstacle.reason(), message);
        }
    };
    let (partitions, bytes) = map.load(broker);
    turn.progress = progress::left(turn.progress, partitions, bytes);
    // The map is older than the cordon: the broker's own count is what says that it is empty.
    if partitions == 0 && has.replicas == 0 {
        if let Some(why) = scene.absent(Some(broker)) {
            let message = format!("broker {broker} is empty and waits for others: {why}");
            return say(turn, "ScalingIn", message);
        }
        turn.phase = ScalingPhase::Removing;
        return say(turn, "ScalingIn", format!("broker {broker} is empty"));
    }
    let at_once = usize::try_from(scene.valid.spec.moves.partitions_at_once).unwrap_or(1);
    let trouble = match free {
        Freedom::All => start(spokesman, &wave(map, &proposal, at_once)).await,
        Freedom::Repair | Freedom::Nothing => Some("a restart is under way".to_owned()),
    };
    let waits = proposal.waiting.first().map(|name| {
        let count = proposal.waiting.len();
        format!("{count} wait for replicas to be in sync, such as {name}")
    });
    let moved = progress::told(&turn.progress);
    let message = format!("broker {broker} is drained since {}: {moved}", turn.since);
    say(turn, "Draining", joined(joined(message, trouble), waits))
}

/// Takes everything back: moves away from the broker, and the cordon.
async fn cancel(
    scene: &Scene<'_>,
    spokesman: &Reached,
    map: &ReplicaMap,
    status: &mut QueueClusterStatus,
) -> Verdict {
    let Some(turn) = status.scaling.as_mut() else {
        return but("ScalingIn", String::new());
    };
    let broker = turn.broker;
    let leaving = map.partitions.iter();
    let moves: Vec<_> = leaving
        .filter(|p| p.removing.contains(&broker))
        .map(|p| pb::Reassignment {
            topic: p.topic.clone(),
            index: p.index,
            replicas: Vec::new(),
            cancel: true,
        })
        .collect();
    if !moves.is_empty()
        && let Err(error) = spokesman.handle.alter_reassignments(moves).await
    {
        let message = format!("broker {broker} stays, but its moves go on: {error}");
        return say(turn, "ScalingIn", message);
    }
    if let Err(error) = spokesman.handle.cordon_broker(broker, false).await {
        let message = format!("broker {broker} stays, but is still cordoned: {error}");
        return say(turn, "ScalingIn", message);
    }
    status.scaling = None;
    let message = format!("broker {broker} stays");
    scene.event("ScaleInCancelled", message.clone()).await;
    but("ScalingIn", message)
}
