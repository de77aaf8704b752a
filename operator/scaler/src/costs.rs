//! Which pods may go first.

use crate::Observation;
use crate::learn::is_of;
use crate::work::Work;

/// `controller.kubernetes.io/pod-deletion-cost` by pod: none for a pod that does nothing, more with the backlog of
/// what is assigned to it. In powers of two, so that small changes write nothing.
pub fn deletion_costs(seen: &Observation, works: &[Work]) -> Vec<(String, i32)> {
    let work_of = |index: &usize| {
        works[*index]
            .backlog
            .saturating_add(works[*index].commit / 1_000)
    };
    let index: std::collections::HashMap<_, usize> = seen
        .partitions
        .iter()
        .enumerate()
        .map(|(index, partition)| (&partition.id, index))
        .collect();
    let cost_of = |ip: &str| {
        let members = seen.members.iter().filter(|member| is_of(member, ip));
        let assigned: Vec<u64> = members
            .flat_map(|member| &member.assigned)
            .filter_map(|id| index.get(id))
            .map(work_of)
            .collect();
        if assigned.is_empty() {
            return 0;
        }
        let work = assigned.into_iter().fold(1, u64::saturating_add);
        i32::try_from(work.ilog2()).unwrap_or(i32::MAX) + 1
    };
    let live = seen.pods.iter().filter(|pod| !pod.terminating);
    live.map(|pod| (pod.name.clone(), cost_of(&pod.ip)))
        .collect()
}
