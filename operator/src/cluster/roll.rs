//! Restarting one broker without losing anything: the effects behind the plan.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;
use weir_crds::RollStatus;
use weir_proto::admin as pb;

use super::observe::Brokers;
use super::plan::How;
use crate::apply::{Applier, Evicted};
use crate::error::Result;

/// How long leaders may take to move away before the broker is stopped all the same: it hands
/// off what is left when it gets SIGTERM.
const MOVE_SECONDS_MAX: i64 = 30;

/// What came of an attempt to replace a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replaced {
    Done,
    Waiting(String),
}

/// Replaces the pod whose turn it is.
///
/// # Errors
/// The API server did not answer. What the brokers do not answer is waiting, not an error.
pub async fn replace(
    applier: &Applier,
    brokers: &Brokers,
    pod: &Pod,
    turn: &RollStatus,
    how: How,
) -> Result<Replaced> {
    if how == How::Plainly {
        applier.delete(pod, DeleteParams::default()).await?;
        return Ok(Replaced::Done);
    }
    let alone = brokers.reached.len() == 1;
    if !alone && let Some(why) = unsafe_now(brokers, turn).await {
        return Ok(Replaced::Waiting(why));
    }
    match applier.evict(pod).await? {
        Evicted::Done | Evicted::Gone => Ok(Replaced::Done),
        Evicted::Refused(why) => {
            // With two brokers down the budget never allows it. One that the quorum has fenced
            // serves nobody: stopping it disrupts nothing.
            if brokers.entry(turn.broker).is_some_and(|b| b.fenced) {
                applier.delete(pod, DeleteParams::default()).await?;
                return Ok(Replaced::Done);
            }
            let name = pod.name_any();
            Ok(Replaced::Waiting(format!("eviction of {name}: {why}")))
        }
    }
}

/// Why the broker must not stop now. Every other broker is asked, and silence counts as a no.
async fn unsafe_now(brokers: &Brokers, turn: &RollStatus) -> Option<String> {
    let mut asked = 0;
    for (_, other) in brokers.answering() {
        if other.answer.broker_id == turn.broker || other.answer.fenced {
            continue;
        }
        asked += 1;
        let id = other.answer.broker_id;
        let answer = match other.handle.check_restart(turn.broker).await {
            Ok(answer) => answer,
            Err(error) => return Some(format!("broker {id} was asked: {error}")),
        };
        match blocked(other.handle.as_ref(), turn.broker, answer).await {
            Ok(None) => {}
            Ok(Some(why)) => return Some(why),
            Err(error) => return Some(format!("broker {id} was asked: {error}")),
        }
    }
    if asked == 0 {
        return Some("no other broker answers".to_owned());
    }
    let spokesman = brokers.spokesman()?;
    let serves = |b: &pb::Broker| !b.fenced;
    if !brokers.entry(turn.broker).is_some_and(serves) {
        return None;
    }
    match spokesman.handle.move_leaders_away(turn.broker).await {
        Err(error) => Some(format!("moving its leaders away: {error}")),
        Ok(0) => None,
        Ok(left) => {
            let still = seconds_since(&turn.since) < MOVE_SECONDS_MAX;
            still.then(|| format!("{left} leaders are moving away"))
        }
    }
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

/// Seconds since a moment of a status; none if it cannot be read.
fn seconds_since(moment: &str) -> i64 {
    let Ok(then) = moment.parse::<jiff::Timestamp>() else {
        return 0;
    };
    jiff::Timestamp::now().as_second() - then.as_second()
}
