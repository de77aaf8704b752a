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
    let voters = voters(image, standing);
    if voters != standing.voters {
        return Some(Step::SetVoters(voters));
    }
    retire(image, standing)
}

/// The voters to have: those there are, less the replaced and the surplus, plus live learners that
/// have caught up. Only odd sets; a voter whose broker is merely down stays one.
fn voters(image: &Image, standing: &Standing) -> BTreeSet<u64> {
    let registered = image
        .raft_nodes
        .values()
        .filter(|n| is_registered(image, n));
    let registered: BTreeSet<u64> = registered.map(|n| n.id.0).collect();
    let target = target(registered.len());
    let mut kept: Vec<u64> = standing.voters.intersection(&registered).copied().collect();
    // The leader never votes itself out while it is a proper member.
    kept.sort_by_key(|node| (*node != standing.leader, *node));
    kept.truncate(target);
    let candidates = image.raft_nodes.values().filter(|n| {
        is_live(image, n) && standing.caught_up.contains(&n.id.0) && !kept.contains(&n.id.0)
    });
    let wanted: Vec<u64> = candidates
        .map(|n| n.id.0)
        .take(target.saturating_sub(kept.len()))
        .collect();
    let mut next: BTreeSet<u64> = kept.into_iter().chain(wanted).collect();
    if next.len().is_multiple_of(2) {
        // One short of the next odd size: wait for one more rather than change twice.
        if standing.voters.len() % 2 == 1 || next.is_empty() {
            return standing.voters.clone();
        }
        let surplus = next.iter().copied().rfind(|node| *node != standing.leader);
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
mod tests {
    use super::*;
    use uuid::Uuid;
    use weir_core::cluster::{ClusterCommand, ClusterReply, Registration};
    use weir_types::{BrokerEpoch, BrokerId, FolderId};

    fn apply(image: &mut Image, command: ClusterCommand) -> ClusterReply {
        let (next, reply) = image.apply(&command);
        *image = next;
        reply.expect("accepted")
    }

    fn folder(n: u128) -> FolderId {
        FolderId(Uuid::from_u128(n))
    }

    /// A registered, unfenced broker with this folder; gives its raft node.
    fn join(image: &mut Image, broker: i32, f: u128) -> u64 {
        let broker = BrokerId(broker);
        let address = format!("b{broker}:1");
        let allocate = ClusterCommand::AllocateRaftNode {
            folder: folder(f),
            broker,
            address: address.clone(),
        };
        let ClusterReply::RaftNode(node) = apply(image, allocate) else {
            panic!("a node")
        };
        let registration = Registration {
            broker,
            folder: folder(f),
            incarnation: Uuid::from_u128(f),
            rack: None,
            peer_address: address,
            listeners: Vec::new(),
            clean: true,
            ineligible: Vec::new(),
        };
        let reply = apply(image, ClusterCommand::RegisterBroker(registration));
        let ClusterReply::Registered(epoch) = reply else {
            panic!("registered")
        };
        apply(image, ClusterCommand::Unfence { broker, epoch });
        node.0
    }

    fn fence(image: &mut Image, broker: i32) -> BrokerEpoch {
        let broker = BrokerId(broker);
        let epoch = image.brokers.get(&broker).expect("known").epoch;
        apply(image, ClusterCommand::Fence { broker, epoch });
        epoch
    }

    /// Carries steps out until none is left.
    fn settle(image: &mut Image, standing: &mut Standing) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(step) = plan(image, standing) {
            match &step {
                Step::AddLearner { node, address } | Step::SetAddress { node, address } => {
                    standing.nodes.insert(*node, address.clone());
                    standing.caught_up.insert(*node);
                }
                Step::SetVoters(voters) => standing.voters = voters.clone(),
                Step::Remove { node } => {
                    standing.nodes.remove(node);
                }
                Step::Forget { node } => {
                    apply(image, ClusterCommand::RemoveRaftNode { id: *node });
                }
            }
            steps.push(step);
            assert!(steps.len() < 50, "{steps:?}");
        }
        steps
    }

    fn cluster(brokers: i32) -> (Image, Standing) {
        let mut image = Image::default();
        apply(
            &mut image,
            ClusterCommand::Form {
                cluster_id: "c".into(),
            },
        );
        for broker in 0..brokers {
            join(&mut image, broker, broker as u128);
        }
        let mut standing = Standing {
            leader: 1,
            voters: BTreeSet::from([1]),
            nodes: BTreeMap::from([(1, "b0:1".to_owned())]),
            caught_up: BTreeSet::from([1]),
        };
        settle(&mut image, &mut standing);
        (image, standing)
    }

    #[test]
    fn the_number_of_voters_is_odd_and_at_most_five() {
        for (brokers, voters) in [(1, 1), (2, 1), (3, 3), (4, 3), (5, 5), (6, 5), (9, 5)] {
            let (_, standing) = cluster(brokers);
            assert_eq!(standing.voters.len(), voters, "{brokers} brokers");
            assert_eq!(standing.nodes.len(), brokers as usize);
        }
    }

    #[test]
    fn a_broker_that_is_down_stays_a_voter() {
        let (mut image, mut standing) = cluster(3);
        fence(&mut image, 2);
        standing.caught_up.remove(&3);
        assert_eq!(plan(&image, &standing), None);
    }

    #[test]
    fn a_replaced_folder_gives_its_vote_to_the_new_one() {
        let (mut image, mut standing) = cluster(3);
        fence(&mut image, 2);
        let allocate = ClusterCommand::AllocateRaftNode {
            folder: folder(77),
            broker: BrokerId(2),
            address: "b2:1".into(),
        };
        apply(&mut image, allocate);
        let learner = Step::AddLearner {
            node: 4,
            address: "b2:1".into(),
        };
        assert_eq!(
            settle(&mut image, &mut standing),
            [learner],
            "it learns before it is registered"
        );
        assert_eq!(join(&mut image, 2, 77), 4);
        let steps = settle(&mut image, &mut standing);
        assert_eq!(
            steps,
            [
                Step::SetVoters(BTreeSet::from([1, 2, 4])),
                Step::Remove { node: 3 },
                Step::Forget {
                    node: RaftNodeId(3)
                },
            ]
        );
    }

    #[test]
    fn a_learner_waits_for_its_log_and_for_a_second_one() {
        let (mut image, mut standing) = cluster(1);
        join(&mut image, 1, 1);
        join(&mut image, 2, 2);
        for node in [2, 3] {
            let step = plan(&image, &standing);
            assert!(matches!(step, Some(Step::AddLearner { node: n, .. }) if n == node));
            standing.nodes.insert(node, format!("b{}:1", node - 1));
        }
        assert_eq!(plan(&image, &standing), None, "none has caught up");
        standing.caught_up.insert(2);
        assert_eq!(
            plan(&image, &standing),
            None,
            "two voters are no better than one"
        );
        standing.caught_up.insert(3);
        assert_eq!(
            plan(&image, &standing),
            Some(Step::SetVoters(BTreeSet::from([1, 2, 3])))
        );
    }

    #[test]
    fn an_unregistered_broker_is_no_voter() {
        let (mut image, mut standing) = cluster(3);
        fence(&mut image, 2);
        apply(
            &mut image,
            ClusterCommand::UnregisterBroker {
                broker: BrokerId(2),
            },
        );
        assert_eq!(
            plan(&image, &standing),
            Some(Step::SetVoters(BTreeSet::from([1])))
        );
        settle(&mut image, &mut standing);
        assert_eq!(standing.voters, BTreeSet::from([1]));
    }
}
