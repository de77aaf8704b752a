//! Elections among replicas that all stopped uncleanly: whoever holds the most leads.
//!
//! Every eligible replica (ISR and ELR) holds all that `acks=all` was told is safe, and any of them
//! may lead. What `acks=1` was told may be in one of them alone, or in a replica that is not
//! eligible any more: when a whole cluster loses its power, brokers are fenced one by one, and the
//! leader is often the first. So all replicas that come back say how their logs end, and the
//! greatest (leader epoch, durable end) is elected (compare KIP-966, unclean recovery; here only
//! where an eligible replica is back).
//!
//! **Why one that is not eligible may be elected:** its log ends no earlier than that of an eligible
//! one. Under the same last epoch both are prefixes of one leader's log, so it holds all that the
//! other does. Under a later epoch it holds that epoch's beginning, which was an eligible replica's
//! log; and nothing was ever acknowledged by all in an epoch of which an eligible replica has
//! nothing.
//!
//! The wait ends when every replica of a registered broker has answered, when the leader of the last
//! epoch has (nobody can hold more of what was acknowledged), or when the controller says so.

use serde::{Deserialize, Serialize};
use weir_types::{BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionId};

use super::apply::Outcome;
use super::{ClusterError, ClusterReply, Image, Partition, elections};

/// Most partitions that one report speaks of.
pub const LOG_ENDS_MAX: usize = 1000;

/// How a replica's log ends. Greater holds more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LogEnd {
    /// The latest that the log knows.
    pub leader_epoch: LeaderEpoch,
    /// What is synced, and survives the next loss of power too.
    pub durable_end: Offset,
}

/// What one broker says of its replica of a partition without a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedEnd {
    pub partition: PartitionId,
    /// The partition's epoch when it was asked: an older answer counts no more.
    pub asked_in: LeaderEpoch,
    /// `None`: this replica does not stand, since it is damaged or may have holes.
    pub end: Option<LogEnd>,
}

/// What a broker says of some of its replicas, of [`LOG_ENDS_MAX`] at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEnds {
    pub broker: BrokerId,
    pub epoch: BrokerEpoch,
    pub ends: Vec<ReportedEnd>,
}

pub(super) fn report(image: &mut Image, report: &LogEnds) -> Outcome {
    let broker = report.broker;
    image.registered(broker, report.epoch)?;
    if report.ends.len() > LOG_ENDS_MAX {
        return Err(ClusterError::TooManyLogEnds(report.ends.len()));
    }
    for said in &report.ends {
        let current = image
            .partition(said.partition)
            .is_some_and(|p| p.leader_epoch == said.asked_in && p.replicas.contains(&broker));
        if !current {
            continue;
        }
        // Nobody waits for what is not in here.
        if let Some(known) = image.awaited_ends.get_mut(&said.partition) {
            known.insert(broker, said.end);
            decide(image, said.partition, Wait::GoesOn);
        }
    }
    Ok(ClusterReply::Done)
}

/// The controller has waited long enough: whoever is back is chosen from. Where nobody is any more,
/// another wait begins with the next eligible replica that comes.
pub(super) fn end_wait(image: &mut Image, partitions: &[PartitionId]) -> Outcome {
    for id in partitions {
        if image.awaited_ends.contains_key(id) {
            decide(image, *id, Wait::Over);
            image.awaited_ends.remove(id);
        }
    }
    Ok(ClusterReply::Done)
}

/// A new process of `broker`: what its last one said counts no more.
pub(super) fn forget(image: &mut Image, broker: BrokerId) {
    let told: Vec<_> = image
        .awaited_ends
        .iter()
        .filter(|(_, ends)| ends.contains_key(&broker))
        .map(|(id, _)| *id)
        .collect();
    for id in told {
        if let Some(ends) = image.awaited_ends.get_mut(&id) {
            ends.remove(&broker);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    GoesOn,
    Over,
}

pub(super) fn decide(image: &mut Image, id: PartitionId, wait: Wait) {
    let Some(partition) = image.partition(id) else {
        return;
    };
    let known = best(image, id, partition);
    let winner = match known {
        Some((broker, end))
            if wait == Wait::Over || is_final(image, id, partition, broker, end) =>
        {
            Some(broker)
        }
        Some(_) => None,
        // Those who are back said nothing in all that time.
        None if wait == Wait::Over => elections::choose(image, partition, &partition.elr),
        None => None,
    };
    let Some(leader) = winner else { return };
    let mut next = partition.clone();
    let min_isr = image.partition_min_isr(id, partition);
    elections::crown(image, &mut next, leader, min_isr);
    image.replace_partition(id, next);
}

/// The live replica that holds the most, if it holds no less than an eligible one that answered.
/// Of equal ones an eligible one, then the first in order of preference.
fn best(image: &Image, id: PartitionId, partition: &Partition) -> Option<(BrokerId, LogEnd)> {
    let ends = image.awaited_ends.get(&id)?;
    let end_of = |b: &BrokerId| ends.get(b).copied().flatten();
    let least_safe = partition.elr.iter().filter_map(end_of).min()?;
    let standing = partition
        .replicas
        .iter()
        .filter(|b| elections::may_lead(image, **b));
    let safe = standing.filter_map(|b| Some((*b, end_of(b).filter(|end| *end >= least_safe)?)));
    let mut best: Option<(BrokerId, LogEnd)> = None;
    for (broker, end) in safe {
        let better = best.is_none_or(|(first, most)| {
            let eligible = |b: &BrokerId| partition.elr.contains(b);
            (end, eligible(&broker)) > (most, eligible(&first))
        });
        if better {
            best = Some((broker, end));
        }
    }
    best
}

/// Whether no answer that is still to come could change the choice.
fn is_final(
    image: &Image,
    id: PartitionId,
    partition: &Partition,
    best: BrokerId,
    end: LogEnd,
) -> bool {
    let led_last =
        partition.last_leader == Some(best) && end.leader_epoch == partition.leader_epoch;
    let answered = |b: &BrokerId| {
        image
            .awaited_ends
            .get(&id)
            .is_some_and(|e| e.contains_key(b))
    };
    let registered = |b: &&BrokerId| image.brokers.contains_key(*b);
    let mut may_return = partition.replicas.iter().filter(registered);
    led_last || may_return.all(|b| answered(b) && image.is_live(*b))
}

/// Whether no other replica could come back and hold more.
pub(super) fn is_alone(image: &Image, partition: &Partition, broker: BrokerId) -> bool {
    let mut others = partition.replicas.iter().filter(|b| **b != broker);
    !others.any(|b| image.brokers.contains_key(b))
}
