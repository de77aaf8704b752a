//! Cordoned, emptied, removed.

use uuid::Uuid;
use weir_core::cluster::{ClusterCommand as C, ClusterError, ClusterReply};
use weir_types::{BrokerId, FolderId, PartitionId};

use super::support::{Cluster, P0, TOPIC, ids, new_topic};

impl Cluster {
    fn cordon(&mut self, id: i32, cordoned: bool) -> ClusterReply {
        let broker = BrokerId(id);
        self.ok(C::SetCordon { broker, cordoned })
    }

    fn remove(&mut self, id: i32) -> Result<ClusterReply, ClusterError> {
        let broker = BrokerId(id);
        self.apply(C::RemoveBroker { broker })
    }

    fn led_by(&self, id: i32) -> usize {
        let partitions = &self.0.topics[&TOPIC].partitions;
        let led = partitions.iter().filter(|p| p.leader == Some(BrokerId(id)));
        led.count()
    }

    fn node_of(&mut self, folder: u128, id: i32) -> ClusterReply {
        self.ok(C::AllocateRaftNode {
            folder: FolderId(Uuid::from_u128(folder)),
            broker: BrokerId(id),
            address: "a:1".to_owned(),
        })
    }
}

#[test]
fn a_cordoned_broker_gives_its_leaders_away_and_gets_none_back() {
    let mut c = Cluster::of(3);
    c.create(6, 3, 2);
    assert_eq!(
        c.cordon(1, true),
        ClusterReply::Holds {
            leaders: 0,
            replicas: 6
        }
    );
    c.ok(C::ElectPreferred { partitions: None });
    assert_eq!(c.led_by(1), 0);
    c.start(1, 9);
    c.ok(C::ElectPreferred { partitions: None });
    assert_eq!(c.led_by(1), 0, "a registration does not end it");
    for index in 0..6 {
        let id = PartitionId::new(TOPIC, index);
        assert!(c.0.partition(id).expect("exists").leader.is_some());
    }
}

#[test]
fn heirs_are_replicas_of_what_the_broker_leads_that_live_and_stay() {
    let mut c = Cluster::of(4);
    c.create(1, 3, 2);
    let replicas = ids(&c.p0().replicas);
    let [leader, second, third] = replicas[..] else {
        panic!("three replicas: {replicas:?}")
    };
    let heirs = |c: &Cluster, of: i32| -> Vec<i32> {
        c.0.heirs(BrokerId(of)).iter().map(|b| b.0).collect()
    };
    let mut both = vec![second, third];
    both.sort_unstable();
    assert_eq!(heirs(&c, leader), both);
    assert_eq!(heirs(&c, second), [0; 0], "it leads nothing");
    c.alter_isr(&[leader, second]).expect("the leader may");
    assert_eq!(heirs(&c, leader), both, "one may still get in sync");
    let (broker, epoch) = (BrokerId(third), c.epoch(third));
    c.ok(C::BeginStop { broker, epoch });
    assert_eq!(heirs(&c, leader), [second]);
    c.fence(second);
    assert_eq!(heirs(&c, leader), [0; 0]);
}

#[test]
fn a_cordoned_broker_leads_what_nobody_else_can() {
    let mut c = Cluster::of(2);
    c.create(1, 2, 1);
    let (first, second) = (c.p0().replicas[0].0, c.p0().replicas[1].0);
    c.cordon(second, true);
    c.fence(first);
    assert_eq!(c.p0().leader, Some(BrokerId(second)));
    c.start(first, 9);
    c.alter_isr(&[first, second]).expect("caught up");
    assert_eq!(
        c.0.better_leader(c.p0()),
        Some(BrokerId(first)),
        "to be given away"
    );
    c.cordon(second, true);
    assert_eq!(c.p0().leader, Some(BrokerId(first)));
}

#[test]
fn new_partitions_avoid_cordoned_brokers() {
    let mut c = Cluster::of(4);
    c.cordon(2, true);
    c.create(8, 3, 2);
    assert_eq!(c.0.holdings(BrokerId(2)), (0, 0));
    c.ok(C::CreatePartitions {
        topic: TOPIC,
        count: 12,
        assignments: None,
        seed: 5,
        validate_only: false,
    });
    assert_eq!(c.0.holdings(BrokerId(2)), (0, 0));
    c.cordon(3, true);
    let mut other = new_topic("u", 1, 3, std::collections::BTreeMap::new());
    other.id = weir_types::TopicId(Uuid::from_u128(8));
    assert!(matches!(
        c.apply(C::CreateTopic(other)),
        Err(ClusterError::InvalidReplicationFactor(_))
    ));
}

#[test]
fn only_a_known_broker_can_be_cordoned_and_any_uncordoned() {
    let mut c = Cluster::of(1);
    let (broker, cordoned) = (BrokerId(7), true);
    assert_eq!(
        c.apply(C::SetCordon { broker, cordoned }),
        Err(ClusterError::UnknownBroker(broker))
    );
    c.cordon(7, false);
}

#[test]
fn leaders_are_allowed_again_without_a_restart() {
    let mut c = Cluster::of(3);
    c.create(3, 3, 2);
    let (broker, epoch) = (BrokerId(0), c.epoch(0));
    c.ok(C::BeginStop { broker, epoch });
    c.ok(C::AllowLeaders { broker, epoch });
    assert!(!c.0.brokers[&broker].stopping);
    let p = c.p0().clone();
    let all = ids(&p.replicas);
    c.alter_isr(&all).expect("it may join again");
    let old = weir_types::BrokerEpoch(epoch.0 - 1);
    assert!(matches!(
        c.apply(C::AllowLeaders { broker, epoch: old }),
        Err(ClusterError::StaleBrokerEpoch { .. })
    ));
}

#[test]
fn a_broker_is_removed_only_empty_and_only_cordoned_or_dead() {
    let mut c = Cluster::of(4);
    c.create(1, 3, 2);
    let empty = (0..4)
        .find(|b| !c.p0().replicas.contains(&BrokerId(*b)))
        .expect("three of four");
    let full = c.p0().replicas[2].0;
    assert_eq!(
        c.remove(empty),
        Err(ClusterError::BrokerAlive(BrokerId(empty)))
    );
    c.cordon(full, true);
    assert_eq!(
        c.remove(full),
        Err(ClusterError::BrokerInUse(BrokerId(full)))
    );
    c.cordon(empty, true);
    assert_eq!(c.remove(empty), Ok(ClusterReply::Done));
    assert!(!c.0.brokers.contains_key(&BrokerId(empty)));
    assert_eq!(c.remove(empty), Ok(ClusterReply::Done), "as good as done");
    assert!(c.0.is_cordoned(BrokerId(empty)), "until it is taken away");
    c.fence(full);
    assert!(c.remove(full).is_err(), "dead, and still a replica of P0");
    assert!(c.0.partition(P0).is_some());
}

#[test]
fn a_removed_folder_gets_its_own_node_back_and_a_new_one_another() {
    let mut c = Cluster::of(2);
    let first = c.node_of(101, 1);
    c.cordon(1, true);
    c.remove(1).expect("empty");
    assert!(c.0.raft_nodes.values().all(|n| n.broker != BrokerId(1)));
    let other = c.node_of(555, 1);
    assert_ne!(other, first);
    assert_eq!(c.node_of(101, 1), first, "its log belongs to that id");
}
