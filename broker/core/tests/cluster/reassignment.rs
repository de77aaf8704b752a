//! Reassignments: what they add, when they are over, where cancelling leads.

use weir_core::cluster::{ClusterCommand as C, ClusterError, ClusterReply, Reassign, Reassignment};
use weir_types::{BrokerId, LeaderEpoch, PartitionId};

use super::support::{Cluster, P0, TOPIC, ids};

pub type Done = Result<(), ClusterError>;

fn brokers(of: &[i32]) -> Vec<BrokerId> {
    of.iter().copied().map(BrokerId).collect()
}

impl Cluster {
    pub fn reassign(&mut self, partition: PartitionId, target: Option<&[i32]>) -> Done {
        let target = target.map(brokers);
        let changes = vec![Reassign { partition, target }];
        let same_factor = false;
        let reply = self.ok(C::AlterReassignments {
            changes,
            same_factor,
        });
        match reply {
            ClusterReply::Reassigned(mut results) => results.pop().expect("one result"),
            other => panic!("{other:?}"),
        }
    }

    fn go(&mut self, target: &[i32]) {
        self.reassign(P0, Some(target)).expect("accepted");
    }

    pub fn cancel(&mut self) -> Done {
        self.reassign(P0, None)
    }

    pub fn under_way(&self) -> Option<&Reassignment> {
        self.0.reassignments.get(&P0)
    }

    /// Brokers 0 to 5, one partition on 0, 1 and 2, led by 0.
    fn on_three_of_six(min_isr: usize) -> Self {
        let mut cluster = Self::of(6);
        cluster.create(1, 3, min_isr);
        cluster.go(&[0, 1, 2]);
        let here: Vec<i32> = ids(&cluster.p0().replicas);
        cluster.alter_isr(&here).expect("all are live");
        assert_eq!(cluster.under_way(), None);
        cluster.ok(C::ElectPreferred { partitions: None });
        assert_eq!(ids(&cluster.p0().replicas), [0, 1, 2]);
        assert_eq!(cluster.p0().leader, Some(BrokerId(0)));
        cluster
    }
}

#[test]
fn replicas_are_those_to_be_and_then_those_to_go() {
    let mut c = Cluster::on_three_of_six(2);
    c.go(&[3, 1, 4]);
    assert_eq!(ids(&c.p0().replicas), [3, 1, 4, 0, 2]);
    assert_eq!(ids(&c.p0().isr), [0, 1, 2], "nobody joined yet");
    let moving = c.under_way().expect("under way");
    assert_eq!(ids(&moving.adding()), [3, 4]);
    assert_eq!(ids(&moving.removing()), [0, 2]);
}

#[test]
fn it_is_over_when_all_replicas_to_be_are_in_sync() {
    let mut c = Cluster::on_three_of_six(2);
    c.go(&[3, 1, 4]);
    c.alter_isr(&[0, 1, 2, 3]).expect("3 has caught up");
    assert_eq!(ids(&c.p0().replicas), [3, 1, 4, 0, 2], "4 has not");
    let before = c.p0().clone();
    let reply = c.alter_isr(&[0, 1, 2, 3, 4]).expect("4 has caught up");
    let p = c.p0();
    assert_eq!(ids(&p.replicas), [3, 1, 4]);
    assert_eq!(ids(&p.isr), [1, 3, 4]);
    assert_eq!(p.leader, Some(BrokerId(3)), "0 led and is gone");
    assert_eq!(p.leader_epoch, LeaderEpoch(before.leader_epoch.0 + 1));
    assert_eq!(p.partition_epoch.0, before.partition_epoch.0 + 1);
    assert_eq!(reply, ClusterReply::Partition(p.clone()));
    assert_eq!(c.under_way(), None);
}

#[test]
fn a_leader_that_stays_goes_on_under_a_new_epoch() {
    let mut c = Cluster::on_three_of_six(2);
    let epoch = c.p0().leader_epoch;
    c.go(&[0, 1, 3]);
    c.alter_isr(&[0, 1, 2, 3]).expect("caught up");
    assert_eq!(ids(&c.p0().replicas), [0, 1, 3]);
    assert_eq!(c.p0().leader, Some(BrokerId(0)));
    assert_eq!(c.p0().leader_epoch, LeaderEpoch(epoch.0 + 1), "2 is gone");
}

#[test]
fn a_leader_keeps_its_epoch_where_replicas_are_only_added() {
    let mut c = Cluster::on_three_of_six(2);
    let epoch = c.p0().leader_epoch;
    c.go(&[0, 1, 2, 3]);
    c.alter_isr(&[0, 1, 2, 3]).expect("caught up");
    assert_eq!(ids(&c.p0().replicas), [0, 1, 2, 3]);
    assert_eq!(c.p0().leader_epoch, epoch);
    assert_eq!(c.under_way(), None);
}

#[test]
fn fewer_replicas_all_in_sync_need_no_waiting() {
    let mut c = Cluster::on_three_of_six(2);
    c.go(&[1]);
    assert_eq!(ids(&c.p0().replicas), [1]);
    assert_eq!(ids(&c.p0().isr), [1]);
    assert_eq!(c.p0().leader, Some(BrokerId(1)));
    assert_eq!(c.under_way(), None);
}

#[test]
fn another_order_is_taken_at_once_even_if_somebody_is_down() {
    let mut c = Cluster::on_three_of_six(2);
    c.fence(2);
    let epoch = c.p0().leader_epoch;
    c.go(&[2, 1, 0]);
    assert_eq!(ids(&c.p0().replicas), [2, 1, 0]);
    assert_eq!(c.p0().leader_epoch, epoch);
    assert_eq!(c.under_way(), None);
}

#[test]
fn cancelling_restores_replicas_and_their_order() {
    let mut c = Cluster::on_three_of_six(2);
    c.go(&[3, 2, 4]);
    c.alter_isr(&[0, 1, 2, 3]).expect("3 has caught up");
    c.ok(C::ElectPreferred { partitions: None });
    assert_eq!(c.p0().leader, Some(BrokerId(3)));
    let epoch = c.p0().leader_epoch;
    assert_eq!(c.cancel(), Ok(()));
    assert_eq!(ids(&c.p0().replicas), [0, 1, 2]);
    assert_eq!(ids(&c.p0().isr), [0, 1, 2]);
    assert_eq!(c.p0().leader, Some(BrokerId(0)), "3 gives it back");
    assert_eq!(c.p0().leader_epoch, LeaderEpoch(epoch.0 + 1));
    assert_eq!(c.cancel(), Err(ClusterError::NoReassignment(P0)));
}

#[test]
fn cancelling_is_refused_where_only_new_replicas_have_everything() {
    let mut c = Cluster::on_three_of_six(1);
    c.go(&[3, 4, 5]);
    c.alter_isr(&[0, 1, 2, 3]).expect("3 has caught up");
    for id in 0..3 {
        c.fence(id);
    }
    assert_eq!(ids(&c.p0().isr), [3]);
    let refused = c.cancel();
    assert!(
        matches!(refused, Err(ClusterError::InvalidAssignment(_))),
        "{refused:?}"
    );
    assert!(c.under_way().is_some(), "a refusal changes nothing");
}

#[test]
fn a_replaced_reassignment_keeps_where_it_came_from() {
    let mut c = Cluster::on_three_of_six(2);
    c.go(&[3, 4, 5]);
    c.alter_isr(&[0, 1, 2, 3]).expect("3 has caught up");
    c.go(&[4, 0, 1]);
    assert_eq!(ids(&c.p0().replicas), [4, 0, 1, 2]);
    assert_eq!(ids(&c.p0().isr), [0, 1, 2], "3 is not wanted any more");
    let moving = c.under_way().expect("under way");
    assert_eq!(ids(&moving.adding()), [4]);
    assert_eq!(ids(&moving.removing()), [2]);
    c.go(&[0, 1, 2]);
    assert_eq!(c.under_way(), None, "back where it began");
}

#[test]
fn the_same_again_changes_nothing() {
    let mut c = Cluster::on_three_of_six(2);
    c.go(&[3, 1, 2]);
    let before = c.p0().clone();
    c.go(&[3, 1, 2]);
    assert_eq!(*c.p0(), before);
}

#[test]
fn bad_targets_are_refused_with_the_reason() {
    let mut c = Cluster::on_three_of_six(2);
    c.fence(3);
    c.ok(C::SetCordon {
        broker: BrokerId(4),
        cordoned: true,
    });
    let stop = C::BeginStop {
        broker: BrokerId(5),
        epoch: c.epoch(5),
    };
    c.ok(stop);
    let before = c.p0().clone();
    for (target, why) in [
        (&[][..], "0 replicas"),
        (&[0, 0], "twice"),
        (&[0, 99], "registered"),
        (&[0, 3], "fenced"),
        (&[0, 4], "cordoned"),
        (&[0, 5], "stopping"),
    ] {
        let refused = c.reassign(P0, Some(target)).expect_err("not to be had");
        assert!(
            matches!(refused, ClusterError::InvalidAssignment(_)),
            "{refused}"
        );
        assert!(refused.to_string().contains(why), "{target:?}: {refused}");
    }
    let nowhere = PartitionId::new(TOPIC, 9);
    assert_eq!(
        c.reassign(nowhere, Some(&[0])),
        Err(ClusterError::UnknownPartition(nowhere))
    );
    let changes = vec![Reassign {
        partition: P0,
        target: Some(brokers(&[0, 1])),
    }];
    let same_factor = true;
    let reply = c.ok(C::AlterReassignments {
        changes,
        same_factor,
    });
    let ClusterReply::Reassigned(results) = reply else {
        panic!("{reply:?}")
    };
    assert!(matches!(
        results[..],
        [Err(ClusterError::InvalidReplicationFactor(_))]
    ));
    assert_eq!(*c.p0(), before);
}

#[test]
fn a_broker_that_is_down_may_stay_and_is_waited_for() {
    let mut c = Cluster::on_three_of_six(2);
    c.fence(2);
    c.go(&[3, 1, 2]);
    c.alter_isr(&[0, 1, 3]).expect("3 has caught up");
    assert!(c.under_way().is_some(), "2 is missing");
    c.start(2, 9);
    c.alter_isr(&[0, 1, 2, 3]).expect("2 has caught up");
    assert_eq!(ids(&c.p0().replicas), [3, 1, 2]);
}

#[test]
fn moving_replicas_does_not_raise_the_minimum() {
    let mut c = Cluster::of(4);
    c.create(1, 1, 2);
    let here = c.p0().replicas[0].0;
    let others: Vec<i32> = (0..4).filter(|b| *b != here).collect();
    c.go(&[here, others[0], others[1]]);
    assert_eq!(c.0.partition_min_isr(P0, c.p0()), 1, "writes go on");
    let all = [here, others[0], others[1]];
    c.alter_isr(&all).expect("caught up");
    assert_eq!(c.0.partition_min_isr(P0, c.p0()), 2);
}

#[test]
fn it_waits_until_one_of_those_to_be_may_lead() {
    let mut c = Cluster::on_three_of_six(2);
    let (broker, epoch) = (BrokerId(3), c.epoch(3));
    c.go(&[3, 4]);
    c.alter_isr(&[0, 3]).expect("3 has caught up");
    c.ok(C::BeginStop { broker, epoch });
    assert_eq!(ids(&c.p0().isr), [0, 3], "it is needed for the minimum");
    c.go(&[3]);
    assert!(c.under_way().is_some(), "3 must not lead now");
    assert_eq!(c.p0().leader, Some(BrokerId(0)));
    c.ok(C::AllowLeaders { broker, epoch });
    assert_eq!(c.under_way(), None);
    assert_eq!(c.p0().leader, Some(broker));
}

#[test]
fn a_deleted_topic_leaves_no_reassignment() {
    let mut c = Cluster::on_three_of_six(2);
    c.go(&[3, 4, 5]);
    c.ok(C::DeleteTopic { topic: TOPIC });
    assert!(c.0.reassignments.is_empty());
}
