use super::harness::{Harness, claim, request};
use crate::group::{Claim, GroupError, State, Sync};

/// Two members that have joined generation 1: the leader's id, the follower's.
fn joined_pair(h: &mut Harness) -> (String, String) {
    let a = h.join(request("", &["range"]));
    let b = h.join(request("", &["range"]));
    h.end_join_phase();
    let (a, b) = (h.joined(a), h.joined(b));
    if a.leader == a.member {
        (a.member, b.member)
    } else {
        (b.member, a.member)
    }
}

#[test]
fn assignment_is_given_out_once_it_is_written() {
    let mut h = Harness::new();
    let (leader, follower) = joined_pair(&mut h);
    let f = h.sync(claim(1, &follower), &[]);
    let l = h.sync(
        claim(1, &leader),
        &[(&leader, "0"), (&follower, "1"), ("ghost", "2")],
    );
    assert!(h.syncs.is_empty());
    assert_eq!(h.heartbeat(1, &leader), Ok(()));
    let snapshot = h.written(Ok(()));
    assert_eq!(snapshot.generation, 1);
    assert_eq!(snapshot.leader.as_deref(), Some(leader.as_str()));
    assert_eq!(
        snapshot.members.len(),
        2,
        "only members are assigned anything"
    );
    assert_eq!(h.synced(l), "0");
    assert_eq!(h.synced(f), "1");
    assert_eq!(h.group.state(), State::Stable);
    let late = h.sync(claim(1, &follower), &[]);
    assert_eq!(h.synced(late), "1", "a stable group answers at once");
}

#[test]
fn failed_write_of_the_assignment_rebalances() {
    let mut h = Harness::new();
    let (leader, follower) = joined_pair(&mut h);
    let f = h.sync(claim(1, &follower), &[]);
    let l = h.sync(claim(1, &leader), &[(&leader, "0")]);
    h.written(Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(h.sync_error(l), GroupError::CoordinatorNotAvailable);
    assert_eq!(h.sync_error(f), GroupError::CoordinatorNotAvailable);
    assert_eq!(h.group.state(), State::PreparingRebalance);
}

#[test]
fn second_sync_of_the_leader_does_not_write_twice() {
    let mut h = Harness::new();
    let (leader, _) = joined_pair(&mut h);
    let first = h.sync(claim(1, &leader), &[(&leader, "0")]);
    let second = h.sync(claim(1, &leader), &[(&leader, "9")]);
    assert_eq!(h.sync_error(first), GroupError::RebalanceInProgress);
    assert_eq!(h.writes.len(), 1);
    h.written(Ok(()));
    assert_eq!(h.synced(second), "0");
}

#[test]
fn outdated_write_changes_nothing() {
    let mut h = Harness::new();
    let (leader, follower) = joined_pair(&mut h);
    let l = h.sync(claim(1, &leader), &[(&leader, "0")]);
    h.join(request("", &["range"]));
    assert_eq!(h.sync_error(l), GroupError::RebalanceInProgress);
    h.join(request(&leader, &["range"]));
    h.join(request(&follower, &["range"]));
    assert_eq!(h.group.generation(), 2);
    h.written(Ok(()));
    assert_eq!(h.group.state(), State::CompletingRebalance);
}

#[test]
fn syncs_that_cannot_be_are_refused() {
    #[allow(clippy::type_complexity, reason = "a table")]
    let table: [(&str, i32, bool, Option<&str>, Option<&str>, GroupError); 5] = [
        (
            "unknown member",
            1,
            false,
            None,
            None,
            GroupError::UnknownMember,
        ),
        (
            "old generation",
            0,
            true,
            None,
            None,
            GroupError::IllegalGeneration,
        ),
        (
            "new generation",
            2,
            true,
            None,
            None,
            GroupError::IllegalGeneration,
        ),
        (
            "type",
            1,
            true,
            Some("connect"),
            None,
            GroupError::InconsistentProtocol,
        ),
        (
            "protocol",
            1,
            true,
            Some("consumer"),
            Some("sticky"),
            GroupError::InconsistentProtocol,
        ),
    ];
    for (what, generation, known, protocol_type, protocol, error) in table {
        let mut h = Harness::new();
        let (leader, _) = joined_pair(&mut h);
        let member = if known { leader } else { "who".to_owned() };
        let waiter = h.sync_with(Sync {
            claim: Claim {
                generation,
                member,
                instance: None,
            },
            protocol_type: protocol_type.map(str::to_owned),
            protocol: protocol.map(str::to_owned),
            assignments: vec![],
        });
        assert_eq!(h.sync_error(waiter), error, "{what}");
    }
}

#[test]
fn sync_while_a_rebalance_is_prepared_is_told_so() {
    let mut h = Harness::new();
    let ids = h.stable(2);
    h.join(request("", &["range"]));
    let waiter = h.sync(claim(1, &ids[0]), &[]);
    assert_eq!(h.sync_error(waiter), GroupError::RebalanceInProgress);
}

#[test]
fn member_that_does_not_sync_is_removed_after_the_rebalance_timeout() {
    let mut h = Harness::new();
    let (leader, follower) = joined_pair(&mut h);
    let joined_at = h.now_ms;
    h.sync(claim(1, &leader), &[(&leader, "0")]);
    h.written(Ok(()));
    while h.group.state() == State::Stable {
        h.pass(1_000);
        let _ = h.heartbeat(1, &leader);
        let _ = h.heartbeat(1, &follower);
    }
    assert!(h.now_ms - joined_at <= 60_000);
    assert_eq!(h.group.state(), State::PreparingRebalance);
    assert_eq!(h.heartbeat(1, &follower), Err(GroupError::UnknownMember));
}

#[test]
fn followers_that_wait_for_a_silent_leader_are_told_to_rejoin() {
    let mut h = Harness::new();
    let (leader, follower) = joined_pair(&mut h);
    let f = h.sync(claim(1, &follower), &[]);
    h.pass(10_000);
    assert_eq!(h.sync_error(f), GroupError::RebalanceInProgress);
    assert_eq!(h.heartbeat(1, &leader), Err(GroupError::UnknownMember));
    let rejoined = h.join(request(&follower, &["range"]));
    assert_eq!(h.joined(rejoined).leader, follower);
}
