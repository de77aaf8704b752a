use bytes::Bytes;
use std::time::Duration;
use weir_api::{BacklogReport, BacklogWatch, Caller, GroupBacklog, SyncRequest, WatchedGroup};
use weir_core::group::GroupConfig;
use weir_types::{BrokerId, PartitionId};

use crate::group::tests::memory::*;
use crate::group::{Groups, GroupsConfig};

const PATIENCE: Duration = Duration::from_millis(800);

fn watched(group: &str, topics: &[&str]) -> Vec<WatchedGroup> {
    vec![WatchedGroup {
        group: group.to_owned(),
        topics: topics.iter().map(|t| (*t).to_owned()).collect(),
    }]
}

async fn report(watch: &mut Box<dyn BacklogWatch>, groups: &[WatchedGroup]) -> BacklogReport {
    watch.report(groups, PATIENCE).await
}

/// Topic, index, commit, start, end, backlog.
type Row<'a> = (&'a str, i32, Option<i64>, i64, i64, i64);

fn figures(group: &GroupBacklog) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for p in &group.partitions {
        let (topic, index) = (p.partition.topic.as_str(), p.partition.index);
        rows.push((topic, index, p.committed, p.start, p.end, p.backlog()));
    }
    rows
}

/// Broker 0 coordinates, broker 1 leads `led`, broker 2 is asked.
fn three_brokers() -> (std::sync::Arc<World>, Groups, Groups, weir_types::TopicId) {
    let world = World::ready(3);
    let topic = world.add_topic("led", 2, BrokerId(1));
    let coordinator = world.start(0, GroupsConfig::default());
    world.start(1, GroupsConfig::default());
    let asked = world.start(2, GroupsConfig::default());
    world.set_bounds(PartitionId::new(topic, 0), 0, 100);
    world.set_bounds(PartitionId::new(topic, 1), 60, 100);
    (world, coordinator, asked, topic)
}

#[tokio::test(start_paused = true)]
async fn any_broker_reports_what_others_know() {
    let (_world, coordinator, asked, _) = three_brokers();
    commit_by_hand(&coordinator, "g", commit("led", 0, 30)).await;
    commit_by_hand(&coordinator, "g", commit("led", 1, 20)).await;
    let mut watch = asked.watch_backlog(true);
    let seen = report(&mut watch, &watched("g", &[])).await;
    let group = &seen.groups[0];
    assert_eq!(group.problem, None);
    assert_eq!(group.state, "Empty");
    let expected = [
        ("led", 0, Some(30), 0, 100, 70),
        ("led", 1, Some(20), 60, 100, 40),
    ];
    assert_eq!(figures(group), expected);
}

#[tokio::test(start_paused = true)]
async fn each_peer_is_asked_once_an_interval() {
    let (world, coordinator, asked, _) = three_brokers();
    commit_by_hand(&coordinator, "g", commit("led", 0, 30)).await;
    commit_by_hand(&coordinator, "h", commit("led", 0, 10)).await;
    let groups = [watched("g", &[]), watched("h", &[])].concat();
    let mut watch = asked.watch_backlog(true);
    report(&mut watch, &groups).await;
    let before = (world.questions_to(0), world.questions_to(1));
    report(&mut watch, &groups).await;
    let after = (world.questions_to(0), world.questions_to(1));
    assert_eq!(after, (before.0 + 1, before.1 + 1));
}

#[tokio::test(start_paused = true)]
async fn unknown_groups_and_topics_are_told_apart() {
    let (_world, coordinator, asked, _) = three_brokers();
    commit_by_hand(&coordinator, "known", commit("led", 0, 30)).await;
    let mut watch = asked.watch_backlog(true);
    let seen = report(&mut watch, &watched("unknown", &["led"])).await;
    let group = &seen.groups[0];
    assert_eq!((group.state.as_str(), &group.problem), ("Dead", &None));
    let expected = [("led", 0, None, 0, 100, 100), ("led", 1, None, 60, 100, 40)];
    assert_eq!(figures(group), expected, "without a commit all counts");
    let seen = report(&mut watch, &watched("known", &["none"])).await;
    let problem = seen.groups[0].problem.clone();
    assert_eq!(problem.as_deref(), Some("there is no topic none"));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_named_and_its_figures_age() {
    let (world, coordinator, asked, topic) = three_brokers();
    commit_by_hand(&coordinator, "g", commit("led", 0, 30)).await;
    commit_by_hand(&coordinator, "other", commit("t", 0, 0)).await;
    let groups = [watched("g", &[]), watched("other", &[])].concat();
    let mut watch = asked.watch_backlog(true);
    report(&mut watch, &groups).await;
    world.silence(1, true);
    world.set_bounds(PartitionId::new(topic, 0), 0, 500);
    tokio::time::advance(Duration::from_secs(1)).await;
    let seen = report(&mut watch, &groups).await;
    let problem = seen.groups[0].problem.clone().expect("a broker is silent");
    assert!(
        problem.contains("led-0: broker 1: no answer within 800 ms"),
        "{problem}"
    );
    assert_eq!(
        figures(&seen.groups[0])[0],
        ("led", 0, Some(30), 0, 100, 70)
    );
    let age_ms = seen.groups[0].partitions[0].age_ms;
    assert!((1_800..3_000).contains(&age_ms), "{age_ms}");
    assert_eq!(seen.groups[1].problem, None, "its brokers answered");
    assert_eq!(seen.groups[1].partitions.len(), 2);

    world.silence(1, false);
    let seen = report(&mut watch, &groups).await;
    assert_eq!(seen.groups[0].problem, None);
    assert_eq!(figures(&seen.groups[0])[0].4, 500);
}

#[tokio::test(start_paused = true)]
async fn without_its_coordinator_a_group_keeps_its_last_figures() {
    let (world, coordinator, asked, topic) = three_brokers();
    commit_by_hand(&coordinator, "g", commit("led", 0, 30)).await;
    let mut watch = asked.watch_backlog(true);
    report(&mut watch, &watched("g", &[])).await;
    world.lead(None);
    world.set_bounds(PartitionId::new(topic, 0), 0, 200);
    let seen = report(&mut watch, &watched("g", &[])).await;
    let problem = seen.groups[0].problem.clone().expect("no coordinator");
    assert_eq!(problem, "group g: its coordinator is not available");
    assert_eq!(
        figures(&seen.groups[0])[0],
        ("led", 0, Some(30), 0, 200, 170)
    );
}

#[tokio::test(start_paused = true)]
async fn members_come_with_host_subscription_and_assignment() {
    let world = World::ready(1);
    let groups = world.start(0, GroupsConfig::default());
    let peer = "10.1.2.3:4000".parse().expect("an address");
    let caller = Caller {
        client_id: "billing".to_owned(),
        peer: Some(peer),
        ..Caller::internal()
    };
    let joined = eventually(|| groups.join_group(&caller, join_request("g", ""))).await;
    let all: &[u8] = &[
        0, 1, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
    ];
    let sync = SyncRequest {
        assignments: vec![(joined.member.clone(), Bytes::copy_from_slice(all))],
        ..sync_request("g", &joined, &[])
    };
    groups.sync_group(&caller, sync).await.expect("synced");
    let mut watch = groups.watch_backlog(true);
    let seen = report(&mut watch, &watched("g", &[])).await;
    let group = &seen.groups[0];
    assert_eq!(
        (group.state.as_str(), group.assignor.as_str()),
        ("Stable", "range")
    );
    assert_eq!(group.generation, joined.generation);
    let member = &group.members[0];
    assert_eq!(
        (member.host.as_str(), member.client_id.as_str()),
        ("10.1.2.3", "billing")
    );
    assert_eq!(member.subscribed, ["t"]);
    assert_eq!(member.assigned, [at("t", 0), at("t", 1)]);
    assert_eq!(
        group.partitions.len(),
        2,
        "topics that it subscribes to are reported"
    );
}

#[tokio::test(start_paused = true)]
async fn rates_come_from_the_difference_of_reports() {
    let (world, coordinator, asked, topic) = three_brokers();
    commit_by_hand(&coordinator, "g", commit("led", 0, 0)).await;
    let mut watch = asked.watch_backlog(true);
    for second in 0..=20 {
        world.set_bounds(PartitionId::new(topic, 0), 0, 100 + second * 50);
        commit_by_hand(&coordinator, "g", commit("led", 0, second * 30)).await;
        let seen = report(&mut watch, &watched("g", &[])).await;
        let partition = &seen.groups[0].partitions[0];
        if second == 0 {
            assert!(partition.arrival_rate.abs() < f64::EPSILON);
        }
        if second == 20 {
            assert!((partition.arrival_rate - 50.0).abs() < 1.0, "{partition:?}");
            assert!((partition.commit_rate - 30.0).abs() < 1.0, "{partition:?}");
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn offsets_of_a_watched_group_do_not_expire() {
    let world = World::ready(1);
    let retention = GroupConfig {
        offsets_retention_ms: 60_000,
        ..GroupConfig::default()
    };
    let config = GroupsConfig {
        group: retention,
        expiry_check: Duration::from_secs(10),
        ..GroupsConfig::default()
    };
    let groups = world.start(0, config);
    for group in ["watched", "seen", "left"] {
        commit_by_hand(&groups, group, commit("t", 0, 7)).await;
    }
    let (mut keeps, mut looks) = (groups.watch_backlog(true), groups.watch_backlog(false));
    for _ in 0..10 {
        report(&mut keeps, &watched("watched", &[])).await;
        report(&mut looks, &watched("seen", &[])).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(offset_of(&groups, "watched", "t", 0).await, 7);
    assert_eq!(offset_of(&groups, "seen", "t", 0).await, -1);
    assert_eq!(offset_of(&groups, "left", "t", 0).await, -1);
    tokio::time::sleep(Duration::from_secs(4_000)).await;
    assert_eq!(
        offset_of(&groups, "watched", "t", 0).await,
        -1,
        "nobody asks"
    );
}

#[test]
fn questions_and_answers_survive_the_wire() {
    use super::wire::{Answer, GroupAnswer, GroupFigures, MemberFigures, Question};
    use crate::peer::wire::{decode, encode};

    let topic = weir_types::TopicId(uuid::Uuid::from_u128(7));
    let question = Question {
        keep_offsets: true,
        groups: vec!["g".to_owned()],
        partitions: vec![(topic, vec![0, 5])],
    };
    let sent = encode(&question).expect("encodes");
    assert_eq!(decode::<Question>(&sent), Ok(question));
    let member = MemberFigures {
        id: "m".to_owned(),
        instance: Some("i".to_owned()),
        assigned: vec![("t".to_owned(), vec![0, 5])],
        ..MemberFigures::default()
    };
    let figures = GroupFigures {
        generation: 3,
        members: vec![member],
        committed: vec![("t".to_owned(), vec![(0, i64::MAX)])],
        ..GroupFigures::default()
    };
    let answer = Answer {
        groups: vec![GroupAnswer::Known(figures), GroupAnswer::Unknown],
        bounds: vec![vec![Some((1, 2)), None]],
    };
    let sent = encode(&answer).expect("encodes");
    assert_eq!(decode::<Answer>(&sent), Ok(answer));
    assert!(decode::<Answer>(&sent[..sent.len() / 2]).is_err());
}
