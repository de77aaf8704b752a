use super::harness::{Harness, claim, leave, request, static_request};
use crate::group::{Claim, GroupError, Join, State};
use bytes::Bytes;

/// A stable group of two static members `a` (the leader) and `b`; their ids.
fn pair(h: &mut Harness) -> (String, String) {
    let a = h.join(static_request("", "a"));
    let b = h.join(static_request("", "b"));
    h.end_join_phase();
    let (a, b) = (h.joined(a).member, h.joined(b).member);
    h.settle(vec![a.clone(), b.clone()]);
    assert!(h.group.roster.is_leader(&a));
    (a, b)
}

#[test]
fn returning_follower_keeps_its_assignment_without_a_rebalance() {
    let mut h = Harness::new();
    let (a, b) = pair(&mut h);
    let back = h.join(static_request("", "b"));
    assert!(!h.joins.contains_key(&back), "its id is written first");
    let snapshot = h.written(Ok(()));
    let joined = h.joined(back);
    assert_ne!(joined.member, b);
    assert!(snapshot.members.iter().any(|m| m.member == joined.member));
    assert_eq!(
        (joined.generation, joined.leader, joined.skip_assignment),
        (1, a, false)
    );
    let synced = h.sync(claim(1, &joined.member), &[]);
    assert_eq!(h.synced(synced), b, "what the old id was assigned");
    let fenced = Claim {
        instance: Some("b".to_owned()),
        ..claim(1, &b)
    };
    let now = h.time();
    assert_eq!(
        h.group.heartbeat(now, &fenced),
        Err(GroupError::FencedInstance)
    );
    assert_eq!(h.group.state(), State::Stable);
}

#[test]
fn returning_leader_skips_the_assignment() {
    let mut h = Harness::new();
    let (a, _) = pair(&mut h);
    let back = h.join(static_request("", "a"));
    h.written(Ok(()));
    let joined = h.joined(back);
    assert!(joined.skip_assignment);
    assert_eq!(joined.members.len(), 2);
    assert_eq!(joined.leader, joined.member);
    let synced = h.sync(claim(1, &joined.member), &[]);
    assert_eq!(h.synced(synced), a);
}

#[test]
fn failed_write_of_the_new_id_brings_the_old_one_back() {
    let mut h = Harness::new();
    let (a, b) = pair(&mut h);
    let back = h.join(static_request("", "a"));
    h.written(Err(GroupError::NotCoordinator));
    assert_eq!(h.join_error(back), GroupError::NotCoordinator);
    assert_eq!(h.heartbeat(1, &a), Ok(()));
    assert!(h.group.roster.is_leader(&a));
    assert_eq!(h.heartbeat(1, &b), Ok(()));
    h.pass(10_000);
    assert_eq!(h.group.member_count(), 0, "its session runs again");
}

#[test]
fn two_who_claim_an_instance_fence_each_other() {
    let mut h = Harness::new();
    pair(&mut h);
    let first = h.join(static_request("", "b"));
    let second = h.join(static_request("", "b"));
    assert_eq!(h.join_error(first), GroupError::FencedInstance);
    h.written(Ok(()));
    h.written(Ok(()));
    assert_eq!(h.joined(second).generation, 1);
    assert_eq!(h.group.member_count(), 2);
}

#[test]
fn changed_protocol_of_a_returning_member_rebalances() {
    let mut h = Harness::new();
    let two = |instance| Join {
        protocols: vec![
            ("range".to_owned(), Bytes::new()),
            ("sticky".to_owned(), Bytes::new()),
        ],
        ..static_request("", instance)
    };
    let a = h.join(two("a"));
    h.pass(3_000);
    let id = h.joined(a).member;
    h.settle(vec![id]);
    let sticky = Join {
        protocols: vec![("sticky".to_owned(), Bytes::new())],
        ..two("a")
    };
    let back = h.join(sticky);
    assert_eq!(h.joined(back).generation, 2);
    assert_eq!(h.joined(back).protocol, "sticky");
}

#[test]
fn return_between_join_and_sync_rebalances() {
    let mut h = Harness::new();
    let a = h.join(static_request("", "a"));
    h.pass(3_000);
    let old = h.joined(a).member;
    let waiting = h.sync(claim(1, &old), &[(&old, "0")]);
    let back = h.join(static_request("", "a"));
    assert_eq!(h.sync_error(waiting), GroupError::FencedInstance);
    assert_eq!(h.joined(back).generation, 2);
    h.written(Ok(()));
    assert_eq!(
        h.group.state(),
        State::CompletingRebalance,
        "the old write means nothing"
    );
}

#[test]
fn absent_static_member_keeps_its_place_for_its_session() {
    let mut h = Harness::new();
    let (a, b) = pair(&mut h);
    h.pass(5_000);
    assert_eq!(h.heartbeat(1, &a), Ok(()));
    let rejoin = h.join(Join {
        rebalance_timeout_ms: 2_000,
        ..static_request(&a, "a")
    });
    assert!(!h.joins.contains_key(&rejoin));
    h.pass(5_000);
    assert_eq!(h.joined(rejoin).members.len(), 1, "b's session ended first");
    assert_eq!(h.heartbeat(2, &b), Err(GroupError::UnknownMember));
}

#[test]
fn rebalance_that_nobody_joins_waits_for_the_static_sessions_to_end() {
    let mut h = Harness::new();
    let (a, b) = pair(&mut h);
    let newcomer = h.join(request("", &["range"]));
    assert_eq!(h.group.state(), State::PreparingRebalance);
    let id = h.group.members().into_iter().find(|m| m.instance.is_none());
    h.leave(&[leave(&id.expect("it waits").member, None)]);
    assert_eq!(h.join_error(newcomer), GroupError::UnknownMember);
    for _ in 0..20 {
        h.pass(5_000);
        assert_eq!(h.heartbeat(1, &a), Err(GroupError::RebalanceInProgress));
        assert_eq!(h.heartbeat(1, &b), Err(GroupError::RebalanceInProgress));
    }
    assert_eq!(h.group.state(), State::PreparingRebalance);
    h.pass(60_000);
    assert_eq!(h.group.state(), State::Empty);
}

#[test]
fn static_members_that_never_sync_are_removed() {
    let mut h = Harness::new();
    h.join(Join {
        rebalance_timeout_ms: 1_000,
        ..static_request("", "a")
    });
    h.join(Join {
        rebalance_timeout_ms: 1_000,
        ..static_request("", "b")
    });
    h.end_join_phase();
    assert_eq!(h.group.state(), State::CompletingRebalance);
    h.pass(1_000);
    assert_eq!(h.group.state(), State::Empty);
}
