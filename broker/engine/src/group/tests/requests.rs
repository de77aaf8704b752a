//! What clients ask of coordinators, and how they wait for one.

use bytes::Bytes;
use std::time::Duration;
use weir_api::{
    Caller, CommitOffset, Error, JoinRequest, JoinedGroup, Result, SyncRequest, TopicPartitionName,
};
use weir_types::{LeaderEpoch, Offset};

use crate::group::Groups;

pub fn caller() -> Caller {
    Caller {
        client_id: "client".to_owned(),
        ..Caller::internal()
    }
}

pub fn join_request(group: &str, member: &str) -> JoinRequest {
    JoinRequest {
        group: group.to_owned(),
        member: member.to_owned(),
        instance: None,
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".to_owned(),
        // A subscription to the topic `t`.
        protocols: vec![(
            "range".to_owned(),
            Bytes::from_static(&[0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 0]),
        )],
        require_known_member: false,
        reason: None,
    }
}

pub fn sync_request(
    group: &str,
    joined: &JoinedGroup,
    assignments: &[(&str, &str)],
) -> SyncRequest {
    SyncRequest {
        group: group.to_owned(),
        generation: joined.generation,
        member: joined.member.clone(),
        instance: None,
        protocol_type: Some("consumer".to_owned()),
        protocol: Some("range".to_owned()),
        assignments: assignments
            .iter()
            .map(|(m, a)| ((*m).to_owned(), Bytes::copy_from_slice(a.as_bytes())))
            .collect(),
    }
}

pub fn at(topic: &str, index: i32) -> TopicPartitionName {
    TopicPartitionName {
        topic: topic.to_owned(),
        index,
    }
}

pub fn commit(topic: &str, index: i32, offset: i64) -> CommitOffset {
    CommitOffset {
        partition: at(topic, index),
        offset: Offset(offset),
        leader_epoch: LeaderEpoch(3),
        metadata: "note".to_owned(),
        retention_ms: None,
    }
}

/// Commits by hand, as soon as the coordinator is there.
pub async fn commit_by_hand(groups: &Groups, group: &str, offset: CommitOffset) {
    let outcomes =
        eventually(|| groups.commit_offsets(&CALLER, group, -1, "", None, vec![offset.clone()]))
            .await;
    assert_eq!(outcomes, [Ok(())]);
}

/// A member alone in its group, assigned everything.
pub async fn join_alone(groups: &Groups, group: &str) -> JoinedGroup {
    let joined = eventually(|| groups.join_group(&CALLER, join_request(group, ""))).await;
    let assignments = [(joined.member.as_str(), "all")];
    let sync = sync_request(group, &joined, &assignments);
    groups.sync_group(&CALLER, sync).await.expect("synced");
    joined
}

pub async fn offset_of(groups: &Groups, group: &str, topic: &str, index: i32) -> i64 {
    let asked = vec![at(topic, index)];
    let found = eventually(|| groups.committed_offsets(&CALLER, group, Some(asked.clone()))).await;
    found[0].offset.0
}

/// Tries until the coordinator is there and has loaded, as a client does.
pub async fn eventually<T, F: Future<Output = Result<T>>>(mut call: impl FnMut() -> F) -> T {
    for _ in 0..500 {
        match call().await {
            Err(
                Error::NotCoordinator | Error::CoordinatorLoading | Error::CoordinatorNotAvailable,
            ) => tokio::time::sleep(Duration::from_millis(10)).await,
            other => return other.expect("the coordinator is there"),
        }
    }
    panic!("no coordinator came")
}

/// Waits until `what` holds.
pub async fn until(what: impl AsyncFn() -> bool) {
    for _ in 0..2_000 {
        if what().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came true")
}

pub static CALLER: std::sync::LazyLock<Caller> = std::sync::LazyLock::new(caller);
