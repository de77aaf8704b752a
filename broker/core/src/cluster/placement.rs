//! Where new partitions go: even over brokers, spread over racks.

use std::collections::BTreeMap;
use weir_types::BrokerId;

use super::{ClusterError, Image};

struct Candidate {
    id: BrokerId,
    rack: Option<String>,
    replicas: usize,
    leaders: usize,
    /// Place in the rotation that `seed` starts; breaks ties.
    turn: usize,
}

/// Replicas of `count` new partitions with `factor` replicas each, the preferred leader first.
///
/// Greedy: each leader goes to the broker with the fewest preferred leaders, each further replica
/// to a rack not used yet if there is one, there to the broker with the fewest replicas.
pub(super) fn place(
    image: &Image,
    count: usize,
    factor: usize,
    seed: u64,
) -> Result<Vec<Vec<BrokerId>>, ClusterError> {
    let mut candidates = candidates(image, seed);
    if factor == 0 || factor > candidates.len() {
        return Err(ClusterError::InvalidReplicationFactor(format!(
            "replication factor {factor} with {} brokers available",
            candidates.len()
        )));
    }
    Ok((0..count)
        .map(|_| place_one(&mut candidates, factor))
        .collect())
}

fn candidates(image: &Image, seed: u64) -> Vec<Candidate> {
    let mut load: BTreeMap<BrokerId, (usize, usize)> = BTreeMap::new();
    for partition in image.topics.values().flat_map(|t| &t.partitions) {
        for (rank, broker) in partition.replicas.iter().enumerate() {
            let entry = load.entry(*broker).or_default();
            entry.0 += 1;
            entry.1 += usize::from(rank == 0);
        }
    }
    let usable: Vec<_> = image
        .brokers
        .values()
        .filter(|b| !b.fenced && !b.stopping && !image.is_cordoned(b.id))
        .collect();
    let count = usable.len();
    let start = usize::try_from(seed % (count.max(1) as u64)).unwrap_or(0);
    usable
        .into_iter()
        .enumerate()
        .map(|(place, broker)| {
            let (replicas, leaders) = load.get(&broker.id).copied().unwrap_or_default();
            Candidate {
                id: broker.id,
                rack: broker.rack.clone(),
                replicas,
                leaders,
                turn: (place + count - start) % count,
            }
        })
        .collect()
}

fn place_one(candidates: &mut [Candidate], factor: usize) -> Vec<BrokerId> {
    let mut chosen: Vec<usize> = Vec::with_capacity(factor);
    for rank in 0..factor {
        let unused_rack = |c: &Candidate| {
            c.rack.is_none() || !chosen.iter().any(|i| candidates[*i].rack == c.rack)
        };
        let cost = |c: &Candidate| {
            let leaders = if rank == 0 { c.leaders } else { 0 };
            (!unused_rack(c), leaders, c.replicas, c.turn)
        };
        let best = (0..candidates.len())
            .filter(|i| !chosen.contains(i))
            .min_by_key(|i| cost(&candidates[*i]));
        let Some(best) = best else { break };
        chosen.push(best);
    }
    for (rank, index) in chosen.iter().enumerate() {
        candidates[*index].replicas += 1;
        candidates[*index].leaders += usize::from(rank == 0);
    }
    chosen.into_iter().map(|i| candidates[i].id).collect()
}
