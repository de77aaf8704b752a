use std::collections::{BTreeMap, BTreeSet};

use weir_proto::admin as pb;

use super::{Member, Partition};

/// Every partition and every broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaMap {
    /// In order of topic and index.
    pub partitions: Vec<Partition>,
    pub members: BTreeMap<i32, Member>,
}

impl ReplicaMap {
    /// The map from what one broker says of all partitions, and what each says of its own logs.
    pub fn new(
        all: Vec<pb::PartitionReplicas>,
        held: &[Vec<pb::PartitionReplicas>],
        members: impl IntoIterator<Item = Member>,
    ) -> Self {
        let mut sizes: BTreeMap<(&str, i32), u64> = BTreeMap::new();
        for one in held.iter().flatten() {
            // The longest log is the leader's, or that of somebody not far behind it.
            let size = sizes.entry((&one.topic, one.index)).or_default();
            *size = one.bytes.unwrap_or(0).max(*size);
        }
        let mut partitions: Vec<Partition> = all
            .into_iter()
            .map(|one| {
                let told = sizes.get(&(one.topic.as_str(), one.index)).copied();
                let bytes = told.unwrap_or(0).max(one.bytes.unwrap_or(0));
                partition(one, bytes)
            })
            .collect();
        partitions.sort_by(|a, b| (&a.topic, a.index).cmp(&(&b.topic, b.index)));
        Self {
            partitions,
            members: members.into_iter().map(|m| (m.id, m)).collect(),
        }
    }

    /// Partitions that are being moved, by anybody.
    pub fn in_flight(&self) -> usize {
        self.partitions.iter().filter(|p| p.is_moving()).count()
    }

    /// Partitions of which the broker has anything, and their bytes.
    pub fn load(&self, broker: i32) -> (usize, u64) {
        let held = self.partitions.iter().filter(|p| p.is_on(broker));
        held.fold((0, 0), |(n, bytes), p| (n + 1, bytes + p.bytes))
    }

    /// How many racks the brokers are in; those without one count as one more.
    pub fn racks(&self, brokers: &[i32]) -> usize {
        let rack = |id: &i32| self.members.get(id).and_then(|m| m.rack.clone());
        brokers.iter().map(rack).collect::<BTreeSet<_>>().len()
    }

    /// Those that replicas may be put on.
    pub fn takers(&self) -> impl Iterator<Item = &Member> {
        self.members.values().filter(|m| m.takes_replicas())
    }
}

fn partition(one: pb::PartitionReplicas, bytes: u64) -> Partition {
    let stays = |broker: &i32| !one.removing.contains(broker);
    Partition {
        replicas: one.replicas.iter().copied().filter(stays).collect(),
        topic: one.topic,
        index: one.index,
        leader: one.leader,
        isr: one.isr,
        adding: one.adding,
        removing: one.removing,
        min_isr: usize::try_from(one.min_isr).unwrap_or(usize::MAX),
        bytes,
    }
}
