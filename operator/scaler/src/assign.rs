//! Which pod gets which partitions: Kafka's assignors, for a group whose members all subscribe to the same topics.

use std::collections::HashMap;

use crate::{Assignor, Observation};

/// The partitions of one observation in the order in which assignors take them.
#[derive(Clone, Debug)]
pub struct Layout {
    assignor: Assignor,
    /// Indices in [`Observation::partitions`], by topic and number.
    order: Vec<usize>,
    /// Length of each topic's run in `order`.
    topics: Vec<usize>,
    /// Of each partition in `order`, the member that has it now.
    current: Vec<Option<usize>>,
    members: usize,
}

impl Layout {
    pub fn new(seen: &Observation) -> Self {
        let mut order: Vec<usize> = (0..seen.partitions.len()).collect();
        order.sort_by_key(|&index| &seen.partitions[index].id);
        let mut topics: Vec<usize> = Vec::new();
        let mut last: Option<&str> = None;
        for &index in &order {
            let topic = seen.partitions[index].id.topic.as_str();
            if last == Some(topic) {
                *topics.last_mut().expect("a topic began") += 1;
            } else {
                topics.push(1);
            }
            last = Some(topic);
        }
        let owners: HashMap<_, usize> = seen
            .members
            .iter()
            .enumerate()
            .flat_map(|(member, of)| of.assigned.iter().map(move |id| (id, member)))
            .collect();
        let current = order
            .iter()
            .map(|&index| owners.get(&seen.partitions[index].id).copied())
            .collect();
        Self {
            assignor: seen.assignor.clone(),
            order,
            topics,
            current,
            members: seen.members.len(),
        }
    }

    /// Sums a figure of each partition (by its index in the observation) over the pods of a group of `count`, at
    /// least one.
    pub fn loads(&self, count: usize, of_partition: &[u64]) -> Vec<u64> {
        let mut loads = vec![0u64; count];
        for (pod, &index) in self.owners(count).into_iter().zip(&self.order) {
            loads[pod] = loads[pod].saturating_add(of_partition[index]);
        }
        loads
    }

    /// The most partitions that one pod of a group of `count` gets.
    pub fn share(&self, count: usize) -> usize {
        match self.assignor {
            Assignor::Range => self
                .topics
                .iter()
                .map(|length| length.div_ceil(count))
                .sum(),
            _ => self.order.len().div_ceil(count),
        }
    }

    pub fn owners(&self, count: usize) -> Vec<usize> {
        match self.assignor {
            Assignor::Range => self.range(count),
            Assignor::Sticky => self.sticky(count),
            Assignor::RoundRobin | Assignor::Other(_) => {
                (0..self.order.len()).map(|at| at % count).collect()
            }
        }
    }

    /// Consecutive partitions of each topic; the first members get one more.
    fn range(&self, count: usize) -> Vec<usize> {
        let mut owners = Vec::with_capacity(self.order.len());
        for &length in &self.topics {
            let (each, more) = (length / count, length % count);
            let long = more * (each + 1);
            owners.extend((0..length).map(|at| match at {
                at if at < long => at / (each + 1),
                at => more + (at - long) / each.max(1),
            }));
        }
        owners
    }

    /// Members keep what they have up to an even share, the rest goes to those that have less. Of a smaller group
    /// the first members are taken to stay: which pod goes is the target's choice.
    fn sticky(&self, count: usize) -> Vec<usize> {
        let (each, mut more) = (self.order.len() / count, self.order.len() % count);
        let mut has = vec![0usize; count];
        let staying = self.members.min(count);
        let mut owners: Vec<Option<usize>> = self
            .current
            .iter()
            .map(|owner| owner.filter(|&pod| pod < staying))
            .collect();
        for owner in &mut owners {
            let Some(pod) = *owner else { continue };
            if has[pod] < each {
                has[pod] += 1;
            } else if has[pod] == each && more > 0 {
                has[pod] += 1;
                more -= 1;
            } else {
                *owner = None;
            }
        }
        let mut next = 0;
        owners
            .into_iter()
            .map(|owner| {
                owner.unwrap_or_else(|| {
                    let least = (0..count)
                        .map(|step| (next + step) % count)
                        .min_by_key(|&pod| has[pod])
                        .unwrap_or(0);
                    has[least] += 1;
                    next = (least + 1) % count;
                    least
                })
            })
            .collect()
    }
}
