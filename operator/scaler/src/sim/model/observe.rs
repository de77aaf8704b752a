//! What a scaler is told.

use super::{Model, Partition, RATE_WINDOW_S, Worker, address, clock_ms, name};
use crate::{GroupState, Member, Observation, PartitionBacklog, Pod};

impl Model<'_> {
    /// What a scaler is told, `delay_s` after it was so; membership is told at once.
    pub fn observe(&self, delay_s: usize) -> Observation {
        let joined: Vec<&Worker> = self.workers.iter().filter(|worker| worker.joined).collect();
        let pod = |worker: &Worker| Pod {
            name: name(worker.id),
            ip: address(worker.id),
            ready: worker.joined,
            terminating: false,
            created_ms: clock_ms(worker.created_s),
        };
        let member = |worker: &&Worker| Member {
            id: name(worker.id),
            host: address(worker.id),
            assigned: (self.partitions.iter())
                .filter(|partition| partition.owner == Some(worker.id))
                .map(|partition| partition.id.clone())
                .collect(),
            subscribed: Vec::new(),
        };
        let partition = |partition: &Partition| {
            let back = |by: usize| {
                let at = partition.history.len().checked_sub(by + 1);
                at.and_then(|at| partition.history.get(at))
                    .copied()
                    .unwrap_or((0, 0))
            };
            let (end, committed) = back(delay_s);
            let (end_then, committed_then) = back(delay_s + RATE_WINDOW_S);
            PartitionBacklog {
                id: partition.id.clone(),
                committed: Some(committed.cast_signed()),
                start: 0,
                end: end.cast_signed(),
                arrival_rate: (end - end_then) as f64 / RATE_WINDOW_S as f64,
                commit_rate: (committed - committed_then) as f64 / RATE_WINDOW_S as f64,
            }
        };
        Observation {
            at_ms: clock_ms(self.now_s),
            replicas: self.replicas,
            pods: self.workers.iter().map(pod).collect(),
            group: match self.rebalance {
                Some(_) => GroupState::Rebalancing,
                None if joined.is_empty() => GroupState::Empty,
                None => GroupState::Stable,
            },
            assignor: self.scenario.assignor.clone(),
            generation: self.generation,
            members: joined.iter().map(member).collect(),
            partitions: self.partitions.iter().map(partition).collect(),
            frozen: None,
        }
    }
}
