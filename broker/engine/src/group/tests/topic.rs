use std::sync::Arc;
use std::time::Duration;
use weir_api::Error;
use weir_core::cluster::{Broker, ClusterCommand, NewTopic};
use weir_types::BrokerId;

use super::memory::*;
use crate::group::GroupsConfig;

fn created(world: &World) -> NewTopic {
    let mut proposals = world.proposals();
    assert_eq!(proposals.len(), 1);
    let Some(ClusterCommand::CreateTopic(topic)) = proposals.pop() else {
        panic!("not a topic: {proposals:?}")
    };
    topic
}

fn fence(world: &World, id: i32, fenced: bool) {
    world.change(|image| {
        let broker = image.brokers.get(&BrokerId(id)).expect("there");
        let broker = Broker {
            fenced,
            ..Broker::clone(broker)
        };
        image.brokers.insert(BrokerId(id), Arc::new(broker));
    });
}

#[tokio::test(start_paused = true)]
async fn topic_is_created_once_on_first_use() {
    let world = World::new(4);
    let groups = world.start(0, GroupsConfig::default());
    let find = || groups.find_coordinator(&CALLER, "g");
    let (a, b, c) = tokio::join!(find(), find(), find());
    assert_eq!(
        [a, b, c],
        [Ok(BrokerId(0)), Ok(BrokerId(0)), Ok(BrokerId(0))]
    );
    let topic = created(&world);
    assert_eq!((topic.partitions, topic.replication_factor), (50, 3));
    assert_eq!(topic.config["cleanup.policy"], "compact");
    assert_eq!(topic.config["segment.bytes"], "104857600");
    assert!(topic.internal);
}

#[tokio::test(start_paused = true)]
async fn late_brokers_are_waited_for() {
    let world = World::new(3);
    fence(&world, 2, true);
    let groups = world.start(0, GroupsConfig::default());
    let told = groups.find_coordinator(&CALLER, "g").await;
    assert_eq!(told, Err(Error::CoordinatorNotAvailable));
    assert!(world.proposals().is_empty());
    fence(&world, 2, false);
    assert_eq!(groups.find_coordinator(&CALLER, "g").await, Ok(BrokerId(0)));
    assert_eq!(created(&world).replication_factor, 3);
}

#[tokio::test(start_paused = true)]
async fn brokers_that_stay_away_are_not_waited_for_by_a_majority() {
    let world = World::new(3);
    fence(&world, 2, true);
    let groups = world.start(0, GroupsConfig::default());
    let told = groups.find_coordinator(&CALLER, "g").await;
    assert_eq!(told, Err(Error::CoordinatorNotAvailable));
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(groups.find_coordinator(&CALLER, "g").await, Ok(BrokerId(0)));
    assert_eq!(created(&world).replication_factor, 2);
}

#[tokio::test(start_paused = true)]
async fn configured_replication_factor_is_never_lowered() {
    let world = World::new(2);
    let config = GroupsConfig {
        offsets_topic_replication_factor: Some(3),
        ..GroupsConfig::default()
    };
    let groups = world.start(0, config);
    for _ in 0..3 {
        let told = groups.find_coordinator(&CALLER, "g").await;
        assert_eq!(told, Err(Error::CoordinatorNotAvailable));
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert!(world.proposals().is_empty());
}
