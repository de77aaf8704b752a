use super::harness::{Harness, claim, config, request};
use crate::group::{Group, GroupConfig, GroupError, Join, State, Waiter};

#[test]
fn first_generation_waits_for_the_initial_delay_and_has_one_leader() {
    let mut h = Harness::new();
    let a = h.join(request("", &["range"]));
    h.pass(2_999);
    assert!(h.joins.is_empty());
    h.pass(1);
    let joined = h.joined(a);
    assert_eq!(joined.generation, 1);
    assert_eq!(joined.leader, joined.member);
    assert_eq!(joined.members.len(), 1);
    assert_eq!(joined.protocol, "range");
    assert_eq!(h.group.state(), State::CompletingRebalance);
}

#[test]
fn newcomers_prolong_the_initial_delay_up_to_the_rebalance_timeout() {
    let mut h = Harness::new();
    let short = Join {
        rebalance_timeout_ms: 5_000,
        ..request("", &["range"])
    };
    let a = h.join(short.clone());
    h.pass(2_000);
    let b = h.join(short.clone());
    h.pass(2_000);
    assert!(h.joins.is_empty(), "prolonged by the second");
    let c = h.join(short);
    h.pass(1_000);
    let generations: Vec<i32> = [a, b, c].map(|w| h.joined(w).generation).to_vec();
    assert_eq!(
        generations,
        [1, 1, 1],
        "5 s after the first join, whoever came since"
    );
    assert_eq!(
        h.joined(a).members.len() + h.joined(b).members.len() + h.joined(c).members.len(),
        3
    );
}

#[test]
fn newcomer_is_told_its_id_first_where_its_version_asks_for_it() {
    let mut h = Harness::new();
    let first = h.join(Join {
        require_known_member: true,
        ..request("", &["range"])
    });
    let GroupError::MemberIdRequired(id) = h.join_error(first) else {
        panic!("no id")
    };
    assert_eq!(id, "client-1");
    let again = h.join(request(&id, &["range"]));
    h.pass(3_000);
    assert_eq!(h.joined(again).member, id);
}

#[test]
fn reserved_id_is_forgotten_after_a_session_timeout() {
    let mut h = Harness::new();
    let first = h.join(Join {
        require_known_member: true,
        ..request("", &["range"])
    });
    let GroupError::MemberIdRequired(id) = h.join_error(first) else {
        panic!("no id")
    };
    assert!(!h.group.is_idle());
    h.pass(10_000);
    assert!(h.group.is_idle());
    let again = h.join(request(&id, &["range"]));
    assert_eq!(h.join_error(again), GroupError::UnknownMember);
}

#[test]
fn joins_that_cannot_be_are_refused() {
    let table: Vec<(&str, Join, GroupError)> = vec![
        (
            "unknown member",
            request("who", &["range"]),
            GroupError::UnknownMember,
        ),
        (
            "no protocol in common",
            request("", &["other"]),
            GroupError::InconsistentProtocol,
        ),
        (
            "no protocols",
            request("", &[]),
            GroupError::InconsistentProtocol,
        ),
        (
            "other type",
            Join {
                protocol_type: "connect".to_owned(),
                ..request("", &["range"])
            },
            GroupError::InconsistentProtocol,
        ),
        (
            "session too short",
            Join {
                session_timeout_ms: 5_999,
                ..request("", &["range"])
            },
            GroupError::InvalidSessionTimeout,
        ),
        (
            "session too long",
            Join {
                session_timeout_ms: 1_800_001,
                ..request("", &["range"])
            },
            GroupError::InvalidSessionTimeout,
        ),
        (
            "unknown instance",
            Join {
                instance: Some("i".to_owned()),
                ..request("who", &["range"])
            },
            GroupError::UnknownMember,
        ),
    ];
    for (what, join, error) in table {
        let mut h = Harness::new();
        h.stable(1);
        let waiter = h.join(join);
        assert_eq!(h.join_error(waiter), error, "{what}");
        assert_eq!(h.group.state(), State::Stable, "{what}");
    }
    let mut h = Harness::new();
    let waiter = h.join(request("", &[]));
    assert_eq!(
        h.join_error(waiter),
        GroupError::InconsistentProtocol,
        "empty group"
    );
}

#[test]
fn protocol_with_most_votes_among_the_common_ones_wins() {
    let table: [(&[&[&str]], &str); 4] = [
        (&[&["a", "b"], &["b", "a"], &["b", "a"]], "b"),
        (&[&["a", "b"], &["b", "c"]], "b"),
        (
            &[
                &["c", "a", "b"],
                &["a", "b"],
                &["b", "a"],
                &["b", "a"],
                &["a", "b"],
            ],
            "a",
        ),
        (&[&["b", "b", "a"], &["a", "b"]], "b"),
    ];
    for (members, expected) in table {
        let mut h = Harness::new();
        let waiters: Vec<u64> = members.iter().map(|p| h.join(request("", p))).collect();
        h.end_join_phase();
        for waiter in waiters {
            assert_eq!(h.joined(waiter).protocol, expected, "{members:?}");
        }
    }
}

#[test]
fn newcomer_makes_a_stable_group_rebalance_until_all_rejoined() {
    let mut h = Harness::new();
    let ids = h.stable(2);
    let newcomer = h.join(request("", &["range", "sticky"]));
    assert_eq!(h.group.state(), State::PreparingRebalance);
    assert_eq!(
        h.heartbeat(1, &ids[0]),
        Err(GroupError::RebalanceInProgress)
    );
    let a = h.join(request(&ids[0], &["range", "sticky"]));
    assert!(!h.joins.contains_key(&a));
    let b = h.join(request(&ids[1], &["range", "sticky"]));
    for waiter in [newcomer, a, b] {
        assert_eq!(h.joined(waiter).generation, 2);
        assert_eq!(h.joined(waiter).leader, ids[0]);
    }
    assert_eq!(h.joined(a).members.len(), 3);
    assert!(h.joined(newcomer).members.is_empty());
}

#[test]
fn who_does_not_rejoin_within_the_rebalance_timeout_is_removed() {
    let mut h = Harness::new();
    let ids = h.stable(2);
    let a = h.join(request(&ids[0], &["range"]));
    assert_eq!(h.group.state(), State::PreparingRebalance);
    for _ in 0..11 {
        h.pass(5_000);
        assert_eq!(
            h.heartbeat(1, &ids[1]),
            Err(GroupError::RebalanceInProgress)
        );
    }
    assert!(!h.joins.contains_key(&a));
    h.pass(5_000);
    assert_eq!(h.joined(a).members.len(), 1);
    assert_eq!(h.heartbeat(1, &ids[1]), Err(GroupError::UnknownMember));
}

#[test]
fn member_that_rejoins_unchanged_is_told_the_generation_it_is_in() {
    let mut h = Harness::new();
    let ids = h.stable(2);
    let follower = h.join(request(&ids[1], &["range", "sticky"]));
    assert_eq!(h.joined(follower).generation, 1);
    assert_eq!(h.group.state(), State::Stable);
    let leader = h.join(request(&ids[0], &["range", "sticky"]));
    assert!(
        !h.joins.contains_key(&leader),
        "a leader's join begins a rebalance"
    );
    assert_eq!(h.group.state(), State::PreparingRebalance);
}

#[test]
fn leader_that_rejoins_before_it_synced_gets_the_members_again() {
    let mut h = Harness::new();
    let a = h.join(request("", &["range"]));
    h.pass(3_000);
    let id = h.joined(a).member;
    let again = h.join(request(&id, &["range"]));
    assert_eq!(h.joined(again), h.joined(a));
    let changed = h.join(request(&id, &["range", "sticky"]));
    assert_eq!(
        h.joined(changed).generation,
        2,
        "changed metadata begin a rebalance"
    );
}

#[test]
fn second_join_of_a_waiting_member_answers_the_first() {
    let mut h = Harness::new();
    let ids = h.stable(2);
    let first = h.join(request(&ids[0], &["range"]));
    let second = h.join(request(&ids[0], &["range"]));
    assert_eq!(h.join_error(first), GroupError::RebalanceInProgress);
    h.join(request(&ids[1], &["range"]));
    assert_eq!(h.joined(second).generation, 2);
}

#[test]
fn full_group_takes_nobody_else_but_its_members_may_rejoin() {
    let mut h = Harness::new();
    let ids = h.stable(5);
    let one_more = h.join(request("", &["range"]));
    assert_eq!(h.join_error(one_more), GroupError::MaxSizeReached);
    assert_eq!(h.group.state(), State::Stable);
    let waiters: Vec<u64> = ids
        .iter()
        .map(|id| h.join(request(id, &["range"])))
        .collect();
    for waiter in waiters {
        assert_eq!(h.joined(waiter).generation, 2);
    }
}

#[test]
fn group_that_holds_too_many_bytes_takes_no_more() {
    let mut h = Harness::with(GroupConfig {
        metadata_bytes_max: 20,
        ..config()
    });
    h.join(request("", &["range"]));
    h.join(request("", &["range"]));
    let third = h.join(request("", &["range"]));
    assert_eq!(h.join_error(third), GroupError::MaxSizeReached);
}

#[test]
fn loaded_group_that_is_too_large_shrinks() {
    let mut h = Harness::new();
    let ids = h.stable(3);
    let snapshot = h.group.snapshot(None);
    let group = Group::load(
        GroupConfig {
            members_max: 2,
            ..config()
        },
        snapshot,
    );
    let mut h = Harness::of(group);
    let mut out = Vec::new();
    h.group.resume(h.time(), &mut out);
    assert_eq!(h.group.state(), State::PreparingRebalance);
    let waiters: Vec<u64> = ids
        .iter()
        .map(|id| h.join(request(id, &["range"])))
        .collect();
    assert_eq!(h.join_error(waiters[2]), GroupError::MaxSizeReached);
    assert_eq!(h.joined(waiters[0]).generation, 2);
}

#[test]
fn abandoned_group_answers_everybody() {
    let mut h = Harness::new();
    let ids = h.stable(2);
    h.join(request(&ids[0], &["range"]));
    let mut out = Vec::new();
    h.group.abandon(&GroupError::NotCoordinator, &mut out);
    assert_eq!(out.len(), 1);
    assert_eq!(h.group.next_deadline(), None);
    assert_eq!(
        h.heartbeat(1, &ids[1]),
        Err(GroupError::CoordinatorNotAvailable)
    );
    let late = h.join(request("", &["range"]));
    assert_eq!(h.join_error(late), GroupError::CoordinatorNotAvailable);
    let mut out = Vec::new();
    let sync = crate::group::Sync {
        claim: claim(1, &ids[0]),
        protocol_type: None,
        protocol: None,
        assignments: vec![],
    };
    h.group.sync(Waiter(99), sync, &mut out);
    assert_eq!(out.len(), 1);
}
