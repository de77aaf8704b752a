//! A replica that is given up for damage.

use weir_core::cluster::{ClusterCommand as C, ClusterError, ClusterReply};
use weir_types::BrokerId;

use super::support::{Cluster, P0, ids};

impl Cluster {
    fn give_up(&mut self, id: i32) -> Result<ClusterReply, ClusterError> {
        let (broker, epoch) = (BrokerId(id), self.epoch(id));
        self.apply(C::GiveUpReplica {
            broker,
            epoch,
            partition: P0,
        })
    }
}

#[test]
fn a_damaged_follower_leaves_the_isr_and_the_leader_begins_a_new_epoch() {
    let mut c = Cluster::of(3);
    c.create(1, 3, 2);
    let before = c.p0().clone();
    let leader = before.leader.expect("a leader");
    let damaged = before.isr.iter().find(|b| **b != leader).expect("more");
    assert_eq!(c.give_up(damaged.0), Ok(ClusterReply::Done));
    let now = c.p0();
    assert!(!now.isr.contains(damaged) && !now.elr.contains(damaged));
    assert_eq!(now.leader, Some(leader));
    assert_eq!(now.leader_epoch.0, before.leader_epoch.0 + 1);
    assert!(now.partition_epoch > before.partition_epoch);
    // Once more, not in sync any more: what the leader knows of it is void again.
    assert_eq!(c.give_up(damaged.0), Ok(ClusterReply::Done));
    assert_eq!(c.p0().leader_epoch.0, before.leader_epoch.0 + 2);
}

#[test]
fn a_damaged_leader_is_followed_by_another_in_sync() {
    let mut c = Cluster::of(3);
    c.create(1, 3, 2);
    let before = c.p0().clone();
    let damaged = before.leader.expect("a leader");
    c.give_up(damaged.0).expect("others are in sync");
    let now = c.p0();
    assert_ne!(now.leader, Some(damaged));
    assert!(now.leader.is_some_and(|b| now.isr.contains(&b)));
    assert!(!now.isr.contains(&damaged) && !now.elr.contains(&damaged));
    assert_eq!(now.leader_epoch.0, before.leader_epoch.0 + 1);
}

#[test]
fn the_last_replica_in_sync_is_not_given_up() {
    let mut c = Cluster::of(3);
    c.create(1, 3, 2);
    for id in [1, 2] {
        c.fence(id);
    }
    let before = c.p0().clone();
    assert_eq!(ids(&before.isr), [0]);
    assert_eq!(c.give_up(0), Err(ClusterError::LastInSync(P0)));
    assert_eq!(c.p0(), &before);
}
