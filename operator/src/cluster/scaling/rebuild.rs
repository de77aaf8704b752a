//! Replicas of a lost broker are made again elsewhere, one broker at a time.

use weir_crds::{
    BalanceState, BalanceStatus, BalanceTask, LostBroker, Progress, QueueClusterStatus,
    parse_millis,
};

use super::{Freedom, bounded, but, joined, progress, start};
use crate::cluster::observe::Reached;
use crate::cluster::placement::{Obstacle, Proposal, ReplicaMap, Why, drain, wave};
use crate::cluster::scene::Scene;
use crate::conditions::{Verdict, now, seconds_since};

/// Rebuilds what has been lost for longer than the resource allows.
pub async fn advance(
    scene: &Scene<'_>,
    spokesman: &Reached,
    map: &ReplicaMap,
    free: Freedom,
    status: &mut QueueClusterStatus,
) -> Option<Verdict> {
    let before = status.balance.clone();
    let before = before.filter(|b| b.task == BalanceTask::Rebuild);
    let due = due(scene, map, &status.lost);
    let Some((lost, outcome)) = choose(map, &due) else {
        if before.is_some() {
            status.balance = None;
            let message = "what a lost broker had is whole again".to_owned();
            scene.event("Rebuilt", message).await;
        }
        return None;
    };
    let (partitions, bytes) = map.load(lost.broker);
    let Some(mut said) = before else {
        // Stored before anything moves.
        let message = format!("{}: its replicas are made again elsewhere", about(lost));
        status.balance = Some(BalanceStatus {
            task: BalanceTask::Rebuild,
            state: BalanceState::Running,
            since: now(),
            progress: progress::left(Progress::default(), partitions, bytes),
            message: bounded(&message),
            examples: Vec::new(),
        });
        return Some(but("Rebuilding", message));
    };
    said.progress = progress::left(said.progress, partitions, bytes);
    let verdict = match outcome {
        Err(obstacle) => {
            said.state = BalanceState::Blocked;
            but(obstacle.reason(), format!("{}: {obstacle}", about(lost)))
        }
        Ok(proposal) => {
            said.state = BalanceState::Running;
            let at_once = usize::try_from(scene.valid.spec.moves.partitions_at_once).unwrap_or(1);
            let trouble = match free {
                Freedom::All | Freedom::Repair => {
                    start(spokesman, &wave(map, &proposal, at_once)).await
                }
                Freedom::Nothing => Some("a restart is under way".to_owned()),
            };
            let moved = progress::told(&said.progress);
            let message = format!("{}: rebuilt elsewhere: {moved}", about(lost));
            but("Rebuilding", joined(message, trouble))
        }
    };
    said.message = bounded(verdict.message());
    status.balance = Some(said);
    Some(verdict)
}

fn about(lost: &LostBroker) -> String {
    let LostBroker {
        broker,
        since,
        message,
        ..
    } = lost;
    format!("broker {broker} is lost since {since}: {message}")
}

/// Lost brokers whose time is up and that have something, the first lost first.
fn due<'a>(scene: &Scene<'_>, map: &ReplicaMap, lost: &'a [LostBroker]) -> Vec<&'a LostBroker> {
    // `Never` is no duration.
    let Ok(after_ms) = parse_millis(&scene.valid.spec.nodes.rebuild_after) else {
        return Vec::new();
    };
    let due = |l: &&LostBroker| {
        let long = seconds_since(&l.since).saturating_mul(1000) >= after_ms;
        long && map.load(l.broker).0 > 0
    };
    let mut due: Vec<&LostBroker> = lost.iter().filter(due).collect();
    due.sort_by_key(|l| (&l.since, l.broker));
    due
}

type Outcome = Result<Proposal, Obstacle>;

/// The first that can be rebuilt, or else the first that cannot.
fn choose<'a>(map: &ReplicaMap, due: &[&'a LostBroker]) -> Option<(&'a LostBroker, Outcome)> {
    let outcomes = due.iter().map(|l| (*l, drain(map, l.broker, Why::Lost)));
    let mut outcomes: Vec<_> = outcomes.collect();
    let at = outcomes.iter().position(|(_, outcome)| outcome.is_ok());
    let at = at.unwrap_or(0);
    (at < outcomes.len()).then(|| outcomes.swap_remove(at))
}
