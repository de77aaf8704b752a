//! The metadata state machine: what elections, fencing and ISR changes leave behind.

mod damage;
mod log_ends;
mod moves;
mod operators;
mod random;
mod reassignment;
mod refusals;
mod removal;
mod support;

use std::collections::BTreeMap;

use uuid::Uuid;
use weir_core::cluster::{AlterPartition, ClusterCommand as C, ClusterError, ClusterReply, Image};
use weir_types::{BrokerId, FolderId, LeaderEpoch, PartitionId};

use support::{Cluster, P0, TOPIC, ids, registration};

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
    cluster.start_clean(order[0], 2);
    assert_eq!(cluster.p0().leader, None);
    cluster.start_clean(order[1], 2);
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
    cluster.start_clean(0, 2);
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
    c.start_clean(heir.0, 3);
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
fn the_only_replica_leads_again_at_once() {
    let mut cluster = Cluster::of(3);
    cluster.create(1, 1, 1);
    let only = cluster.p0().replicas[0].0;
    cluster.fence(only);
    assert_eq!(cluster.p0().leader, None);
    cluster.start(only, 2);
    assert_eq!(cluster.p0().leader, Some(BrokerId(only)));
    assert!(cluster.0.awaited_ends.is_empty(), "nobody to wait for");
}
