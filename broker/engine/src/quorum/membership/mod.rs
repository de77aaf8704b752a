//! Who should be in the quorum: pure, one step at a time.

use std::collections::{BTreeMap, BTreeSet};
use weir_core::cluster::{Image, RaftNode};
use weir_types::RaftNodeId;

/// The membership as it stands.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// The node that leads and asks.
    pub leader: u64,
    pub voters: BTreeSet<u64>,
    /// All members with the addresses the membership has for them.
    pub nodes: BTreeMap<u64, String>,
    /// Members whose log is (nearly) the leader's.
    pub caught_up: BTreeSet<u64>,
}

/// The next change towards the membership that the image asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    AddLearner {
        node: u64,
        address: String,
    },
    SetAddress {
        node: u64,
        address: String,
    },
    SetVoters(BTreeSet<u64>),
    /// The leader's broker is cordoned: another voter is to lead.
    HandOver {
        node: u64,
    },
    /// Takes a learner out.
    Remove {
        node: u64,
    },
    /// Forgets a node that is no member any more.
    Forget {
        node: RaftNodeId,
    },
}

/// Voters for a number of registered brokers: always odd, for an even number survives no more.
const fn target(brokers: usize) -> usize {
    match brokers {
        0..=2 => 1,
        3..=4 => 3,
        _ => 5,
    }
}

/// The broker that this node was for is registered with another folder, which came later. One
/// that came earlier is about to be replaced by this one.
fn is_replaced(image: &Image, node: &RaftNode) -> bool {
    let registered = image.brokers.get(&node.broker);
    registered
        .filter(|b| b.folder != node.folder)
        .is_some_and(|b| {
            let mut later = image.raft_nodes.values().filter(|n| n.id > node.id);
            later.any(|n| n.folder == b.folder)
        })
}

fn is_registered(image: &Image, node: &RaftNode) -> bool {
    image
        .brokers
        .get(&node.broker)
        .is_some_and(|b| b.folder == node.folder)
}

fn is_live(image: &Image, node: &RaftNode) -> bool {
    is_registered(image, node) && image.is_live(node.broker)
}

fn address_of<'a>(image: &'a Image, node: &'a RaftNode) -> &'a str {
    let broker = image
        .brokers
        .get(&node.broker)
        .filter(|b| b.folder == node.folder);
    broker.map_or(&node.address, |b| &b.peer_address)
}

/// What to do next, if anything.
pub fn plan(image: &Image, standing: &Standing) -> Option<Step> {
    if let Some(node) = image
        .raft_nodes
        .values()
        .find(|n| !standing.nodes.contains_key(&n.id.0) && !is_replaced(image, n))
    {
        let address = address_of(image, node).to_owned();
        return Some(Step::AddLearner {
            node: node.id.0,
            address,
        });
    }
    for node in image.raft_nodes.values().filter(|n| !is_replaced(image, n)) {
        let address = address_of(image, node);
        if standing
            .nodes
            .get(&node.id.0)
            .is_some_and(|known| known != address)
        {
            return Some(Step::SetAddress {
                node: node.id.0,
                address: address.to_owned(),
            });
        }
    }
    if let Some(node) = heir(image, standing) {
        return Some(Step::HandOver { node });
    }
    let voters = voters(image, standing);
    if voters != standing.voters {
        return Some(Step::SetVoters(voters));
    }
    retire(image, standing)
}

/// Who should lead instead of a leader whose broker is on its way out.
fn heir(image: &Image, standing: &Standing) -> Option<u64> {
    let leaves = match image.raft_nodes.get(&RaftNodeId(standing.leader)) {
        Some(node) => image.is_cordoned(node.broker),
        // One that was never recorded is a founder at its first steps.
        None => image.retired_nodes.values().any(|n| n.0 == standing.leader),
    };
    if !leaves {
        return None;
    }
    let fit = |n: &&RaftNode| {
        standing.voters.contains(&n.id.0)
            && standing.caught_up.contains(&n.id.0)
            && n.id.0 != standing.leader
            && is_live(image, n)
            && !image.is_cordoned(n.broker)
    };
    image.raft_nodes.values().find(fit).map(|n| n.id.0)
}

/// The voters to have: those there are, less the replaced and the surplus, plus live learners that
/// have caught up; cordoned brokers only where there are too few others. Only odd sets; a voter
/// whose broker is merely down stays one.
fn voters(image: &Image, standing: &Standing) -> BTreeSet<u64> {
    let registered = image
        .raft_nodes
        .values()
        .filter(|n| is_registered(image, n));
    let registered: BTreeSet<u64> = registered.map(|n| n.id.0).collect();
    let target = target(registered.len());
    let cordoned = |id: u64| {
        let node = image.raft_nodes.get(&RaftNodeId(id));
        node.is_some_and(|n| image.is_cordoned(n.broker))
    };
    let fit = image.raft_nodes.values().filter(|n| {
        let is_voter = standing.voters.contains(&n.id.0) && registered.contains(&n.id.0);
        is_voter || (is_live(image, n) && standing.caught_up.contains(&n.id.0))
    });
    let mut wanted: Vec<u64> = fit.map(|n| n.id.0).collect();
    // The leader never votes itself out while it is a proper member.
    wanted.sort_by_key(|id| {
        let (voter, leader) = (standing.voters.contains(id), *id == standing.leader);
        (cordoned(*id), !voter, !leader, *id)
    });
    wanted.truncate(target);
    let mut next: BTreeSet<u64> = wanted.into_iter().collect();
    if next.len().is_multiple_of(2) {
        // One short of the next odd size: wait for one more rather than change twice.
        if standing.voters.len() % 2 == 1 || next.is_empty() {
            return standing.voters.clone();
        }
        let others = next.iter().copied().filter(|node| *node != standing.leader);
        let surplus = others.max_by_key(|node| (cordoned(*node), *node));
        if let Some(surplus) = surplus {
            next.remove(&surplus);
        }
    }
    next
}

fn retire(image: &Image, standing: &Standing) -> Option<Step> {
    for node in standing
        .nodes
        .keys()
        .filter(|n| !standing.voters.contains(n))
    {
        match image.raft_nodes.get(&RaftNodeId(*node)) {
            Some(known) if !is_replaced(image, known) => {}
            _ => return Some(Step::Remove { node: *node }),
        }
    }
    let gone = |n: &&RaftNode| is_replaced(image, n) && !standing.nodes.contains_key(&n.id.0);
    let forgotten = image.raft_nodes.values().find(gone)?;
    Some(Step::Forget { node: forgotten.id })
}

#[cfg(test)]
mod tests;
