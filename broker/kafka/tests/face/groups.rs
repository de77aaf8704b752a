use bytes::Bytes;
use weir_kafka::codec::{
    ErrorCode,
    messages::{
        delete_groups, describe_groups, find_coordinator, heartbeat, join_group, leave_group,
        list_groups, offset_commit, offset_delete, offset_fetch, sync_group,
    },
};

use crate::support::Served;

fn join(member: &str) -> join_group::Request {
    join_group::Request {
        group: "g".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        member: member.into(),
        protocol_type: "consumer".into(),
        protocols: vec![join_group::Protocol {
            name: "range".into(),
            metadata: Bytes::from_static(b"topics"),
        }],
        ..Default::default()
    }
}

#[tokio::test]
async fn a_member_joins_syncs_beats_and_leaves_in_every_version() {
    let served = Served::start().await;
    let mut client = served.client().await;
    for version in 0..=9 {
        let mut joined = client.call(version, &join("")).await;
        if version >= 4 {
            assert_eq!(joined.error, ErrorCode::MEMBER_ID_REQUIRED);
            assert_eq!(joined.member, "member-1");
            joined = client.call(version, &join(&joined.member)).await;
        }
        assert_eq!(
            (joined.error, joined.leader.as_str()),
            (ErrorCode::NONE, "member-1")
        );
        assert_eq!(joined.protocol.as_deref(), Some("range"));
        assert_eq!(joined.members[0].metadata, Bytes::from_static(b"topics"));
        let sync = sync_group::Request {
            group: "g".into(),
            generation: joined.generation,
            member: joined.member.clone(),
            protocol_type: Some("consumer".into()),
            protocol: Some("range".into()),
            assignments: vec![sync_group::Assignment {
                member: joined.member.clone(),
                assignment: Bytes::from_static(b"all"),
            }],
            ..Default::default()
        };
        let synced = client.call(version.min(5), &sync).await;
        assert_eq!(synced.assignment, Bytes::from_static(b"all"));
        let mut beat = heartbeat::Request {
            group: "g".into(),
            generation: joined.generation,
            member: joined.member,
            instance: None,
        };
        assert_eq!(
            client.call(version.min(4), &beat).await.error,
            ErrorCode::NONE
        );
        beat.generation += 1;
        let late = client.call(version.min(4), &beat).await;
        assert_eq!(late.error, ErrorCode::ILLEGAL_GENERATION);
    }
}

#[tokio::test]
async fn a_sync_without_protocol_is_inconsistent() {
    let served = Served::start().await;
    let response = served
        .client()
        .await
        .call(5, &sync_group::Request::default())
        .await;
    assert_eq!(response.error, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
}

#[tokio::test]
async fn members_leave_alone_or_together() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let alone = |member: &str| leave_group::Request {
        group: "g".into(),
        member: member.into(),
        members: vec![],
    };
    assert_eq!(
        client.call(2, &alone("member-1")).await.error,
        ErrorCode::NONE
    );
    assert_eq!(
        client.call(2, &alone("who")).await.error,
        ErrorCode::UNKNOWN_MEMBER_ID
    );
    let member = |name: &str| leave_group::Member {
        member: name.into(),
        ..Default::default()
    };
    let together = leave_group::Request {
        group: "g".into(),
        members: vec![member("member-1"), member("who")],
        ..Default::default()
    };
    let response = client.call(5, &together).await;
    let codes: Vec<_> = response.members.iter().map(|m| m.error).collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::UNKNOWN_MEMBER_ID]);
}

#[tokio::test]
async fn coordinators_are_found_alone_and_in_batches() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let one = |key: &str, key_type| find_coordinator::Request {
        key: key.into(),
        key_type,
        keys: vec![],
    };
    for version in 0..=3 {
        let found = client.call(version, &one("g", 0)).await;
        assert_eq!((found.node_id, found.port), (1, i32::from(served.port)));
    }
    let none = client.call(3, &one("far", 0)).await;
    assert_eq!(none.error, ErrorCode::COORDINATOR_NOT_AVAILABLE);
    let transactional = client.call(3, &one("t", 1)).await;
    assert_eq!(transactional.error, ErrorCode::UNSUPPORTED_VERSION);
    let many = find_coordinator::Request {
        keys: vec!["g".into(), "far".into()],
        ..Default::default()
    };
    let found = client.call(6, &many).await;
    let nodes: Vec<_> = found
        .coordinators
        .iter()
        .map(|c| (c.key.as_str(), c.node_id, c.error))
        .collect();
    assert_eq!(
        nodes,
        [
            ("g", 1, ErrorCode::NONE),
            ("far", -1, ErrorCode::COORDINATOR_NOT_AVAILABLE)
        ]
    );
}

fn commit(topic: &str, offset: i64) -> offset_commit::Topic {
    let partition = offset_commit::Partition {
        index: 0,
        offset,
        ..Default::default()
    };
    offset_commit::Topic {
        name: topic.into(),
        partitions: vec![partition],
    }
}

#[tokio::test]
async fn offsets_are_committed_and_fetched_in_every_version() {
    let served = Served::start().await;
    served.engine.add_topic("t", 2);
    let mut client = served.client().await;
    for version in 2..=9 {
        let request = offset_commit::Request {
            group: "g".into(),
            topics: vec![commit("gone", 1), commit("t", i64::from(version))],
            // Until version 4; what is negative is none.
            retention_ms: if version == 2 { -1 } else { 77 },
            ..Default::default()
        };
        let response = client.call(version, &request).await;
        let retained = (3..=4).contains(&version).then_some(77);
        assert_eq!(served.engine.state().retention_ms, retained);
        let codes: Vec<_> = response
            .topics
            .iter()
            .map(|t| t.partitions[0].error)
            .collect();
        assert_eq!(
            codes,
            [ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ErrorCode::NONE]
        );
    }
    let indexes = vec![1, 0];
    for version in 1..=7 {
        let topics = vec![offset_fetch::OldTopic {
            name: "t".into(),
            partition_indexes: indexes.clone(),
        }];
        let request = offset_fetch::Request {
            group: "g".into(),
            topics: Some(topics),
            ..Default::default()
        };
        let response = client.call(version, &request).await;
        let offsets: Vec<_> = response.topics[0]
            .partitions
            .iter()
            .map(|p| p.offset)
            .collect();
        assert_eq!(offsets, [-1, 9]);
    }
    for version in 8..=9 {
        let topics = vec![offset_fetch::Topic {
            name: "t".into(),
            partition_indexes: indexes.clone(),
        }];
        let group = |topics| offset_fetch::Group {
            group: "g".into(),
            topics,
            ..Default::default()
        };
        let request = offset_fetch::Request {
            groups: vec![group(Some(topics)), group(None)],
            ..Default::default()
        };
        let response = client.call(version, &request).await;
        let offsets = |at: usize| -> Vec<i64> {
            response.groups[at].topics[0]
                .partitions
                .iter()
                .map(|p| p.offset)
                .collect()
        };
        assert_eq!((offsets(0), offsets(1)), (vec![-1, 9], vec![9]));
    }
}

#[tokio::test]
async fn groups_are_listed_through_filters() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let mut request = list_groups::Request::default();
    assert_eq!(client.call(5, &request).await.groups.len(), 2);
    request.states_filter = vec!["stable".into()];
    let response = client.call(5, &request).await;
    assert_eq!(
        (response.groups.len(), response.groups[0].group.as_str()),
        (1, "busy")
    );
    request.types_filter = vec!["consumer".into()];
    assert_eq!(client.call(5, &request).await.groups.len(), 0);
}

#[tokio::test]
async fn an_absent_group_is_dead_and_from_version_6_on_an_error() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let request = describe_groups::Request {
        groups: vec!["busy".into(), "no".into()],
        ..Default::default()
    };
    for (version, code) in [(5, ErrorCode::NONE), (6, ErrorCode::GROUP_ID_NOT_FOUND)] {
        let groups = client.call(version, &request).await.groups;
        assert_eq!(
            (groups[0].error, groups[0].state.as_str()),
            (ErrorCode::NONE, "Stable")
        );
        assert_eq!((groups[1].error, groups[1].state.as_str()), (code, "Dead"));
    }
}

#[tokio::test]
async fn groups_and_offsets_are_deleted() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let groups = vec!["idle".into(), "busy".into()];
    let response = client.call(2, &delete_groups::Request { groups }).await;
    let codes: Vec<_> = response.results.iter().map(|r| r.error).collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::NON_EMPTY_GROUP]);
    let partition = |index| offset_delete::Partition { index };
    let topics = vec![offset_delete::Topic {
        name: "t".into(),
        partitions: vec![partition(0), partition(1)],
    }];
    let response = client
        .call(
            0,
            &offset_delete::Request {
                group: "g".into(),
                topics,
            },
        )
        .await;
    let codes: Vec<_> = response.topics[0]
        .partitions
        .iter()
        .map(|p| p.error)
        .collect();
    assert_eq!(
        codes,
        [ErrorCode::NONE, ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC]
    );
}
