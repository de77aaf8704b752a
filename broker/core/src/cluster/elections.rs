//! Who leads, who is in sync, who is still eligible (KIP-966).

use std::sync::Arc;
use weir_types::{BrokerId, PartitionId};

use super::{ClusterReply, Image, Partition};

/// Why a broker gives up its leaders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// It is gone: it leads nothing and is in no ISR.
    Fenced,
    /// It will go, and still serves what nobody else can.
    Stopping,
}

/// Takes `broker` out of leadership and ISR of everything it holds.
pub(super) fn depart(image: &mut Image, broker: BrokerId, how: Departure) {
    update_partitions(image, |image, id, partition| {
        let concerned = partition.leader == Some(broker) || partition.isr.contains(&broker);
        if !concerned {
            return None;
        }
        let min_isr = image.min_isr(id.topic, partition.replicas.len());
        let mut next = partition.clone();
        match how {
            Departure::Fenced => {
                leave_isr(&mut next, broker, min_isr);
                if next.leader == Some(broker) {
                    set_leader(&mut next, None);
                    elect(image, &mut next, min_isr);
                }
            }
            Departure::Stopping => step_aside(image, &mut next, broker, min_isr),
        }
        Some(next)
    });
}

/// Replicas of `broker` that may lack acknowledged records stop being eligible.
pub(super) fn disqualify(image: &mut Image, broker: BrokerId, which: impl Fn(PartitionId) -> bool) {
    update_partitions(image, |_, id, partition| {
        let eligible = partition.isr.contains(&broker) || partition.elr.contains(&broker);
        if !eligible || !which(id) {
            return None;
        }
        let mut next = partition.clone();
        next.isr.retain(|b| *b != broker);
        next.elr.retain(|b| *b != broker);
        if next.leader == Some(broker) {
            set_leader(&mut next, None);
        }
        Some(next)
    });
    elect_leaderless(image);
}

/// Gives a leader to every partition that has none and could have one.
pub(super) fn elect_leaderless(image: &mut Image) {
    update_partitions(image, |image, id, partition| {
        if partition.leader.is_some() {
            return None;
        }
        let mut next = partition.clone();
        let min_isr = image.min_isr(id.topic, partition.replicas.len());
        elect(image, &mut next, min_isr).then_some(next)
    });
}

/// Moves leaders to the preferred replicas that are in sync.
pub(super) fn elect_preferred(image: &mut Image, only: Option<&[PartitionId]>) -> ClusterReply {
    let mut changed = 0;
    update_partitions(image, |image, id, partition| {
        if only.is_some_and(|ids| !ids.contains(&id)) {
            return None;
        }
        let preferred = *partition.replicas.first()?;
        let wanted = partition.leader != Some(preferred)
            && partition.isr.contains(&preferred)
            && may_lead(image, preferred);
        wanted.then(|| {
            changed += 1;
            let mut next = partition.clone();
            set_leader(&mut next, Some(preferred));
            next
        })
    });
    ClusterReply::Elected(changed)
}

fn may_lead(image: &Image, broker: BrokerId) -> bool {
    image
        .brokers
        .get(&broker)
        .is_some_and(|b| !b.fenced && !b.stopping)
}

/// A broker that leaves an ISR which falls under its minimum stays eligible: the high watermark
/// is frozen from here on, so it has all that was ever acknowledged.
fn leave_isr(partition: &mut Partition, broker: BrokerId, min_isr: usize) {
    if !partition.isr.contains(&broker) {
        return;
    }
    partition.isr.retain(|b| *b != broker);
    settle_elr(partition, &[broker], min_isr);
}

/// Brings ELR in line with an ISR that just lost `left`.
pub(super) fn settle_elr(partition: &mut Partition, left: &[BrokerId], min_isr: usize) {
    if partition.isr.len() >= min_isr.max(1) {
        partition.elr.clear();
        return;
    }
    for broker in left {
        if !partition.elr.contains(broker) && !partition.isr.contains(broker) {
            partition.elr.push(*broker);
        }
    }
    let isr = &partition.isr;
    partition.elr.retain(|b| !isr.contains(b));
}

/// First choice: in sync, in order of preference; then eligible ones. Says whether it found one.
fn elect(image: &Image, partition: &mut Partition, min_isr: usize) -> bool {
    let choose = |among: &[BrokerId]| {
        let fit = |b: &&BrokerId| among.contains(b) && may_lead(image, **b);
        partition.replicas.iter().find(fit).copied()
    };
    if let Some(leader) = choose(&partition.isr) {
        set_leader(partition, Some(leader));
        return true;
    }
    let Some(leader) = choose(&partition.elr) else {
        return false;
    };
    // Members of the ISR that are alive but stopping still have everything.
    let mut isr = std::mem::take(&mut partition.isr);
    isr.retain(|b| *b != leader && image.is_live(*b));
    isr.insert(0, leader);
    partition.isr = isr;
    settle_elr(partition, &[], min_isr);
    set_leader(partition, Some(leader));
    true
}

/// A stopping broker hands over what another in-sync replica can lead, and leaves the ISR where
/// that keeps its minimum, so that no write waits for it.
fn step_aside(image: &Image, partition: &mut Partition, broker: BrokerId, min_isr: usize) {
    if partition.leader == Some(broker) {
        let fit =
            |b: &&BrokerId| **b != broker && partition.isr.contains(b) && may_lead(image, **b);
        let Some(heir) = partition.replicas.iter().find(fit).copied() else {
            return;
        };
        set_leader(partition, Some(heir));
    }
    if partition.isr.len() > min_isr.max(1) {
        partition.isr.retain(|b| *b != broker);
        settle_elr(partition, &[], min_isr);
    }
}

fn set_leader(partition: &mut Partition, leader: Option<BrokerId>) {
    if partition.leader == leader {
        return;
    }
    if partition.leader.is_some() {
        partition.last_leader = partition.leader;
    }
    partition.leader = leader;
    if leader.is_some() {
        partition.leader_epoch.0 += 1;
    }
}

/// Replaces the partitions for which `change` gives a new state; their partition epoch grows.
fn update_partitions(
    image: &mut Image,
    mut change: impl FnMut(&Image, PartitionId, &Partition) -> Option<Partition>,
) {
    let mut changed = Vec::new();
    for topic in image.topics.values() {
        for (index, partition) in (0_i32..).zip(&topic.partitions) {
            let id = PartitionId::new(topic.id, index);
            if let Some(next) = change(image, id, partition).filter(|next| next != partition) {
                changed.push((id, next));
            }
        }
    }
    for (id, next) in changed {
        image.replace_partition(id, next);
    }
}

impl Image {
    pub(super) fn replace_partition(&mut self, id: PartitionId, mut next: Partition) {
        let Some(topic) = self.topics.get_mut(&id.topic) else {
            return;
        };
        let Ok(index) = usize::try_from(id.index) else {
            return;
        };
        if let Some(place) = Arc::make_mut(topic).partitions.get_mut(index) {
            next.partition_epoch.0 = place.partition_epoch.0 + 1;
            *place = next;
        }
    }
}
