//! After a loss of all replicas whoever holds the most leads.

use weir_core::cluster::{
    ClusterCommand as C, ClusterError, LOG_ENDS_MAX, LogEnd, LogEnds, ReportedEnd,
};
use weir_types::{BrokerId, LeaderEpoch, Offset};

use super::support::{Cluster, P0, ids};

fn end(epoch: i32, end: i64) -> LogEnd {
    LogEnd {
        leader_epoch: LeaderEpoch(epoch),
        durable_end: Offset(end),
    }
}

impl Cluster {
    fn tell(&mut self, id: i32, end: Option<LogEnd>) {
        let asked_in = self.p0().leader_epoch;
        self.tell_in(id, asked_in, end);
    }

    fn tell_in(&mut self, id: i32, asked_in: LeaderEpoch, end: Option<LogEnd>) {
        let epoch = self.epoch(id);
        let ends = vec![ReportedEnd {
            partition: P0,
            asked_in,
            end,
        }];
        self.ok(C::ReportLogEnds(LogEnds {
            broker: BrokerId(id),
            epoch,
            ends,
        }));
    }

    fn leader(&self) -> Option<i32> {
        self.p0().leader.map(|b| b.0)
    }

    fn waits(&self) -> bool {
        self.0.awaited_ends.contains_key(&P0)
    }

    fn end_wait(&mut self) {
        self.ok(C::EndElectionWait {
            partitions: vec![P0],
        });
    }

    /// One partition on brokers 0 to 2; they are gone in the order in which they are preferred, the
    /// leader first. Gives that order and the epoch in which the first led.
    fn blackout(min_isr: usize) -> (Self, [i32; 3], i32) {
        let mut cluster = Self::of(3);
        cluster.create(1, 3, min_isr);
        let order = ids(&cluster.p0().replicas);
        let led_in = cluster.p0().leader_epoch.0;
        for id in &order {
            cluster.fence(*id);
        }
        assert_eq!(cluster.leader(), None);
        let order = order.try_into().expect("three replicas");
        (cluster, order, led_in)
    }
}

#[test]
fn the_old_leader_leads_again_though_it_was_the_first_to_be_fenced() {
    let (mut cluster, [first, second, third], epoch) = Cluster::blackout(2);
    let eligible = ids(&cluster.p0().elr);
    assert!(
        !eligible.contains(&first),
        "it fell out of the ISR first: {eligible:?}"
    );
    cluster.start(third, 2);
    assert!(cluster.waits() && cluster.leader().is_none());
    cluster.tell(third, Some(end(epoch, 10)));
    cluster.start(second, 2);
    cluster.tell(second, Some(end(epoch, 11)));
    assert_eq!(cluster.leader(), None, "the first one may hold more");
    cluster.start(first, 2);
    cluster.tell(first, Some(end(epoch, 12)));
    assert_eq!(cluster.leader(), Some(first));
    assert_eq!(ids(&cluster.p0().isr), [first]);
    assert!(!cluster.waits());
    assert!(cluster.p0().leader_epoch.0 > epoch);
}

#[test]
fn a_later_epoch_counts_for_more_than_a_longer_log() {
    let (mut cluster, [first, second, third], epoch) = Cluster::blackout(2);
    for id in [first, second, third] {
        cluster.start(id, 2);
    }
    cluster.tell(first, Some(end(epoch, 100)));
    cluster.tell(second, Some(end(epoch + 1, 7)));
    cluster.tell(third, Some(end(epoch, 50)));
    assert_eq!(cluster.leader(), Some(second));
}

#[test]
fn of_equal_ends_an_eligible_replica_leads() {
    let (mut cluster, [first, second, third], epoch) = Cluster::blackout(2);
    for id in [first, second, third] {
        cluster.start(id, 2);
    }
    for id in [first, second, third] {
        cluster.tell(id, Some(end(epoch, 10)));
    }
    let leader = cluster.leader().expect("all are back");
    assert!(
        [second, third].contains(&leader),
        "{leader} was out of the ISR"
    );
}

#[test]
fn less_than_an_eligible_replica_holds_is_never_elected() {
    let (mut cluster, [first, _, third], epoch) = Cluster::blackout(2);
    cluster.start(first, 2);
    cluster.start(third, 2);
    cluster.tell(first, Some(end(epoch, 9)));
    cluster.end_wait();
    // The eligible one is back and has said nothing: it is as good as elected, whatever it holds.
    assert_eq!(cluster.leader(), Some(third));
    let (mut cluster, [first, _, third], epoch) = Cluster::blackout(2);
    cluster.start(first, 2);
    cluster.start(third, 2);
    cluster.tell(first, Some(end(epoch, 9)));
    cluster.tell(third, Some(end(epoch, 10)));
    cluster.end_wait();
    assert_eq!(cluster.leader(), Some(third));
}

#[test]
fn nobody_is_elected_before_an_eligible_replica_is_back() {
    let (mut cluster, [first, ..], epoch) = Cluster::blackout(2);
    cluster.start(first, 2);
    assert!(!cluster.waits());
    cluster.tell(first, Some(end(epoch, 1000)));
    cluster.end_wait();
    assert_eq!(cluster.leader(), None);
}

#[test]
fn the_wait_has_an_end() {
    let (mut cluster, [first, second, third], epoch) = Cluster::blackout(2);
    cluster.start(third, 2);
    cluster.start(first, 2);
    cluster.tell(third, Some(end(epoch, 10)));
    cluster.tell(first, Some(end(epoch, 12)));
    assert_eq!(cluster.leader(), None, "{second} may come back");
    cluster.end_wait();
    assert_eq!(cluster.leader(), Some(first));
    // Nothing is waited for any more.
    let before = cluster.p0().clone();
    cluster.end_wait();
    cluster.tell(third, Some(end(epoch, 99)));
    assert_eq!(*cluster.p0(), before);
}

#[test]
fn a_wait_that_finds_nobody_ends_and_begins_again() {
    let (mut cluster, [_, second, third], epoch) = Cluster::blackout(2);
    cluster.start(third, 2);
    cluster.tell(third, Some(end(epoch, 10)));
    cluster.fence(third);
    cluster.end_wait();
    assert_eq!(cluster.leader(), None);
    assert!(
        !cluster.waits(),
        "or the controller would end it again and again"
    );
    cluster.start(second, 2);
    assert!(cluster.waits());
    cluster.tell(second, Some(end(epoch, 9)));
    cluster.end_wait();
    assert_eq!(cluster.leader(), Some(second));
}

#[test]
fn the_leader_of_the_last_epoch_need_not_wait_for_others() {
    let mut cluster = Cluster::of(3);
    cluster.create(1, 3, 1);
    let order = ids(&cluster.p0().replicas);
    // The others are gone for long.
    cluster.fence(order[1]);
    cluster.fence(order[2]);
    cluster.fence(order[0]);
    let epoch = cluster.p0().leader_epoch.0;
    cluster.start(order[0], 2);
    assert_eq!(cluster.leader(), None);
    cluster.tell(order[0], Some(end(epoch, 10)));
    assert_eq!(cluster.leader(), Some(order[0]));
}

#[test]
fn whoever_stopped_in_order_or_not_at_all_leads_at_once() {
    let (mut cluster, [_, second, _], _) = Cluster::blackout(2);
    cluster.start_clean(second, 2);
    assert_eq!(cluster.leader(), Some(second));
    // The same process, cut off for a while.
    let (mut cluster, [_, _, third], _) = Cluster::blackout(2);
    let epoch = cluster.epoch(third);
    cluster.ok(C::Unfence {
        broker: BrokerId(third),
        epoch,
    });
    assert_eq!(cluster.leader(), Some(third));
    // Also while others are waited for.
    let (mut cluster, [_, second, third], _) = Cluster::blackout(2);
    cluster.start(third, 2);
    assert!(cluster.waits());
    cluster.start_clean(second, 2);
    assert_eq!(cluster.leader(), Some(second));
    assert!(!cluster.waits());
}

#[test]
fn what_an_earlier_process_or_epoch_said_does_not_count() {
    let (mut cluster, [first, second, third], epoch) = Cluster::blackout(2);
    for id in [first, second, third] {
        cluster.start(id, 2);
    }
    cluster.tell_in(first, LeaderEpoch(epoch), Some(end(epoch, 99)));
    cluster.tell(first, Some(end(epoch, 12)));
    cluster.tell(second, Some(end(epoch, 11)));
    cluster.start(first, 3);
    cluster.tell(third, Some(end(epoch, 10)));
    assert_eq!(cluster.leader(), None, "{first} is another process now");
    cluster.tell(first, Some(end(epoch, 12)));
    assert_eq!(cluster.leader(), Some(first));
}

#[test]
fn one_that_answered_and_was_cut_off_is_elected_once_it_is_back() {
    let (mut cluster, [first, second, third], epoch) = Cluster::blackout(2);
    for id in [first, second, third] {
        cluster.start(id, 2);
    }
    cluster.tell(first, Some(end(epoch, 12)));
    cluster.tell(second, Some(end(epoch, 11)));
    cluster.fence(first);
    cluster.tell(third, Some(end(epoch, 10)));
    assert_eq!(cluster.leader(), None);
    let same = cluster.epoch(first);
    cluster.ok(C::Unfence {
        broker: BrokerId(first),
        epoch: same,
    });
    assert_eq!(cluster.leader(), Some(first));
}

#[test]
fn a_damaged_replica_does_not_stand() {
    let (mut cluster, [first, second, third], epoch) = Cluster::blackout(2);
    for id in [first, second, third] {
        cluster.start(id, 2);
    }
    cluster.tell(first, None);
    cluster.tell(second, Some(end(epoch, 11)));
    cluster.tell(third, Some(end(epoch, 10)));
    assert_eq!(cluster.leader(), Some(second));
}

#[test]
fn a_deleted_topic_is_waited_for_no_more() {
    let (mut cluster, [_, _, third], _) = Cluster::blackout(2);
    cluster.start(third, 2);
    assert!(cluster.waits());
    cluster.ok(C::DeleteTopic { topic: P0.topic });
    assert!(!cluster.waits());
}

#[test]
fn a_report_is_bounded() {
    let mut cluster = Cluster::of(1);
    cluster.create(1, 1, 1);
    let said = ReportedEnd {
        partition: P0,
        asked_in: LeaderEpoch(0),
        end: None,
    };
    let refused = cluster.apply(C::ReportLogEnds(LogEnds {
        broker: BrokerId(0),
        epoch: cluster.epoch(0),
        ends: vec![said; LOG_ENDS_MAX + 1],
    }));
    assert_eq!(refused, Err(ClusterError::TooManyLogEnds(LOG_ENDS_MAX + 1)));
}
