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
            Step::HandOver { node } => standing.leader = *node,
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

fn cordon(image: &mut Image, broker: i32) {
    let (broker, cordoned) = (BrokerId(broker), true);
    apply(image, ClusterCommand::SetCordon { broker, cordoned });
}

#[test]
fn voters_move_off_a_cordoned_broker_where_there_is_another() {
    let (mut image, mut standing) = cluster(4);
    assert_eq!(standing.voters, BTreeSet::from([1, 2, 3]));
    cordon(&mut image, 1);
    let steps = settle(&mut image, &mut standing);
    assert_eq!(steps, [Step::SetVoters(BTreeSet::from([1, 3, 4]))]);
    cordon(&mut image, 2);
    assert_eq!(
        settle(&mut image, &mut standing),
        [],
        "two others are too few for three voters"
    );
}

#[test]
fn a_cordoned_leader_hands_over_before_it_loses_its_vote() {
    let (mut image, mut standing) = cluster(4);
    cordon(&mut image, 0);
    let steps = settle(&mut image, &mut standing);
    let voters = Step::SetVoters(BTreeSet::from([2, 3, 4]));
    assert_eq!(steps, [Step::HandOver { node: 2 }, voters]);
}

#[test]
fn a_removed_broker_is_taken_out_of_the_quorum_and_may_come_back() {
    let (mut image, mut standing) = cluster(4);
    let broker = BrokerId(3);
    cordon(&mut image, 3);
    apply(&mut image, ClusterCommand::RemoveBroker { broker });
    let steps = settle(&mut image, &mut standing);
    assert_eq!(steps, [Step::Remove { node: 4 }]);
    assert_eq!(standing.voters, BTreeSet::from([1, 2, 3]));
    assert_eq!(join(&mut image, 3, 3), 4, "the same folder, the same node");
    let steps = settle(&mut image, &mut standing);
    assert!(matches!(steps[..], [Step::AddLearner { node: 4, .. }]));
}

#[test]
fn a_removed_voter_is_replaced_first() {
    let (mut image, mut standing) = cluster(4);
    fence(&mut image, 1);
    standing.caught_up.remove(&2);
    let broker = BrokerId(1);
    apply(&mut image, ClusterCommand::RemoveBroker { broker });
    let steps = settle(&mut image, &mut standing);
    let voters = Step::SetVoters(BTreeSet::from([1, 3, 4]));
    assert_eq!(steps, [voters, Step::Remove { node: 2 }]);
}
