use std::time::Duration;
use weir_api::Error;

use super::memory::*;
use crate::group::GroupsConfig;

#[tokio::test(start_paused = true)]
async fn deleted_group_is_gone_with_its_offsets_for_good() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    commit_by_hand(&groups, "g", commit("t", 0, 1)).await;
    commit_by_hand(&groups, "other", commit("t", 0, 2)).await;
    assert_eq!(
        groups.delete_group(&CALLER, "none").await,
        Err(Error::GroupIdNotFound)
    );
    assert_eq!(groups.delete_group(&CALLER, "g").await, Ok(()));
    assert_eq!(
        groups.delete_group(&CALLER, "g").await,
        Err(Error::GroupIdNotFound)
    );
    world.lead(Some(0));
    assert_eq!(offset_of(&groups, "g", "t", 0).await, -1);
    assert_eq!(offset_of(&groups, "other", "t", 0).await, 2);
}

#[tokio::test(start_paused = true)]
async fn group_with_members_is_not_deleted() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    join_alone(&groups, "g").await;
    assert_eq!(
        groups.delete_group(&CALLER, "g").await,
        Err(Error::NonEmptyGroup)
    );
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(groups.delete_group(&CALLER, "g").await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn deletion_takes_a_commit_under_way_with_it() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    commit_by_hand(&groups, "g", commit("t", 0, 1)).await;
    world.gate.send_replace(false);
    let commit_it = groups.commit_offsets(&CALLER, "g", -1, "", None, vec![commit("t", 1, 1)]);
    let (committed, deleted, late, ()) = tokio::join!(
        commit_it,
        async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            groups.delete_group(&CALLER, "g").await
        },
        async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            groups
                .commit_offsets(&CALLER, "g", -1, "", None, vec![commit("t", 0, 1)])
                .await
        },
        async {
            tokio::time::sleep(Duration::from_millis(30)).await;
            world.gate.send_replace(true);
        },
    );
    assert_eq!(committed, Ok(vec![Ok(())]));
    assert_eq!(deleted, Ok(()));
    assert_eq!(late, Err(Error::CoordinatorNotAvailable));
    world.lead(Some(0));
    let all = eventually(|| groups.committed_offsets(&CALLER, "g", None)).await;
    assert_eq!(all, vec![]);
}

#[tokio::test(start_paused = true)]
async fn failed_deletion_leaves_the_group_as_it_was() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    commit_by_hand(&groups, "g", commit("t", 0, 1)).await;
    world.fail_appends(Some(Error::NotEnoughReplicas));
    let told = groups.delete_group(&CALLER, "g").await;
    assert_eq!(told, Err(Error::CoordinatorNotAvailable));
    world.fail_appends(None);
    assert_eq!(offset_of(&groups, "g", "t", 0).await, 1);
    assert_eq!(groups.delete_group(&CALLER, "g").await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn single_offsets_are_deleted_unless_they_are_in_use() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    world.add_topic("u", 1, weir_types::BrokerId(0));
    commit_by_hand(&groups, "g", commit("t", 0, 1)).await;
    commit_by_hand(&groups, "g", commit("u", 0, 1)).await;
    join_alone(&groups, "g").await;
    let asked = vec![at("t", 0), at("u", 0), at("u", 9)];
    let told = groups.delete_offsets(&CALLER, "g", asked).await;
    assert_eq!(
        told,
        Ok(vec![Err(Error::GroupSubscribedToTopic), Ok(()), Ok(())])
    );
    assert_eq!(offset_of(&groups, "g", "t", 0).await, 1);
    assert_eq!(offset_of(&groups, "g", "u", 0).await, -1);
    let told = groups
        .delete_offsets(&CALLER, "none", vec![at("t", 0)])
        .await;
    assert_eq!(told, Err(Error::GroupIdNotFound));
}

#[tokio::test(start_paused = true)]
async fn group_expires_a_week_after_its_last_member_left() {
    let week = Duration::from_secs(7 * 24 * 3_600);
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    let joined = join_alone(&groups, "g").await;
    let offsets = vec![commit("t", 0, 1)];
    let told = groups
        .commit_offsets(&CALLER, "g", 1, &joined.member, None, offsets)
        .await;
    assert_eq!(told, Ok(vec![Ok(())]));
    tokio::time::sleep(week - Duration::from_secs(600)).await;
    assert_eq!(offset_of(&groups, "g", "t", 0).await, 1);
    tokio::time::sleep(Duration::from_secs(1_300)).await;
    let told = groups.describe_group(&CALLER, "g").await;
    assert_eq!(told, Err(Error::GroupIdNotFound));
    world.lead(Some(0));
    assert_eq!(
        offset_of(&groups, "g", "t", 0).await,
        -1,
        "tombstones were written"
    );
}
