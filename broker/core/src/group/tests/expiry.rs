use super::harness::{Harness, claim, request};
use crate::group::{
    Claim, Committed, Group, GroupConfig, GroupError, Join, OffsetKey, Offsets, Snapshot, Time,
};
use bytes::Bytes;
use weir_types::{LeaderEpoch, Millis, Offset};

const WEEK_MS: i64 = 7 * 24 * 3_600 * 1_000;

fn key(topic: &str) -> OffsetKey {
    OffsetKey {
        topic: topic.to_owned(),
        index: 0,
    }
}

fn committed(at_ms: i64, expires_at: Option<i64>) -> Committed {
    Committed {
        offset: Offset(1),
        leader_epoch: LeaderEpoch::NONE,
        metadata: String::new(),
        committed_at: Millis(at_ms),
        expires_at: expires_at.map(Millis),
    }
}

fn at(unix_ms: i64) -> Time {
    Time {
        steady: Millis(0),
        unix: Millis(unix_ms),
    }
}

#[test]
fn offsets_of_an_empty_group_expire_a_week_after_it_became_empty() {
    let snapshot = Snapshot {
        protocol_type: "consumer".to_owned(),
        state_since: Some(Millis(1_000)),
        ..Snapshot::default()
    };
    let group = Group::load(GroupConfig::default(), snapshot.clone());
    let mut offsets = Offsets::default();
    offsets.apply(key("t"), Some(committed(0, None)));
    assert!(
        group
            .expired_offsets(at(999 + WEEK_MS), &offsets)
            .is_empty()
    );
    assert_eq!(
        group.expired_offsets(at(1_000 + WEEK_MS), &offsets),
        [key("t")]
    );
    offsets.begin(&key("t"));
    assert!(
        group
            .expired_offsets(at(1_000 + WEEK_MS), &offsets)
            .is_empty(),
        "a commit is on its way"
    );
    offsets.end(&key("t"));

    let unknown = Snapshot {
        state_since: None,
        ..snapshot
    };
    let group = Group::load(GroupConfig::default(), unknown);
    assert_eq!(
        group.expired_offsets(at(WEEK_MS), &offsets),
        [key("t")],
        "since the commit"
    );
}

#[test]
fn offsets_committed_by_hand_expire_after_their_commit_or_at_their_own_time() {
    let group = Group::new(GroupConfig::default(), at(0));
    let mut offsets = Offsets::default();
    offsets.apply(key("own"), Some(committed(0, Some(50))));
    offsets.apply(key("week"), Some(committed(100, None)));
    assert!(group.expired_offsets(at(49), &offsets).is_empty());
    assert_eq!(group.expired_offsets(at(50), &offsets), [key("own")]);
    assert_eq!(
        group.expired_offsets(at(100 + WEEK_MS), &offsets),
        [key("own"), key("week")]
    );
}

#[test]
fn stable_consumers_keep_the_offsets_of_what_they_read() {
    let mut h = Harness::new();
    let subscription = Bytes::from_static(&[0, 0, 0, 0, 0, 1, 0, 1, b'r', 0, 0, 0, 0]);
    let join = Join {
        protocols: vec![("range".to_owned(), subscription)],
        ..request("", &[])
    };
    let waiter = h.join(join);
    h.pass(3_000);
    let id = h.joined(waiter).member;
    let mut offsets = Offsets::default();
    offsets.apply(key("r"), Some(committed(0, None)));
    offsets.apply(key("gone"), Some(committed(0, None)));
    let late = at(2 * WEEK_MS);
    assert!(
        h.group.expired_offsets(late, &offsets).is_empty(),
        "not stable yet"
    );
    h.settle(vec![id]);
    assert_eq!(h.group.expired_offsets(late, &offsets), [key("gone")]);
    assert_eq!(
        h.group.check_delete_offset("r"),
        Err(GroupError::SubscribedToTopic)
    );
    assert_eq!(h.group.check_delete_offset("gone"), Ok(()));
}

#[test]
fn commits_are_checked_against_member_and_generation() {
    let mut h = Harness::new();
    let by_hand = Claim {
        generation: -1,
        member: String::new(),
        instance: None,
    };
    let now = h.time();
    assert_eq!(h.group.check_commit(now, &by_hand), Ok(()));
    assert_eq!(
        h.group.check_commit(now, &claim(1, "who")),
        Err(GroupError::UnknownMember)
    );
    let ids = h.stable(1);
    let now = h.time();
    let table = [
        (claim(1, &ids[0]), Ok(())),
        (claim(0, &ids[0]), Err(GroupError::IllegalGeneration)),
        (claim(1, "who"), Err(GroupError::UnknownMember)),
        (by_hand, Err(GroupError::UnknownMember)),
    ];
    for (claim, expected) in table {
        assert_eq!(h.group.check_commit(now, &claim), expected, "{claim:?}");
    }
    h.join(request(&ids[0], &["range"]));
    assert_eq!(
        h.group.check_commit(now, &claim(2, &ids[0])),
        Err(GroupError::RebalanceInProgress),
        "joined, but not assigned"
    );
}

#[test]
fn commit_keeps_the_session() {
    let mut h = Harness::new();
    let ids = h.stable(1);
    for _ in 0..5 {
        h.pass(8_000);
        let now = h.time();
        assert_eq!(h.group.check_commit(now, &claim(1, &ids[0])), Ok(()));
    }
}

#[test]
fn only_an_empty_group_can_be_deleted() {
    let mut h = Harness::new();
    h.stable(1);
    assert_eq!(h.group.begin_delete(), Err(GroupError::NotEmpty));
    assert_eq!(
        h.group.check_delete_offset("t"),
        Err(GroupError::SubscribedToTopic)
    );
    h.pass(10_000);
    assert_eq!(h.group.begin_delete(), Ok(()));
    assert_eq!(h.group.begin_delete(), Err(GroupError::NotFound));
    h.group.delete_failed();
    assert_eq!(h.group.begin_delete(), Ok(()));
}
