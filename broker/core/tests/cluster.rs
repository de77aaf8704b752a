//! The metadata state machine: what elections, fencing and ISR changes leave behind.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;
use weir_core::cluster::{
    AlterPartition, ClusterCommand as C, ClusterError, ClusterReply, ConfigOp, ConfigResource,
    Image, NewTopic, Partition, Registration,
};
use weir_types::{BrokerEpoch, BrokerId, FolderId, LeaderEpoch, PartitionId, TopicId};

const TOPIC: TopicId = TopicId(Uuid::from_u128(7));
const P0: PartitionId = PartitionId::new(TOPIC, 0);

struct Cluster(Image);

impl Cluster {
    /// Live brokers 0 to `count`, one rack each.
    fn of(count: i32) -> Self {
        let mut cluster = Self(Image::default());
        cluster.ok(C::Form {
            cluster_id: "test".to_owned(),
        });
        for id in 0..count {
            cluster.start(id, 1);
        }
        cluster
    }

    fn apply(&mut self, command: C) -> Result<ClusterReply, ClusterError> {
        let (next, outcome) = self.0.apply(&command);
        self.0 = next;
        outcome
    }

    fn ok(&mut self, command: C) -> ClusterReply {
        let what = format!("{command:?}");
        match self.apply(command) {
            Ok(reply) => reply,
            Err(error) => panic!("{what}: {error}"),
        }
    }

    fn register(&mut self, id: i32, incarnation: u128, folder: u128) -> BrokerEpoch {
        let reply = self.ok(registration(id, incarnation, folder, Vec::new()));
        let ClusterReply::Registered(epoch) = reply else {
            panic!("{reply:?}")
        };
        epoch
    }

    fn start(&mut self, id: i32, incarnation: u128) {
        let epoch = self.register(id, incarnation, 100 + id.unsigned_abs() as u128);
        self.ok(C::Unfence {
            broker: BrokerId(id),
            epoch,
        });
    }

    fn fence(&mut self, id: i32) {
        let epoch = self.epoch(id);
        self.ok(C::Fence {
            broker: BrokerId(id),
            epoch,
        });
    }

    fn epoch(&self, id: i32) -> BrokerEpoch {
        self.0.brokers[&BrokerId(id)].epoch
    }

    fn create(&mut self, partitions: i32, factor: i16, min_isr: usize) {
        let config = BTreeMap::from([("min.insync.replicas".to_owned(), min_isr.to_string())]);
        self.ok(C::CreateTopic(new_topic("t", partitions, factor, config)));
    }

    fn p0(&self) -> &Partition {
        self.0.partition(P0).expect("the topic was created")
    }

    fn alter_isr(&mut self, isr: &[i32]) -> Result<ClusterReply, ClusterError> {
        let p = self.p0().clone();
        let leader = p.leader.expect("a leader proposes");
        self.apply(C::AlterPartition(AlterPartition {
            broker: leader,
            broker_epoch: self.epoch(leader.0),
            partition: P0,
            leader_epoch: p.leader_epoch,
            partition_epoch: p.partition_epoch,
            isr: isr
                .iter()
                .map(|id| (BrokerId(*id), self.epoch(*id)))
                .collect(),
        }))
    }
}

fn registration(id: i32, incarnation: u128, folder: u128, ineligible: Vec<PartitionId>) -> C {
    C::RegisterBroker(Registration {
        broker: BrokerId(id),
        folder: FolderId(Uuid::from_u128(folder)),
        incarnation: Uuid::from_u128(incarnation),
        rack: Some(format!("rack-{}", id % 3)),
        peer_address: format!("broker-{id}:9190"),
        listeners: Vec::new(),
        clean: false,
        ineligible,
    })
}

fn new_topic(
    name: &str,
    partitions: i32,
    factor: i16,
    config: BTreeMap<String, String>,
) -> NewTopic {
    NewTopic {
        id: TOPIC,
        name: name.to_owned(),
        internal: false,
        partitions,
        replication_factor: factor,
        assignments: None,
        config,
        owner: None,
        seed: 0,
        validate_only: false,
    }
}

fn ids(of: &[BrokerId]) -> Vec<i32> {
    of.iter().map(|b| b.0).collect()
}

#[test]
fn nothing_but_form_works_before_the_cluster_is_formed() {
    let mut cluster = Cluster(Image::default());
    let refused = cluster.apply(registration(0, 1, 1, Vec::new()));
    assert_eq!(refused, Err(ClusterError::NotFormed));
    cluster.ok(C::Form {
        cluster_id: "a".to_owned(),
    });
    cluster.ok(C::Form {
        cluster_id: "a".to_owned(),
    });
    assert!(matches!(
        cluster.apply(C::Form {
            cluster_id: "b".to_owned()
        }),
        Err(ClusterError::OtherCluster { .. })
    ));
}

#[test]
fn a_folder_keeps_its_raft_node_and_a_new_folder_gets_a_new_one() {
    let mut cluster = Cluster::of(0);
    let mut allocate = |folder: u128| {
        cluster.ok(C::AllocateRaftNode {
            folder: FolderId(Uuid::from_u128(folder)),
            broker: BrokerId(0),
            address: "a:1".to_owned(),
        })
    };
    let first = allocate(1);
    assert_eq!(allocate(1), first);
    assert_ne!(allocate(2), first);
}

#[test]
fn placement_is_even_and_spreads_over_racks() {
    let mut cluster = Cluster::of(6);
    cluster.create(12, 3, 1);
    let topic = &cluster.0.topics[&TOPIC];
    let mut leaders = BTreeMap::new();
    let mut replicas = BTreeMap::new();
    for p in &topic.partitions {
        let mut racks: Vec<_> = p.replicas.iter().map(|b| b.0 % 3).collect();
        racks.sort_unstable();
        assert_eq!(racks, [0, 1, 2], "{:?}", p.replicas);
        *leaders.entry(p.replicas[0]).or_insert(0) += 1;
        for b in &p.replicas {
            *replicas.entry(*b).or_insert(0) += 1;
        }
    }
    assert_eq!(leaders.values().copied().collect::<Vec<_>>(), [2; 6]);
    assert_eq!(replicas.values().copied().collect::<Vec<_>>(), [6; 6]);
}

#[test]
fn a_fenced_leader_is_replaced_under_a_new_epoch() {
    let mut cluster = Cluster::of(3);
    cluster.create(1, 3, 2);
    let leader = cluster.p0().leader.expect("led").0;
    cluster.fence(leader);
    let p = cluster.p0();
    assert_ne!(p.leader, Some(BrokerId(leader)));
    assert_eq!(p.leader_epoch, LeaderEpoch(1));
    assert!(!ids(&p.isr).contains(&leader));
    assert!(p.elr.is_empty(), "the ISR still has its minimum");
}

#[test]
fn who_leaves_an_isr_under_its_minimum_stays_eligible_and_is_elected_alone() {
    let mut cluster = Cluster::of(3);
    cluster.create(1, 3, 2);
    let order = ids(&cluster.p0().replicas);
    cluster.fence(order[0]);
    cluster.fence(order[1]);
    assert_eq!(ids(&cluster.p0().isr), [order[2]]);
    assert_eq!(ids(&cluster.p0().elr), [order[1]]);
    cluster.fence(order[2]);
    assert_eq!(cluster.p0().leader, None);
    assert!(cluster.p0().isr.is_empty());
    assert_eq!(ids(&cluster.p0().elr), [order[1], order[2]]);

    // The one that left while the minimum was still met may lack what came after.
    cluster.start(order[0], 2);
    assert_eq!(cluster.p0().leader, None);
    cluster.start(order[1], 2);
    assert_eq!(cluster.p0().leader, Some(BrokerId(order[1])));
    assert_eq!(ids(&cluster.p0().isr), [order[1]]);
    assert_eq!(ids(&cluster.p0().elr), [order[2]]);
}

#[test]
fn an_empty_folder_is_never_elected() {
    let mut cluster = Cluster::of(1);
    cluster.create(1, 1, 1);
    cluster.fence(0);
    assert_eq!(ids(&cluster.p0().elr), [0]);
    let epoch = cluster.register(0, 2, 999);
    cluster.ok(C::Unfence {
        broker: BrokerId(0),
        epoch,
    });
    assert_eq!(cluster.p0().leader, None);
    assert!(cluster.p0().elr.is_empty());
}

#[test]
fn a_restart_before_anybody_noticed_still_bumps_the_epoch() {
    let mut cluster = Cluster::of(1);
    cluster.create(1, 1, 1);
    assert_eq!(cluster.p0().leader_epoch, LeaderEpoch(0));
    cluster.start(0, 2);
    assert_eq!(cluster.p0().leader, Some(BrokerId(0)));
    assert_eq!(cluster.p0().leader_epoch, LeaderEpoch(1));
}

#[test]
fn a_restarting_broker_is_not_elected_as_its_own_heir() {
    let mut c = Cluster::of(3);
    c.create(1, 3, 2);
    let heir = BrokerId(ids(&c.p0().replicas)[0]);
    for other in ids(&c.p0().replicas)[1..].to_vec() {
        c.fence(other);
    }
    assert_eq!(c.p0().leader, Some(heir), "alone in the ISR");
    c.register(heir.0, 2, 100 + u128::from(heir.0.unsigned_abs()));
    assert_eq!(
        c.p0().leader,
        None,
        "it is fenced until it follows the metadata"
    );
    assert!(c.p0().elr.contains(&heir));
    c.start(heir.0, 2);
    assert_eq!(c.p0().leader, Some(heir));
    assert_eq!(c.p0().leader_epoch, LeaderEpoch(1));
}

#[test]
fn a_damaged_replica_leaves_isr_at_registration() {
    let mut cluster = Cluster::of(2);
    cluster.create(1, 2, 1);
    let hurt = cluster.p0().replicas[1].0;
    let other = cluster.p0().replicas[0].0;
    cluster.ok(registration(
        hurt,
        2,
        100 + hurt.unsigned_abs() as u128,
        vec![P0],
    ));
    assert_eq!(ids(&cluster.p0().isr), [other]);
}

#[test]
fn a_second_broker_of_the_same_id_is_refused_while_the_first_lives() {
    let mut cluster = Cluster::of(1);
    let refused = cluster.apply(registration(0, 5, 555, Vec::new()));
    assert_eq!(
        refused,
        Err(ClusterError::DuplicateBroker {
            broker: BrokerId(0)
        })
    );
    cluster.fence(0);
    assert!(cluster.apply(registration(0, 5, 555, Vec::new())).is_ok());
}

#[test]
fn a_stopping_broker_hands_over_and_does_not_get_leaders_back() {
    let mut cluster = Cluster::of(3);
    cluster.create(6, 3, 2);
    let epoch = cluster.epoch(0);
    let left = cluster.ok(C::BeginStop {
        broker: BrokerId(0),
        epoch,
    });
    assert_eq!(left, ClusterReply::StillLeads(0));
    cluster.ok(C::ElectPreferred { partitions: None });
    assert!(
        cluster.0.topics[&TOPIC]
            .partitions
            .iter()
            .all(|p| p.leader != Some(BrokerId(0)))
    );

    cluster.start(0, 2);
    for index in 0..6 {
        let id = PartitionId::new(TOPIC, index);
        let p = cluster.0.partition(id).expect("exists").clone();
        let leader = p.leader.expect("led");
        let isr = p
            .replicas
            .iter()
            .map(|b| (*b, cluster.epoch(b.0)))
            .collect();
        cluster.ok(C::AlterPartition(AlterPartition {
            broker: leader,
            broker_epoch: cluster.epoch(leader.0),
            partition: id,
            leader_epoch: p.leader_epoch,
            partition_epoch: p.partition_epoch,
            isr,
        }));
    }
    assert_eq!(
        cluster.ok(C::ElectPreferred { partitions: None }),
        ClusterReply::Elected(2)
    );
}

#[test]
fn the_only_replica_keeps_leading_while_it_stops() {
    let mut cluster = Cluster::of(1);
    cluster.create(2, 1, 1);
    let epoch = cluster.epoch(0);
    let left = cluster.ok(C::BeginStop {
        broker: BrokerId(0),
        epoch,
    });
    assert_eq!(left, ClusterReply::StillLeads(2));
}

#[test]
fn stale_isr_changes_are_refused() {
    let mut cluster = Cluster::of(3);
    cluster.create(1, 3, 2);
    let all = ids(&cluster.p0().isr);
    assert!(cluster.alter_isr(&all[..2]).is_ok());
    let p = cluster.p0().clone();
    let leader = p.leader.expect("led");
    let mut change = AlterPartition {
        broker: leader,
        broker_epoch: cluster.epoch(leader.0),
        partition: P0,
        leader_epoch: p.leader_epoch,
        partition_epoch: weir_types::PartitionEpoch(p.partition_epoch.0 - 1),
        isr: vec![(leader, cluster.epoch(leader.0))],
    };
    assert!(matches!(
        cluster.apply(C::AlterPartition(change.clone())),
        Err(ClusterError::StalePartitionEpoch { .. })
    ));
    change.partition_epoch = p.partition_epoch;
    change.isr.push((BrokerId(all[2]), BrokerEpoch(999)));
    assert_eq!(
        cluster.apply(C::AlterPartition(change)),
        Err(ClusterError::IneligibleReplica(BrokerId(all[2])))
    );
}

#[test]
fn bad_topics_are_refused_with_the_reason() {
    let mut cluster = Cluster::of(2);
    let mut create = |name: &str, partitions, factor, key: &str, value: &str| {
        let config = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        cluster.apply(C::CreateTopic(new_topic(name, partitions, factor, config)))
    };
    let ok = "retention.ms";
    assert!(matches!(
        create("a b", 1, 1, ok, "1"),
        Err(ClusterError::InvalidTopicName(_))
    ));
    assert!(matches!(
        create("a", 0, 1, ok, "1"),
        Err(ClusterError::InvalidPartitions(_))
    ));
    assert!(matches!(
        create("a", 1, 3, ok, "1"),
        Err(ClusterError::InvalidReplicationFactor(_))
    ));
    for (key, value) in [
        ("cleanup.policy", "compact"),
        ("compression.type", "zstd"),
        ("retention.ms", "1w"),
        ("segment.bytes", "1"),
        ("no.such.config", "1"),
    ] {
        let refused = create("a", 1, 1, key, value);
        assert!(
            matches!(refused, Err(ClusterError::InvalidConfig(_))),
            "{key}: {refused:?}"
        );
    }
    assert!(create("a", 1, 2, ok, "60000").is_ok());
    assert!(matches!(
        create("a", 1, 1, ok, "1"),
        Err(ClusterError::TopicExists(_))
    ));
}

#[test]
fn a_topic_config_falls_back_to_the_cluster_and_then_to_kafka() {
    let mut cluster = Cluster::of(1);
    cluster.ok(C::CreateTopic(new_topic("t", 1, 1, BTreeMap::new())));
    assert_eq!(
        cluster.0.topic_config(TOPIC, "retention.ms"),
        Some("604800000")
    );
    let mut set = |resource, name: &str, value: &str| {
        let ops = vec![ConfigOp::Set(name.to_owned(), value.to_owned())];
        cluster.ok(C::AlterConfig {
            resource,
            ops,
            validate_only: false,
        });
        cluster
            .0
            .topic_config(TOPIC, "retention.ms")
            .map(str::to_owned)
    };
    let shared = set(ConfigResource::ClusterDefault, "log.retention.ms", "5");
    assert_eq!(shared.as_deref(), Some("5"));
    let own = set(ConfigResource::Topic(TOPIC), "retention.ms", "6");
    assert_eq!(own.as_deref(), Some("6"));
}

#[derive(Clone, Debug)]
enum Step {
    Start(i32),
    LoseFolder(i32),
    Fence(i32),
    Stop(i32),
    Shrink(usize),
    Grow,
    Preferred,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let broker = 0..4i32;
    let step = prop_oneof![
        broker.clone().prop_map(Step::Start),
        broker.clone().prop_map(Step::LoseFolder),
        broker.clone().prop_map(Step::Fence),
        broker.prop_map(Step::Stop),
        (1..4usize).prop_map(Step::Shrink),
        Just(Step::Grow),
        Just(Step::Preferred),
    ];
    prop::collection::vec(step, 1..60)
}

fn take(cluster: &mut Cluster, step: &Step, draw: u128) {
    match step {
        Step::Start(id) => cluster.start(*id, draw),
        Step::LoseFolder(id) => {
            cluster.fence(*id);
            cluster.register(*id, draw, draw + 1000);
            // Whoever starts it next finds the old folder: only the registry matters here.
        }
        Step::Fence(id) => cluster.fence(*id),
        Step::Stop(id) => {
            let epoch = cluster.epoch(*id);
            cluster.ok(C::BeginStop {
                broker: BrokerId(*id),
                epoch,
            });
        }
        Step::Shrink(keep) => {
            let p = cluster.p0().clone();
            let Some(leader) = p.leader else { return };
            let rest = p.isr.iter().filter(|b| **b != leader).take(keep - 1);
            let isr: Vec<i32> = std::iter::once(&leader).chain(rest).map(|b| b.0).collect();
            drop(cluster.alter_isr(&isr));
        }
        Step::Grow => {
            let p = cluster.p0().clone();
            let fit = |b: &&BrokerId| {
                let broker = &cluster.0.brokers[*b];
                !broker.fenced && (!broker.stopping || p.isr.contains(b))
            };
            let isr: Vec<i32> = p.replicas.iter().filter(fit).map(|b| b.0).collect();
            if p.leader.is_some() {
                drop(cluster.alter_isr(&isr));
            }
        }
        Step::Preferred => {
            cluster.ok(C::ElectPreferred { partitions: None });
        }
    }
}

proptest! {
    #[test]
    fn leaders_are_live_in_sync_and_epochs_only_grow(steps in steps(), min_isr in 1..4usize) {
        let mut cluster = Cluster::of(4);
        cluster.create(1, 3, min_isr);
        for (draw, step) in (1000_u128..).zip(&steps) {
            let before = cluster.p0().clone();
            take(&mut cluster, step, draw * 7);
            let p = cluster.p0();
            if let Some(leader) = p.leader {
                prop_assert!(cluster.0.is_live(leader), "{step:?}");
                prop_assert!(p.isr.contains(&leader), "{step:?}: {p:?}");
                prop_assert!(p.isr.iter().all(|b| cluster.0.is_live(*b)), "{step:?}: {p:?}");
            }
            prop_assert!(p.elr.iter().all(|b| !p.isr.contains(b)));
            prop_assert!(p.elr.is_empty() || p.isr.len() < min_isr);
            prop_assert!(p.leader_epoch >= before.leader_epoch);
            if p.leader != before.leader && p.leader.is_some() {
                prop_assert!(p.leader_epoch > before.leader_epoch);
            }
            if *p != before {
                prop_assert!(p.partition_epoch > before.partition_epoch);
            }
        }
    }
}
