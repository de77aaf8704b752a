use std::time::Duration;
use weir_api::{Error, JoinRequest, LeaveMember};

use super::memory::*;
use crate::group::GroupsConfig;

#[tokio::test(start_paused = true)]
async fn two_members_join_sync_heartbeat_and_leave() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    let join = || eventually(|| groups.join_group(&CALLER, join_request("g", "")));
    let (a, b) = tokio::join!(join(), join());
    assert_eq!((a.generation, b.generation), (1, 1));
    let (leader, follower) = if a.leader == a.member { (a, b) } else { (b, a) };
    assert_eq!(leader.members.len(), 2);
    assert!(follower.members.is_empty());
    assert!(leader.member.starts_with("client-"));

    let assignments = [
        (leader.member.as_str(), "zero"),
        (follower.member.as_str(), "one"),
    ];
    let (l, f) = tokio::join!(
        groups.sync_group(&CALLER, sync_request("g", &leader, &assignments)),
        groups.sync_group(&CALLER, sync_request("g", &follower, &[])),
    );
    assert_eq!(l.expect("synced").assignment, "zero");
    assert_eq!(f.expect("synced").assignment, "one");
    assert_eq!(
        groups
            .heartbeat(&CALLER, "g", 1, &follower.member, None)
            .await,
        Ok(())
    );

    let listed = groups.list_groups(&CALLER).await.expect("loaded");
    assert_eq!((listed[0].group.as_str(), listed[0].state), ("g", "Stable"));
    let described = groups.describe_group(&CALLER, "g").await.expect("there");
    assert_eq!(
        (described.protocol.as_str(), described.members.len()),
        ("range", 2)
    );
    assert_eq!(described.members[0].client_id, "client");

    let leaver = LeaveMember {
        member: leader.member.clone(),
        instance: None,
        reason: None,
    };
    assert_eq!(
        groups.leave_group(&CALLER, "g", vec![leaver]).await,
        Ok(vec![Ok(())])
    );
    let told = groups
        .heartbeat(&CALLER, "g", 1, &follower.member, None)
        .await;
    assert_eq!(told, Err(Error::RebalanceInProgress));
    let again = groups
        .join_group(&CALLER, join_request("g", &follower.member))
        .await;
    assert_eq!(again.expect("joined").leader, follower.member);
}

#[tokio::test(start_paused = true)]
async fn silent_member_is_gone_and_its_group_becomes_empty() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    let joined = join_alone(&groups, "g").await;
    tokio::time::sleep(Duration::from_millis(9_900)).await;
    assert_eq!(
        groups
            .heartbeat(&CALLER, "g", 1, &joined.member, None)
            .await,
        Ok(())
    );
    tokio::time::sleep(Duration::from_millis(10_100)).await;
    let told = groups
        .heartbeat(&CALLER, "g", 1, &joined.member, None)
        .await;
    assert_eq!(told, Err(Error::UnknownMember));
    let described = groups.describe_group(&CALLER, "g").await.expect("it stays");
    assert_eq!((described.state, described.members.len()), ("Empty", 0));
}

#[tokio::test(start_paused = true)]
async fn newcomer_gets_its_id_before_it_joins() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    let first = JoinRequest {
        require_known_member: true,
        ..join_request("g", "")
    };
    let told = async {
        loop {
            match groups.join_group(&CALLER, first.clone()).await {
                Err(Error::MemberIdRequired(id)) => break id,
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    let id = told.await;
    let joined = groups
        .join_group(&CALLER, join_request("g", &id))
        .await
        .expect("joined");
    assert_eq!(joined.member, id);
}

#[tokio::test(start_paused = true)]
async fn assignment_that_cannot_be_written_is_not_given_out() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    let joined = eventually(|| groups.join_group(&CALLER, join_request("g", ""))).await;
    for (failure, told) in [
        (Error::NotEnoughReplicas, Error::CoordinatorNotAvailable),
        (Error::TimedOut, Error::CoordinatorNotAvailable),
    ] {
        world.fail_appends(Some(failure));
        let generation =
            eventually(|| groups.join_group(&CALLER, join_request("g", &joined.member))).await;
        let sync = sync_request("g", &generation, &[(&joined.member, "all")]);
        assert_eq!(groups.sync_group(&CALLER, sync).await, Err(told));
    }
    world.fail_appends(None);
    let again = groups
        .join_group(&CALLER, join_request("g", &joined.member))
        .await
        .expect("joined");
    let sync = sync_request("g", &again, &[(&joined.member, "all")]);
    assert_eq!(
        groups
            .sync_group(&CALLER, sync)
            .await
            .expect("synced")
            .assignment,
        "all"
    );
}

#[tokio::test(start_paused = true)]
async fn group_state_that_is_too_large_fails_and_disturbs_nobody() {
    let world = World::ready(1);
    let config = GroupsConfig {
        record_bytes_max: 300,
        ..GroupsConfig::default()
    };
    let groups = world.start(0, config);
    let joined = eventually(|| groups.join_group(&CALLER, join_request("g", ""))).await;
    let large = "x".repeat(400);
    let sync = sync_request("g", &joined, &[(&joined.member, &large)]);
    let told = groups.sync_group(&CALLER, sync).await;
    assert!(matches!(told, Err(Error::Internal(_))), "{told:?}");
    commit_by_hand(&groups, "other", commit("t", 0, 1)).await;
}

#[tokio::test(start_paused = true)]
async fn requests_without_a_group_or_with_absurd_names_are_refused() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    let told = groups.join_group(&CALLER, join_request("", "")).await;
    assert_eq!(told, Err(Error::InvalidGroupId));
    let told = groups
        .heartbeat(&CALLER, &"g".repeat(5_000), 1, "m", None)
        .await;
    assert_eq!(told, Err(Error::InvalidGroupId));
    let told = groups
        .join_group(&CALLER, join_request("g", &"m".repeat(5_000)))
        .await;
    assert!(matches!(told, Err(Error::InvalidRequest(_))));
    until(async || groups.describe_group(&CALLER, "nobody").await == Err(Error::GroupIdNotFound))
        .await;
    let told = groups.heartbeat(&CALLER, "nobody", 1, "m", None).await;
    assert_eq!(told, Err(Error::UnknownMember));
    assert_eq!(
        groups.list_groups(&CALLER).await,
        Ok(vec![]),
        "none of these left a trace"
    );
}

#[tokio::test(start_paused = true)]
async fn partition_holds_only_so_many_groups() {
    let world = World::ready(1);
    let config = GroupsConfig {
        groups_max: 0,
        ..GroupsConfig::default()
    };
    let groups = world.start(0, config);
    until(async || {
        let told = groups.join_group(&CALLER, join_request("g", "")).await;
        matches!(told, Err(Error::Busy(_)))
    })
    .await;
}
