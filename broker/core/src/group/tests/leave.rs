use super::harness::{Harness, claim, leave, request, static_request};
use crate::group::{Group, GroupError, Join, State};

#[test]
fn silent_member_is_gone_after_its_session_timeout() {
    let mut h = Harness::new();
    let ids = h.stable(2);
    h.pass(6_000);
    assert_eq!(h.heartbeat(1, &ids[0]), Ok(()));
    h.pass(3_999);
    assert_eq!(h.heartbeat(1, &ids[0]), Ok(()));
    assert_eq!(h.group.member_count(), 2);
    h.pass(1);
    assert_eq!(h.group.member_count(), 1);
    assert_eq!(
        h.heartbeat(1, &ids[0]),
        Err(GroupError::RebalanceInProgress)
    );
    let rejoined = h.join(request(&ids[0], &["range"]));
    assert_eq!(h.joined(rejoined).generation, 2);
}

#[test]
fn group_whose_last_member_is_gone_is_empty_and_written_so() {
    let mut h = Harness::new();
    h.stable(1);
    h.pass(10_000);
    assert_eq!(h.group.state(), State::Empty);
    assert_eq!(h.group.generation(), 2);
    let snapshot = h.written(Ok(()));
    assert!(snapshot.members.is_empty());
    assert_eq!(snapshot.protocol_type, "consumer");
    assert_eq!((snapshot.protocol, snapshot.leader), (None, None));
    assert!(h.group.is_idle());
    let group = Group::load(super::harness::config(), h.group.snapshot(None));
    assert_eq!((group.state(), group.generation()), (State::Empty, 2));
}

#[test]
fn loaded_members_have_one_session_to_show_themselves() {
    let mut h = Harness::new();
    let ids = h.stable(2);
    let mut h = Harness::of(Group::load(
        super::harness::config(),
        h.group.snapshot(None),
    ));
    let mut out = Vec::new();
    h.group.resume(h.time(), &mut out);
    assert_eq!(h.group.state(), State::Stable);
    let synced = h.sync(claim(1, &ids[1]), &[]);
    assert_eq!(h.synced(synced), ids[1], "assignments were loaded too");
    h.pass(9_000);
    assert_eq!(h.heartbeat(1, &ids[1]), Ok(()));
    h.pass(1_000);
    assert_eq!(h.heartbeat(1, &ids[0]), Err(GroupError::UnknownMember));
    assert_eq!(
        h.heartbeat(1, &ids[1]),
        Err(GroupError::RebalanceInProgress)
    );
}

#[test]
fn leaving_member_is_gone_at_once_and_the_others_rebalance() {
    let mut h = Harness::new();
    let ids = h.stable(3);
    let answers = h.leave(&[leave(&ids[0], None), leave("who", None)]);
    assert_eq!(answers, [Ok(()), Err(GroupError::UnknownMember)]);
    assert_eq!(h.group.state(), State::PreparingRebalance);
    let b = h.join(request(&ids[1], &["range"]));
    let c = h.join(request(&ids[2], &["range"]));
    assert_eq!(h.joined(b).generation, 2);
    assert_eq!(h.joined(c).leader, h.joined(b).leader);
}

#[test]
fn leave_of_nobody_changes_nothing() {
    let mut h = Harness::new();
    h.stable(1);
    assert_eq!(
        h.leave(&[leave("who", None)]),
        [Err(GroupError::UnknownMember)]
    );
    assert_eq!(
        h.leave(&[leave("", None)]),
        [Err(GroupError::UnknownMember)]
    );
    assert_eq!(h.group.state(), State::Stable);
}

#[test]
fn instance_is_removed_by_name_and_fenced_by_a_wrong_id() {
    let mut h = Harness::new();
    let a = h.join(static_request("", "i"));
    h.pass(3_000);
    let id = h.joined(a).member;
    assert_eq!(
        h.leave(&[leave("other", Some("i"))]),
        [Err(GroupError::FencedInstance)]
    );
    assert_eq!(h.leave(&[leave("", Some("i"))]), [Ok(())]);
    assert_eq!(h.heartbeat(1, &id), Err(GroupError::UnknownMember));
    assert_eq!(h.group.state(), State::Empty);
}

#[test]
fn reserved_id_can_leave() {
    let mut h = Harness::new();
    let first = h.join(Join {
        require_known_member: true,
        ..request("", &["range"])
    });
    let GroupError::MemberIdRequired(id) = h.join_error(first) else {
        panic!("no id")
    };
    assert_eq!(h.leave(&[leave(&id, None)]), [Ok(())]);
    assert!(h.group.is_idle());
}

#[test]
fn who_waits_and_leaves_is_answered() {
    let mut h = Harness::new();
    let ids = h.stable(2);
    let waiting = h.join(request(&ids[0], &["range"]));
    h.leave(&[leave(&ids[0], None)]);
    assert_eq!(h.join_error(waiting), GroupError::UnknownMember);
}

#[test]
fn wrong_generation_is_told_by_the_heartbeat() {
    let mut h = Harness::new();
    let ids = h.stable(1);
    assert_eq!(h.heartbeat(0, &ids[0]), Err(GroupError::IllegalGeneration));
    assert_eq!(h.heartbeat(2, &ids[0]), Err(GroupError::IllegalGeneration));
    assert_eq!(h.heartbeat(1, "who"), Err(GroupError::UnknownMember));
}
