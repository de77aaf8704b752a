use super::{Proposal, Reassignment, ReplicaMap};

/// As much of a proposal as may begin now, with no more than `at_once` partitions under way,
/// whoever moves them. What changes only the order of replicas is over at once, and counts too.
pub fn wave(map: &ReplicaMap, proposal: &Proposal, at_once: usize) -> Vec<Reassignment> {
    let room = at_once.saturating_sub(map.in_flight());
    proposal.moves.iter().take(room).cloned().collect()
}
