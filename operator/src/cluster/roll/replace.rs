//! Restarting one broker without losing anything: the effects behind the plan.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;
use weir_crds::RollStatus;
use weir_proto::admin as pb;

use crate::apply::Evicted;
use crate::cluster::observe::Brokers;
use crate::cluster::plan::How;
use crate::cluster::scene::Scene;
use crate::conditions::{now, seconds_since};
use crate::error::Result;

/// How long leaders may take to move away before the broker is stopped all the same: it hands
/// off what is left when it gets SIGTERM.
const MOVE_SECONDS_MAX: i64 = 30;

/// What came of an attempt to replace a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replaced {
    Done,
    /// Nothing stands in the way, and it is not stored yet that leaders move.
    Ready,
    /// Its leaders are moving away.
    Moving(String),
    /// Not now.
    Waiting(String),
}

/// Replaces the pod whose turn it is. Leaders move only if the pod could be evicted then: they
/// would come and go with every attempt.
///
/// # Errors
/// The API server did not answer. What the brokers do not answer is waiting, not an error.
pub async fn replace(
    scene: &Scene<'_>,
    pod: &Pod,
    turn: &mut RollStatus,
    how: How,
) -> Result<Replaced> {
    let (applier, brokers) = (scene.applier, scene.brokers);
    if how == How::Plainly {
        applier.delete(pod, DeleteParams::default()).await?;
        return Ok(Replaced::Done);
    }
    // With two brokers down the budget never allows it. One that the quorum has fenced serves
    // nobody: stopping it disrupts nothing.
    let fenced = brokers.entry(turn.broker).is_some_and(|b| b.fenced);
    if !fenced && let Evicted::Refused(why) = applier.may_evict(pod).await? {
        return Ok(Replaced::Waiting(refused(pod, &why)));
    }
    let alone = brokers.reached.len() == 1;
    if !alone {
        if let Some(why) = unsafe_now(brokers, turn.broker).await {
            return Ok(Replaced::Waiting(why));
        }
        if !fenced {
            if !turn.leaders_away {
                return Ok(Replaced::Ready);
            }
            match move_away(scene, turn.broker, &mut turn.leaders_away_since).await {
                Ok(None) => {}
                Ok(Some(why)) => return Ok(Replaced::Moving(why)),
                Err(why) => return Ok(Replaced::Waiting(why)),
            }
        }
    }
    match applier.evict(pod).await? {
        Evicted::Done | Evicted::Gone => Ok(Replaced::Done),
        Evicted::Refused(_) if fenced => {
            applier.delete(pod, DeleteParams::default()).await?;
            Ok(Replaced::Done)
        }
        Evicted::Refused(why) => Ok(Replaced::Waiting(refused(pod, &why))),
    }
}

fn refused(pod: &Pod, why: &str) -> String {
    format!("eviction of {}: {why}", pod.name_any())
}

/// Moves a broker's leaders away; what is still to be waited for. `since` is when that was asked
/// for first: an operator that dies before that is stored waits once more.
pub(super) async fn move_away(
    scene: &Scene<'_>,
    broker: i32,
    since: &mut Option<String>,
) -> Result<Option<String>, String> {
    let Some(spokesman) = scene.brokers.spokesman() else {
        return Err("no broker speaks for the quorum".to_owned());
    };
    let left = spokesman.handle.move_leaders_away(broker).await;
    let left = left.map_err(|error| format!("moving its leaders away: {error}"))?;
    let since = since.get_or_insert_with(now);
    if left == 0 || seconds_since(since) >= MOVE_SECONDS_MAX {
        return Ok(None);
    }
    let left = match spokesman.handle.describe_replicas(false).await {
        Ok(all) => movable(scene.brokers, broker, &all),
        Err(_) => usize::try_from(left).unwrap_or(usize::MAX),
    };
    Ok((left > 0).then(|| format!("{left} leaders are moving away")))
}

/// Partitions that the broker leads and another could: what nobody else can lead stays with it
/// however long one waits.
fn movable(brokers: &Brokers, broker: i32, all: &[pb::PartitionReplicas]) -> usize {
    let leads = |id: i32| brokers.entry(id).is_some_and(|b| !b.fenced && !b.stopping);
    let others = |p: &pb::PartitionReplicas| p.isr.iter().any(|id| *id != broker && leads(*id));
    let led = all.iter().filter(|p| p.leader == Some(broker));
    led.filter(|p| others(p)).count()
}

/// Why the broker must not stop now. Every other broker is asked, and silence counts as a no.
pub(super) async fn unsafe_now(brokers: &Brokers, target: i32) -> Option<String> {
    let mut asked = 0;
    for (_, other) in brokers.answering() {
        if other.answer.broker_id == target || other.answer.fenced {
            continue;
        }
        asked += 1;
        let id = other.answer.broker_id;
        let answer = match other.handle.check_restart(target).await {
            Ok(answer) => answer,
            Err(error) => return Some(format!("broker {id} was asked: {error}")),
        };
        match blocked(other.handle.as_ref(), target, answer).await {
            Ok(None) => {}
            Ok(Some(why)) => return Some(why),
            Err(error) => return Some(format!("broker {id} was asked: {error}")),
        }
    }
    (asked == 0).then(|| "no other broker answers".to_owned())
}

/// What an answer amounts to. A partition with one replica is down while its broker restarts
/// whatever anybody does, and loses nothing: it does not hold a roll up for ever.
async fn blocked(
    broker: &dyn crate::admin::Admin,
    target: i32,
    answer: pb::CheckRestartResponse,
) -> Result<Option<String>, crate::admin::AdminError> {
    let named: u32 = u32::try_from(answer.blockers.len()).unwrap_or(u32::MAX);
    if answer.total == 0 && named == 0 {
        return Ok(None);
    }
    let lone = |b: &&pb::Blocker| b.reason != "OnlyReplica" || b.topic.starts_with("__");
    if let Some(blocker) = answer.blockers.iter().find(lone) {
        return Ok(Some(sentence(blocker, answer.total)));
    }
    let topics = broker.list_topics().await?;
    let mut partitions = topics
        .iter()
        .flat_map(|t| t.partitions.iter().map(move |p| (t, p)));
    let last_copy = partitions.find(|(_, p)| {
        p.replicas.len() > 1 && p.replicas.contains(&target) && !p.isr.iter().any(|r| *r != target)
    });
    Ok(last_copy.map(|(topic, partition)| {
        let (name, index) = (&topic.name, partition.index);
        format!("OnlyReplica: {name}-{index}: no other replica is in sync")
    }))
}

fn sentence(blocker: &pb::Blocker, total: u32) -> String {
    let place = if blocker.topic.is_empty() {
        String::new()
    } else {
        format!("{}-{}: ", blocker.topic, blocker.partition)
    };
    let more = match total.saturating_sub(1) {
        0 => String::new(),
        n => format!(" (and {n} more)"),
    };
    format!("{}: {place}{}{more}", blocker.reason, blocker.message)
}
