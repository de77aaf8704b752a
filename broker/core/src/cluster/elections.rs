//! Who leads, who is in sync, who is still eligible (KIP-966).

use std::collections::BTreeSet;
use std::sync::Arc;
use weir_types::{BrokerId, PartitionId};

use super::log_ends::{self, Wait};
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
    let mut waiting = Vec::new();
    update_partitions(image, |image, id, partition| {
        let concerned = partition.leader == Some(broker) || partition.isr.contains(&broker);
        if !concerned {
            return None;
        }
        let min_isr = image.partition_min_isr(id, partition);
        let mut next = partition.clone();
        match how {
            Departure::Fenced => {
                leave_isr(&mut next, broker, min_isr);
                if next.leader == Some(broker) {
                    set_leader(&mut next, None);
                    if elect(image, &mut next, min_isr) == Elected::Later {
                        waiting.push(id);
                    }
                }
            }
            Departure::Stopping => step_aside(image, &mut next, broker, min_isr),
        }
        Some(next)
    });
    await_ends(image, waiting);
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
    let mut waiting = Vec::new();
    update_partitions(image, |image, id, partition| {
        if partition.leader.is_some() {
            return None;
        }
        let mut next = partition.clone();
        let min_isr = image.partition_min_isr(id, partition);
        match elect(image, &mut next, min_isr) {
            Elected::Now => return Some(next),
            Elected::Later => waiting.push(id),
            Elected::Nobody => {}
        }
        None
    });
    await_ends(image, waiting);
}

/// From now on the replicas of these partitions are asked how their logs end.
fn await_ends(image: &mut Image, partitions: Vec<PartitionId>) {
    for id in partitions {
        image.awaited_ends.entry(id).or_default();
        log_ends::decide(image, id, Wait::GoesOn);
    }
}

/// Moves leaders to the preferred replicas that are in sync, and off cordoned brokers.
pub(super) fn elect_preferred(image: &mut Image, only: Option<&[PartitionId]>) -> ClusterReply {
    let mut changed = 0;
    update_partitions(image, |image, id, partition| {
        if only.is_some_and(|ids| !ids.contains(&id)) {
            return None;
        }
        let better = image.better_leader(partition)?;
        changed += 1;
        let mut next = partition.clone();
        set_leader(&mut next, Some(better));
        Some(next)
    });
    ClusterReply::Elected(changed)
}

/// A cordoned broker keeps what no other broker in sync can lead.
pub(super) fn give_away(image: &mut Image, broker: BrokerId) {
    update_partitions(image, |image, _, partition| {
        if partition.leader != Some(broker) {
            return None;
        }
        let heir = image.better_leader(partition)?;
        let mut next = partition.clone();
        set_leader(&mut next, Some(heir));
        Some(next)
    });
}

impl Image {
    /// Who should lead the partition rather than its present leader: the preferred replica, or
    /// any other where a cordoned broker leads. Only brokers in sync and not cordoned.
    pub fn better_leader(&self, partition: &Partition) -> Option<BrokerId> {
        let fit = |b: &&BrokerId| {
            partition.isr.contains(b) && may_lead(self, **b) && !self.is_cordoned(**b)
        };
        let preferred = partition.replicas.first().filter(fit);
        let leads_cordoned = partition.leader.is_some_and(|b| self.is_cordoned(b));
        let better = match preferred {
            None if leads_cordoned => partition.replicas.iter().find(fit),
            found => found,
        };
        better.copied().filter(|b| partition.leader != Some(*b))
    }

    /// Who could take over something that `broker` leads, now or as soon as it is in sync: its
    /// other replicas' brokers that are live and not stopping themselves.
    pub fn heirs(&self, broker: BrokerId) -> BTreeSet<BrokerId> {
        let partitions = self.topics.values().flat_map(|t| &t.partitions);
        let led = partitions.filter(|p| p.leader == Some(broker));
        let replicas = led.flat_map(|p| p.replicas.iter().copied());
        let mut heirs: BTreeSet<_> = replicas.collect();
        heirs.retain(|b| *b != broker && may_lead(self, *b));
        heirs
    }
}

/// The first of `among` in order of preference that may lead, a cordoned one only if there is
/// no other.
pub(super) fn choose(image: &Image, partition: &Partition, among: &[BrokerId]) -> Option<BrokerId> {
    let fit = |cordoned: bool| {
        let mut replicas = partition.replicas.iter().copied();
        replicas
            .find(|b| among.contains(b) && may_lead(image, *b) && image.is_cordoned(*b) == cordoned)
    };
    fit(false).or_else(|| fit(true))
}

pub(super) fn may_lead(image: &Image, broker: BrokerId) -> bool {
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Elected {
    Now,
    /// Once it is known who holds the most ([`super::log_ends`]).
    Later,
    Nobody,
}

/// First choice: in sync, in order of preference; then eligible ones that never stopped uncleanly;
/// among those that did, the ends of their logs decide.
fn elect(image: &Image, partition: &mut Partition, min_isr: usize) -> Elected {
    if let Some(leader) = choose(image, partition, &partition.isr) {
        set_leader(partition, Some(leader));
        return Elected::Now;
    }
    let sure = |b: &&BrokerId| !image.unclean.contains(*b);
    let eligible: Vec<_> = partition.elr.iter().filter(sure).copied().collect();
    if let Some(leader) = choose(image, partition, &eligible) {
        crown(image, partition, leader, min_isr);
        return Elected::Now;
    }
    match choose(image, partition, &partition.elr) {
        Some(leader) if log_ends::is_alone(image, partition, leader) => {
            crown(image, partition, leader, min_isr);
            Elected::Now
        }
        Some(_) => Elected::Later,
        None => Elected::Nobody,
    }
}

/// Somebody out of the ISR leads.
pub(super) fn crown(image: &Image, partition: &mut Partition, leader: BrokerId, min_isr: usize) {
    // Members of the ISR that are alive but stopping still have everything.
    let mut isr = std::mem::take(&mut partition.isr);
    isr.retain(|b| *b != leader && image.is_live(*b));
    isr.insert(0, leader);
    partition.isr = isr;
    settle_elr(partition, &[], min_isr);
    set_leader(partition, Some(leader));
}

/// A stopping broker hands over what another in-sync replica can lead, and leaves the ISR where
/// that keeps its minimum, so that no write waits for it.
fn step_aside(image: &Image, partition: &mut Partition, broker: BrokerId, min_isr: usize) {
    if partition.leader == Some(broker) {
        // It is stopping by now, so it is not chosen itself.
        let Some(heir) = choose(image, partition, &partition.isr) else {
            return;
        };
        set_leader(partition, Some(heir));
    }
    if partition.isr.len() > min_isr.max(1) {
        partition.isr.retain(|b| *b != broker);
        settle_elr(partition, &[], min_isr);
    }
}

pub(super) fn set_leader(partition: &mut Partition, leader: Option<BrokerId>) {
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
        if next.leader.is_some() {
            self.awaited_ends.remove(&id);
        }
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
