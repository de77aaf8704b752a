use std::collections::{BTreeMap, VecDeque};

use super::draft::Draft;
use super::{Mood, Proposal, ReplicaMap};

/// Evens out how many partitions name each broker first. Nothing is copied: only the order of
/// replicas changes.
pub fn leaders(map: &ReplicaMap, mood: Mood) -> Proposal {
    let mut draft = Draft::new(map);
    let counts: Vec<usize> = map.takers().map(|m| firsts(&draft, m.id)).collect();
    let (least, most) = (counts.iter().min(), counts.iter().max());
    let (Some(least), Some(most)) = (least.copied(), most.copied()) else {
        return Proposal::default();
    };
    let mean = counts.iter().sum::<usize>() / counts.len();
    if !mood.uneven(least, most, mean) {
        return Proposal::default();
    }
    // Each path takes one from a broker that has two more than the broker that gets one.
    for _ in 0..map.partitions.len() {
        let Some(path) = path(&draft) else { break };
        for (at, broker) in path {
            draft.prefer(at, broker);
        }
    }
    let reason = format!("brokers are first choice of from {least} to {most} partitions");
    draft.finish(Vec::new(), reason)
}

fn firsts(draft: &Draft<'_>, broker: i32) -> usize {
    draft.tally.firsts.get(&broker).copied().unwrap_or(0)
}

/// A shortest chain of changes from the broker that is first most often to one that is at least
/// two times less: each partition of it prefers the next broker instead of the one before.
fn path(draft: &Draft<'_>) -> Option<Vec<(usize, i32)>> {
    let mut brokers: Vec<i32> = draft.map.takers().map(|m| m.id).collect();
    brokers.sort_by_key(|id| (std::cmp::Reverse(firsts(draft, *id)), *id));
    let edges = edges(draft);
    for start in brokers {
        let most = firsts(draft, start);
        let mut came: BTreeMap<i32, (usize, i32)> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(here) = queue.pop_front() {
            if firsts(draft, here) + 2 <= most {
                return Some(walk(&came, start, here));
            }
            for (next, at) in edges.get(&here).into_iter().flatten() {
                if *next != start && !came.contains_key(next) {
                    came.insert(*next, (*at, here));
                    queue.push_back(*next);
                }
            }
        }
    }
    None
}

fn walk(came: &BTreeMap<i32, (usize, i32)>, start: i32, end: i32) -> Vec<(usize, i32)> {
    let mut path = Vec::new();
    let mut here = end;
    while here != start {
        let Some((at, before)) = came.get(&here) else {
            break;
        };
        path.push((*at, here));
        here = *before;
    }
    path
}

/// From each broker to those that could be preferred to it, and by which partition.
fn edges(draft: &Draft<'_>) -> BTreeMap<i32, BTreeMap<i32, usize>> {
    let mut edges: BTreeMap<i32, BTreeMap<i32, usize>> = BTreeMap::new();
    for (at, partition) in draft.map.partitions.iter().enumerate() {
        if partition.is_moving() || partition.leader.is_none() {
            continue;
        }
        let Some((first, others)) = draft.replicas[at].split_first() else {
            continue;
        };
        for other in others {
            let taker = draft.map.members.get(other);
            if taker.is_some_and(super::Member::takes_replicas) && partition.isr.contains(other) {
                let to = edges.entry(*first).or_default();
                to.entry(*other).or_insert(at);
            }
        }
    }
    edges
}
