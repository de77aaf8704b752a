//! Replicas, bytes and preferred leaders are evened out, or it is said what that would cost.

use weir_crds::{Balance, BalanceState, BalanceStatus, BalanceTask, Progress, QueueClusterStatus};

use super::{Freedom, bounded, but, joined, progress, start};
use crate::cluster::observe::Reached;
use crate::cluster::placement::{Mood, Proposal, ReplicaMap, disk, leaders, spread, wave};
use crate::cluster::scene::Scene;
use crate::conditions::{Verdict, now};

/// Moves of a proposal that a status names.
const EXAMPLES: usize = 10;

/// One step towards even brokers, when the cluster has nothing more urgent to do.
pub async fn advance(
    scene: &Scene<'_>,
    spokesman: &Reached,
    map: &ReplicaMap,
    free: Freedom,
    status: &mut QueueClusterStatus,
) -> Option<Verdict> {
    let before = status.balance.take();
    let running = before
        .clone()
        .filter(|b| b.state == BalanceState::Running && b.task != BalanceTask::Rebuild);
    if scene.valid.spec.balance == Balance::Disabled {
        return None;
    }
    if let Some(why) = unfit(scene, map, free, status) {
        let running = running?;
        let message = format!("{}; waiting: {why}", running.message);
        // A proposal would be out of date by the time it could be made.
        status.balance = Some(running);
        return Some(but("Rebalancing", message));
    }
    if scene.valid.spec.balance == Balance::Propose {
        status.balance = propose(map, before);
        return None;
    }
    match running {
        Some(running) => go_on(scene, spokesman, map, running, status).await,
        None => begin(map, status),
    }
}

/// Why nothing is evened out now.
fn unfit(
    scene: &Scene<'_>,
    map: &ReplicaMap,
    free: Freedom,
    status: &QueueClusterStatus,
) -> Option<String> {
    if free != Freedom::All {
        return Some("a restart is under way".to_owned());
    }
    if let Some(why) = scene.absent(None) {
        return Some(why);
    }
    if scene.valid.spec.replicas != scene.replicas {
        return Some("the number of brokers changes".to_owned());
    }
    if let Some(away) = status.leaders_away.first() {
        return Some(format!("node {} is cordoned", away.node));
    }
    let behind = scene.facts.brokers.iter().any(|b| b.ailment().is_some());
    let quiet = map.in_flight() == 0;
    (quiet && behind).then(|| "replicas are catching up".to_owned())
}

/// The first thing that is uneven. What runs already is brought to its end.
fn plan(map: &ReplicaMap, running: Option<BalanceTask>) -> Option<(BalanceTask, Proposal)> {
    type Planner = fn(&ReplicaMap, Mood) -> Proposal;
    let planners: [(BalanceTask, Planner); 3] = [
        (BalanceTask::Spread, spread),
        (BalanceTask::Disk, disk),
        (BalanceTask::Leaders, leaders),
    ];
    let mood = |task| match running == Some(task) {
        true => Mood::Running,
        false => Mood::Resting,
    };
    let mine = planners.into_iter();
    mine.filter(|(task, _)| running.is_none_or(|r| r == *task))
        .map(|(task, planner)| (task, planner(map, mood(task))))
        .find(|(_, proposal)| !proposal.is_empty())
}

fn told(task: BalanceTask, state: BalanceState, proposal: &Proposal) -> BalanceStatus {
    let (moves, bytes) = (proposal.moves.len(), proposal.bytes());
    let examples = proposal.moves.iter().take(EXAMPLES);
    BalanceStatus {
        task,
        state,
        since: now(),
        progress: progress::left(Progress::default(), moves, bytes),
        message: bounded(&proposal.summary()),
        examples: examples
            .map(|m| m.to_string().chars().take(300).collect())
            .collect(),
    }
}

fn propose(map: &ReplicaMap, before: Option<BalanceStatus>) -> Option<BalanceStatus> {
    if map.in_flight() > 0 {
        return before.filter(|b| b.state == BalanceState::Proposed);
    }
    let (task, proposal) = plan(map, None)?;
    let mut said = told(task, BalanceState::Proposed, &proposal);
    let same = before.filter(|b| b.state == BalanceState::Proposed && b.task == task);
    if let Some(before) = same {
        said.since = before.since;
    }
    Some(said)
}

/// Stores what is to be done. Moves that somebody else has begun are let finish first.
fn begin(map: &ReplicaMap, status: &mut QueueClusterStatus) -> Option<Verdict> {
    if map.in_flight() > 0 {
        return None;
    }
    let (task, proposal) = plan(map, None)?;
    let said = told(task, BalanceState::Running, &proposal);
    let message = said.message.clone();
    status.balance = Some(said);
    Some(but("Rebalancing", message))
}

async fn go_on(
    scene: &Scene<'_>,
    spokesman: &Reached,
    map: &ReplicaMap,
    mut running: BalanceStatus,
    status: &mut QueueClusterStatus,
) -> Option<Verdict> {
    let proposal = plan(map, Some(running.task))
        .map(|(_, p)| p)
        .unwrap_or_default();
    let moving: Vec<_> = map.partitions.iter().filter(|p| p.is_moving()).collect();
    if proposal.is_empty() && moving.is_empty() {
        if let Err(error) = spokesman.handle.elect_preferred().await {
            let message = format!("preferred leaders are not back yet: {error}");
            status.balance = Some(running);
            return Some(but("Rebalancing", message));
        }
        scene.event("Balanced", running.message).await;
        return None;
    }
    let copied = |p: &&crate::cluster::placement::Partition| {
        p.bytes
            .saturating_mul(u64::try_from(p.adding.len()).unwrap_or(0))
    };
    let bytes = proposal.bytes() + moving.iter().map(copied).sum::<u64>();
    running.progress = progress::left(running.progress, proposal.moves.len() + moving.len(), bytes);
    let at_once = usize::try_from(scene.valid.spec.moves.partitions_at_once).unwrap_or(1);
    let trouble = start(spokesman, &wave(map, &proposal, at_once)).await;
    let moved = progress::told(&running.progress);
    let message = format!("{} since {}: {moved}", running.message, running.since);
    status.balance = Some(running);
    Some(but("Rebalancing", joined(message, trouble)))
}
