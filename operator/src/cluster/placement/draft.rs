use super::tally::Tally;
use super::{Proposal, Reassignment, ReplicaMap};

/// A map with changes that are not made yet.
pub(super) struct Draft<'a> {
    pub map: &'a ReplicaMap,
    /// Of each partition of the map.
    pub replicas: Vec<Vec<i32>>,
    pub tally: Tally,
}

impl<'a> Draft<'a> {
    pub fn new(map: &'a ReplicaMap) -> Self {
        Self {
            map,
            replicas: map.partitions.iter().map(|p| p.replicas.clone()).collect(),
            tally: Tally::new(map),
        }
    }

    /// The replicas of a partition with one of them elsewhere.
    pub fn with(&self, at: usize, from: i32, to: i32) -> Vec<i32> {
        let swap = |b: &i32| if *b == from { to } else { *b };
        self.replicas[at].iter().map(swap).collect()
    }

    /// Whether the partition may leave `from` for `to`: not there yet, safe for its writers.
    pub fn allows(&self, at: usize, from: i32, to: i32) -> bool {
        let partition = &self.map.partitions[at];
        let here = &self.replicas[at];
        here.contains(&from)
            // A replica that this very plan has put there does not go on.
            && partition.replicas.contains(&from)
            && !here.contains(&to)
            && !partition.is_on(to)
            && partition.may_move_to(&self.with(at, from, to))
    }

    /// Whether its replicas are in as many racks after that as before.
    pub fn keeps_racks(&self, at: usize, from: i32, to: i32) -> bool {
        let after = self.map.racks(&self.with(at, from, to));
        after >= self.map.racks(&self.replicas[at])
    }

    pub fn replace(&mut self, at: usize, from: i32, to: i32) {
        let bytes = self.map.partitions[at].bytes;
        if self.replicas[at].first() == Some(&from) {
            self.lead(from, to);
        }
        self.replicas[at] = self.with(at, from, to);
        self.tally.take(from, bytes);
        self.tally.add(to, bytes);
    }

    /// Makes one of its replicas the first to lead.
    pub fn prefer(&mut self, at: usize, broker: i32) {
        let Some(before) = self.replicas[at].first().copied() else {
            return;
        };
        let rest = self.replicas[at].iter().filter(|b| **b != broker);
        self.replicas[at] = std::iter::once(&broker).chain(rest).copied().collect();
        self.lead(before, broker);
    }

    fn lead(&mut self, before: i32, after: i32) {
        let firsts = self.tally.firsts.entry(before).or_default();
        *firsts = firsts.saturating_sub(1);
        *self.tally.firsts.entry(after).or_default() += 1;
    }

    /// What differs from the map, the largest first.
    pub fn finish(self, waiting: Vec<String>, reason: String) -> Proposal {
        let mut moves: Vec<Reassignment> = self
            .map
            .partitions
            .iter()
            .zip(&self.replicas)
            .filter(|(partition, to)| partition.replicas != **to)
            .map(|(partition, to)| {
                let added = to.iter().filter(|b| !partition.replicas.contains(b));
                let copies = u64::try_from(added.count()).unwrap_or(u64::MAX);
                Reassignment {
                    topic: partition.topic.clone(),
                    index: partition.index,
                    from: partition.replicas.clone(),
                    to: to.clone(),
                    bytes: partition.bytes.saturating_mul(copies),
                }
            })
            .collect();
        // Stable: of the same size in order of topic and index.
        moves.sort_by_key(|m| std::cmp::Reverse(m.bytes));
        Proposal {
            moves,
            waiting,
            reason,
        }
    }
}
