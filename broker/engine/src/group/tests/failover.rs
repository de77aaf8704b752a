use std::time::Duration;
use weir_api::Error;

use super::memory::*;
use crate::group::GroupsConfig;

#[tokio::test(start_paused = true)]
async fn commits_and_members_survive_a_move_of_the_coordinator() {
    let world = World::ready(2);
    let first = world.start(0, GroupsConfig::default());
    let second = world.start(1, GroupsConfig::default());
    let joined = join_alone(&first, "g").await;
    for offset in 0..10 {
        let offsets = vec![commit("t", 0, offset), commit("t", 1, 2 * offset)];
        let outcome = first
            .commit_offsets(&CALLER, "g", 1, &joined.member, None, offsets)
            .await;
        assert_eq!(outcome, Ok(vec![Ok(()), Ok(())]));
    }
    world.lead(Some(1));
    assert_eq!(offset_of(&second, "g", "t", 1).await, 18);
    assert_eq!(
        second
            .heartbeat(&CALLER, "g", 1, &joined.member, None)
            .await,
        Ok(())
    );
    let synced = second
        .sync_group(&CALLER, sync_request("g", &joined, &[]))
        .await;
    assert_eq!(synced.expect("still assigned").assignment, "all");
    until(async || {
        first.heartbeat(&CALLER, "g", 1, &joined.member, None).await == Err(Error::NotCoordinator)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_at_a_coordinator_that_goes_is_told_to_look_elsewhere() {
    let world = World::ready(2);
    let groups = world.start(0, GroupsConfig::default());
    commit_by_hand(&groups, "g", commit("t", 0, 1)).await;
    world.gate.send_replace(false);
    let commit = groups.commit_offsets(&CALLER, "g", -1, "", None, vec![commit("t", 0, 2)]);
    let join = groups.join_group(&CALLER, join_request("h", ""));
    let moved = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.lead(Some(1));
    };
    let (commit, join, ()) = tokio::join!(commit, join, moved);
    assert_eq!(commit, Err(Error::NotCoordinator));
    assert_eq!(join, Err(Error::NotCoordinator));
}

#[tokio::test(start_paused = true)]
async fn coordinator_that_loads_says_so() {
    let world = World::ready(1);
    world.fail_reads(Some(Error::OffsetNotAvailable));
    let groups = world.start(0, GroupsConfig::default());
    until(async || {
        groups.committed_offsets(&CALLER, "g", None).await == Err(Error::CoordinatorLoading)
    })
    .await;
    assert_eq!(
        groups.list_groups(&CALLER).await,
        Err(Error::CoordinatorLoading)
    );
    world.fail_reads(None);
    commit_by_hand(&groups, "g", commit("t", 0, 1)).await;
}

#[tokio::test(start_paused = true)]
async fn same_leader_in_a_new_epoch_loads_again() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    commit_by_hand(&groups, "g", commit("t", 0, 1)).await;
    world.lead(None);
    until(async || {
        groups.committed_offsets(&CALLER, "g", None).await == Err(Error::NotCoordinator)
    })
    .await;
    assert_eq!(
        groups.find_coordinator(&CALLER, "g").await,
        Err(Error::CoordinatorNotAvailable)
    );
    world.lead(Some(0));
    assert_eq!(offset_of(&groups, "g", "t", 0).await, 1);
    commit_by_hand(&groups, "g", commit("t", 0, 2)).await;
}

#[tokio::test(start_paused = true)]
async fn loaded_members_that_stay_silent_are_removed() {
    let world = World::ready(2);
    let first = world.start(0, GroupsConfig::default());
    let second = world.start(1, GroupsConfig::default());
    join_alone(&first, "g").await;
    world.lead(Some(1));
    let described = eventually(|| second.describe_group(&CALLER, "g")).await;
    assert_eq!(described.state, "Stable");
    tokio::time::sleep(Duration::from_secs(11)).await;
    let described = second.describe_group(&CALLER, "g").await.expect("there");
    assert_eq!(described.state, "Empty");
    world.lead(Some(0));
    let described = eventually(|| first.describe_group(&CALLER, "g")).await;
    assert_eq!(described.state, "Empty", "that was written");
}

#[tokio::test(start_paused = true)]
async fn stop_answers_everybody_and_ends() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    commit_by_hand(&groups, "g", commit("t", 0, 1)).await;
    let join = groups.join_group(&CALLER, join_request("g", ""));
    let (join, ()) = tokio::join!(join, async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        groups.stop().await;
    });
    assert_eq!(join, Err(Error::NotCoordinator));
    let told = groups.describe_group(&CALLER, "g").await;
    assert_eq!(told, Err(Error::NotCoordinator));
}

#[tokio::test(start_paused = true)]
async fn records_that_cannot_be_read_do_not_hide_the_others() {
    let world = World::ready(2);
    let first = world.start(0, GroupsConfig::default());
    commit_by_hand(&first, "g", commit("t", 0, 1)).await;
    let image = world.image.borrow().clone();
    let topic = image.topic_by_name("__consumer_offsets").expect("there").id;
    for index in 0..4 {
        let id = weir_types::PartitionId::new(topic, index);
        let end = world.records().len();
        world.set_bounds(id, 0, i64::try_from(end).expect("small") + 2);
    }
    let second = world.start(1, GroupsConfig::default());
    world.lead(Some(1));
    assert_eq!(offset_of(&second, "g", "t", 0).await, 1);
}

#[tokio::test(start_paused = true)]
async fn acknowledged_commits_survive_any_number_of_moves_and_failures() {
    let world = World::ready(2);
    let brokers = [
        world.start(0, GroupsConfig::default()),
        world.start(1, GroupsConfig::default()),
    ];
    let chaos = {
        let world = std::sync::Arc::clone(&world);
        tokio::spawn(async move {
            for round in 0..60u64 {
                tokio::time::sleep(Duration::from_millis(37 + round * 13 % 101)).await;
                match round % 4 {
                    0 => world.lead(Some(1)),
                    1 => world.fail_appends(Some(Error::TimedOut)),
                    2 => world.fail_appends(None),
                    _ => world.lead(Some(0)),
                }
            }
            world.fail_appends(None);
            world.lead(Some(0));
        })
    };
    let mut acknowledged = -1;
    let mut offset = 0;
    while !chaos.is_finished() {
        for groups in &brokers {
            let offsets = vec![commit("t", 0, offset)];
            let told = groups
                .commit_offsets(&CALLER, "g", -1, "", None, offsets)
                .await;
            if told == Ok(vec![Ok(())]) {
                acknowledged = offset;
                offset += 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        let seen = brokers[0]
            .committed_offsets(&CALLER, "g", Some(vec![at("t", 0)]))
            .await;
        if let Ok(seen) = seen {
            assert!(
                seen[0].offset.0 >= acknowledged,
                "{seen:?} after {acknowledged}"
            );
        }
    }
    assert!(acknowledged > 100, "only {acknowledged}");
    assert_eq!(offset_of(&brokers[0], "g", "t", 0).await, acknowledged);
}
