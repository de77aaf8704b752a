use std::time::Duration;
use weir_api::{CommitOffset, Error};
use weir_types::LeaderEpoch;

use super::memory::*;
use crate::group::GroupsConfig;

#[tokio::test(start_paused = true)]
async fn offset_is_visible_once_it_is_written() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    commit_by_hand(&groups, "g", commit("t", 0, 5)).await;
    world.gate.send_replace(false);
    let second = groups.commit_offsets(&CALLER, "g", -1, "", None, vec![commit("t", 0, 9)]);
    tokio::pin!(second);
    let waited = tokio::time::timeout(Duration::from_secs(1), &mut second).await;
    assert!(waited.is_err(), "not answered before it is written");
    assert_eq!(offset_of(&groups, "g", "t", 0).await, 5);
    world.gate.send_replace(true);
    assert_eq!(second.await, Ok(vec![Ok(())]));
    assert_eq!(offset_of(&groups, "g", "t", 0).await, 9);
    let all = groups
        .committed_offsets(&CALLER, "g", None)
        .await
        .expect("there");
    assert_eq!(all.len(), 1);
    assert_eq!(
        (all[0].leader_epoch, all[0].metadata.as_str()),
        (LeaderEpoch(3), "note")
    );
    assert_eq!(offset_of(&groups, "g", "t", 1).await, -1);
    assert_eq!(offset_of(&groups, "unknown", "t", 0).await, -1);
}

#[tokio::test(start_paused = true)]
async fn commits_that_come_while_one_is_written_go_out_together() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    commit_by_hand(&groups, "g", commit("t", 0, 0)).await;
    let before = world.append_count();
    world.gate.send_replace(false);
    let commits = (1..=100).map(|offset| {
        groups.commit_offsets(&CALLER, "g", -1, "", None, vec![commit("t", 0, offset)])
    });
    let commits = futures::future::join_all(commits);
    tokio::pin!(commits);
    assert!(
        tokio::time::timeout(Duration::from_secs(1), &mut commits)
            .await
            .is_err()
    );
    world.gate.send_replace(true);
    assert!(commits.await.iter().all(|r| *r == Ok(vec![Ok(())])));
    assert_eq!(offset_of(&groups, "g", "t", 0).await, 100);
    assert!(
        world.append_count() - before <= 3,
        "{} appends",
        world.append_count() - before
    );
}

#[tokio::test(start_paused = true)]
async fn each_partition_of_a_commit_has_its_own_outcome() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    let long = CommitOffset {
        metadata: "x".repeat(4_097),
        ..commit("t", 1, 1)
    };
    let offsets = [
        commit("t", 0, 1),
        commit("t", 2, 1),
        commit("none", 0, 1),
        long,
    ];
    let outcomes =
        eventually(|| groups.commit_offsets(&CALLER, "g", -1, "", None, offsets.to_vec())).await;
    let expected = [
        Ok(()),
        Err(Error::UnknownTopicOrPartition),
        Err(Error::UnknownTopicOrPartition),
        Err(Error::OffsetMetadataTooLarge),
    ];
    assert_eq!(outcomes, expected);
}

#[tokio::test(start_paused = true)]
async fn failed_write_fails_the_commit_with_the_right_error() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    commit_by_hand(&groups, "g", commit("t", 0, 5)).await;
    for (failure, told) in [
        (Error::NotEnoughReplicas, Error::CoordinatorNotAvailable),
        (
            Error::NotEnoughReplicasAfterAppend,
            Error::CoordinatorNotAvailable,
        ),
        (Error::TimedOut, Error::CoordinatorNotAvailable),
        (Error::Storage("full".to_owned()), Error::NotCoordinator),
        (
            Error::NotLeader {
                leader: None,
                epoch: LeaderEpoch(0),
            },
            Error::NotCoordinator,
        ),
    ] {
        world.fail_appends(Some(failure.clone()));
        let offsets = vec![commit("t", 0, 9)];
        let outcome = groups
            .commit_offsets(&CALLER, "g", -1, "", None, offsets)
            .await;
        assert_eq!(outcome, Ok(vec![Err(told)]), "{failure:?}");
        assert_eq!(offset_of(&groups, "g", "t", 0).await, 5);
    }
}

#[tokio::test(start_paused = true)]
async fn member_commits_in_its_generation_only() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    let joined = join_alone(&groups, "g").await;
    for (generation, member, expected) in [
        (1, joined.member.as_str(), Ok(vec![Ok(())])),
        (0, joined.member.as_str(), Err(Error::IllegalGeneration)),
        (1, "who", Err(Error::UnknownMember)),
        (-1, "", Err(Error::UnknownMember)),
    ] {
        let offsets = vec![commit("t", 0, 1)];
        let told = groups
            .commit_offsets(&CALLER, "g", generation, member, None, offsets)
            .await;
        assert_eq!(told, expected, "{generation} {member}");
    }
    let offsets = vec![commit("t", 0, 1)];
    let told = groups
        .commit_offsets(&CALLER, "nobody", 1, "m", None, offsets)
        .await;
    assert_eq!(told, Err(Error::IllegalGeneration));
}

#[tokio::test(start_paused = true)]
async fn offsets_of_a_deleted_topic_are_deleted_even_if_its_name_is_used_again() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    world.add_topic("u", 1, weir_types::BrokerId(0));
    commit_by_hand(&groups, "g", commit("t", 1, 5)).await;
    commit_by_hand(&groups, "g", commit("u", 0, 7)).await;
    world.change(|image| {
        let old = image.topic_names.remove("t").expect("there");
        let mut topic = weir_core::cluster::Topic::clone(&image.topics[&old]);
        image.topics.remove(&old);
        topic.id = weir_types::TopicId(uuid::Uuid::new_v4());
        image.topic_names.insert("t".to_owned(), topic.id);
        image.topics.insert(topic.id, std::sync::Arc::new(topic));
    });
    until(async || offset_of(&groups, "g", "t", 1).await == -1).await;
    assert_eq!(offset_of(&groups, "g", "u", 0).await, 7);
    world.remove_topic("u");
    until(async || groups.describe_group(&CALLER, "g").await.is_err()).await;
    world.lead(Some(0));
    assert_eq!(
        offset_of(&groups, "g", "t", 1).await,
        -1,
        "the log says so too"
    );
}

#[tokio::test(start_paused = true)]
async fn lag_is_counted_from_the_commit_or_the_log_start() {
    let world = World::ready(2);
    let groups = world.start(0, GroupsConfig::default());
    let topic = world.add_topic("lag", 3, weir_types::BrokerId(0));
    let id = |index| weir_types::PartitionId::new(topic, index);
    world.set_bounds(id(0), 0, 100);
    world.set_bounds(id(1), 60, 100);
    world.set_bounds(id(2), 0, 10);
    for (index, offset) in [(0, 30), (1, 20), (2, 15)] {
        commit_by_hand(&groups, "g", commit("lag", index, offset)).await;
    }
    let lag = groups.group_lag(&CALLER, "g").await.expect("known");
    let expected = [(at("lag", 0), 70), (at("lag", 1), 40), (at("lag", 2), 0)];
    assert_eq!(lag.into_iter().collect::<Vec<_>>(), expected);

    let other = world.start(1, GroupsConfig::default());
    let lag = other
        .group_lag(&CALLER, "g")
        .await
        .expect("asked the coordinator");
    assert!(lag.is_empty(), "it leads none of them");
}

#[tokio::test(start_paused = true)]
async fn an_offset_is_kept_as_long_as_its_commit_asked() {
    let hour = Duration::from_secs(3_600);
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    let brief = CommitOffset {
        retention_ms: Some(3_600_000),
        ..commit("t", 0, 5)
    };
    commit_by_hand(&groups, "g", brief).await;
    commit_by_hand(&groups, "g", commit("t", 1, 6)).await;
    // Whoever leads next reads the time of expiry from the log.
    world.lead(None);
    world.lead(Some(0));
    tokio::time::sleep(hour / 2).await;
    assert_eq!(offset_of(&groups, "g", "t", 0).await, 5);
    // Looked for every ten minutes.
    tokio::time::sleep(hour / 2 + Duration::from_secs(1_300)).await;
    assert_eq!(offset_of(&groups, "g", "t", 0).await, -1);
    assert_eq!(offset_of(&groups, "g", "t", 1).await, 6);
}
