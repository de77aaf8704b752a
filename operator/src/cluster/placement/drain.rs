use std::collections::BTreeMap;

use super::draft::Draft;
use super::obstacle::EXAMPLES;
use super::{Obstacle, Proposal, ReplicaMap};

/// What a broker is emptied for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is taken away: all of it must go, or nothing does.
    Leaving,
    /// It is gone: what can be rebuilt is.
    Lost,
}

/// Moves every replica of a broker to others: to the least loaded that keeps its partition in as
/// many racks as before, or in as many as there can be.
///
/// # Errors
/// `Leaving`: the brokers left are too few for some topic. `Lost`: nothing can be rebuilt.
pub fn drain(map: &ReplicaMap, broker: i32, why: Why) -> Result<Proposal, Obstacle> {
    if why == Why::Leaving {
        check_factors(map, broker)?;
    }
    let mut draft = Draft::new(map);
    let mut order: Vec<usize> = (0..map.partitions.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(map.partitions[*at].bytes));
    let (mut waiting, mut homeless) = (Vec::new(), Vec::new());
    for at in order {
        let partition = &map.partitions[at];
        if !partition.replicas.contains(&broker) || partition.is_moving() {
            continue;
        }
        match target(&draft, at, broker) {
            Some(to) => draft.replace(at, broker, to),
            None if spare(&draft, at).next().is_some() => waiting.push(partition.name()),
            None => homeless.push(partition.name()),
        }
    }
    let reason = match why {
        Why::Leaving => format!("broker {broker} is to leave"),
        Why::Lost => format!("broker {broker} is lost"),
    };
    let proposal = draft.finish(waiting, reason);
    if !homeless.is_empty() && proposal.is_empty() && proposal.waiting.is_empty() {
        return Err(Obstacle::NoSpareBroker {
            partitions: homeless.len(),
            examples: homeless.into_iter().take(EXAMPLES).collect(),
        });
    }
    Ok(proposal)
}

/// Brokers that could take one more replica of the partition.
fn spare<'a>(draft: &'a Draft<'_>, at: usize) -> impl Iterator<Item = i32> + 'a {
    let partition = &draft.map.partitions[at];
    let free = move |id: &i32| !draft.replicas[at].contains(id) && !partition.is_on(*id);
    draft.map.takers().map(|m| m.id).filter(free)
}

fn target(draft: &Draft<'_>, at: usize, from: i32) -> Option<i32> {
    let racks_now = draft.map.racks(&draft.replicas[at]);
    spare(draft, at)
        .filter(|to| draft.allows(at, from, *to))
        .min_by_key(|to| {
            let racks = draft.map.racks(&draft.with(at, from, *to)).min(racks_now);
            let (replicas, bytes) = (draft.tally.replicas(*to), draft.tally.bytes(*to));
            (std::cmp::Reverse(racks), replicas, bytes, *to)
        })
}

/// Whether the brokers that would be left are enough for every topic, those that are down now
/// counted in: they come back.
fn check_factors(map: &ReplicaMap, broker: i32) -> Result<(), Obstacle> {
    let stays = |m: &&super::Member| m.id != broker && !m.cordoned;
    let left = map.members.values().filter(stays).count();
    let mut short: BTreeMap<&str, usize> = BTreeMap::new();
    for partition in &map.partitions {
        let factor = partition.replicas.len();
        if factor > left {
            let most = short.entry(&partition.topic).or_default();
            *most = factor.max(*most);
        }
    }
    if short.is_empty() {
        return Ok(());
    }
    let named = short.iter().take(EXAMPLES);
    Err(Obstacle::ReplicationFactor {
        examples: named.map(|(t, n)| ((*t).to_owned(), *n)).collect(),
        topics: short.len(),
        left,
    })
}
