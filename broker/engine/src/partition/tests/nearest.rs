//! Consumers in the rack of a follower.

use std::sync::atomic::Ordering;
use std::time::Duration;
use weir_api::{
    Error, FetchPartition, FetchRequest, FetchedPartition, Isolation, OffsetSpec, ReadFrom,
};
use weir_core::cluster::{ClusterCommand, ConfigOp, ConfigResource, Listener};
use weir_types::{BrokerId, LeaderEpoch, Offset, PartitionId};

use super::super::Partitions;
use super::cluster::TestCluster;
use super::eventually;
use super::records::{batch, by_name};

const HELD: Duration = Duration::from_secs(60);
const LISTENER: &str = "client";

/// Every broker's, in a rack of its own.
pub(super) fn listener() -> Listener {
    Listener {
        name: LISTENER.to_owned(),
        host: "localhost".to_owned(),
        port: 9092,
    }
}

fn in_rack_of(broker: i32) -> ReadFrom {
    ReadFrom::Any {
        rack: format!("rack-{broker}"),
        listener: LISTENER.to_owned(),
    }
}

async fn fetch(
    broker: &Partitions,
    offset: i64,
    wait: Duration,
    read_from: ReadFrom,
) -> FetchedPartition {
    let request = FetchRequest {
        max_wait: wait,
        min_bytes: 1,
        max_bytes: 1 << 20,
        isolation: Isolation::ReadUncommitted,
        read_from,
        partitions: vec![FetchPartition {
            topic: by_name(),
            index: 0,
            leader_epoch: LeaderEpoch::NONE,
            offset: Offset(offset),
            last_fetched_epoch: LeaderEpoch::NONE,
            max_bytes: 1 << 20,
        }],
    };
    broker.fetch(request).await.remove(0)
}

/// Three brokers, a partition on all of them with one record, its leader and a follower that
/// knows that it is committed.
async fn three() -> (TestCluster, PartitionId, i32, i32) {
    let cluster = TestCluster::start(3).await;
    let id = PartitionId::new(cluster.create(1, 3, &[]), 0);
    cluster.write(id, batch(&["a"])).await;
    let leader = cluster.leader_of(id).expect("a leader").0;
    let follower = (leader + 1) % 3;
    for broker in 0..3 {
        eventually("the high watermark", async || {
            let replica = cluster.broker(broker).hub.table.get(id)?;
            (replica.high_watermark() == Offset(1)).then_some(())
        })
        .await;
    }
    (cluster, id, leader, follower)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_names_the_replica_in_the_consumers_rack_and_no_other() {
    let (cluster, _, leader, follower) = three().await;
    let ask = async |rack| fetch(cluster.broker(leader), 0, Duration::ZERO, rack).await;
    let sent = ask(in_rack_of(follower)).await;
    assert_eq!(
        (sent.error, sent.preferred),
        (None, Some(BrokerId(follower)))
    );
    assert!(sent.records.is_empty());
    for rack in [in_rack_of(leader), in_rack_of(9), ReadFrom::Leader] {
        let served = ask(rack).await;
        assert_eq!((served.error, served.preferred), (None, None));
        assert!(!served.records.is_empty());
    }
    let metrics = cluster.broker(leader).metrics();
    assert_eq!(metrics.preferred_replicas.load(Ordering::Relaxed), 1);
    cluster.metadata.apply(&ClusterCommand::AlterConfig {
        resource: ConfigResource::ClusterDefault,
        ops: vec![ConfigOp::Set(
            "replica.selector.class".to_owned(),
            "LeaderSelector".to_owned(),
        )],
        validate_only: false,
    });
    assert_eq!(ask(in_rack_of(follower)).await.preferred, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_serves_what_is_committed_and_wakes_who_waits() {
    let (cluster, id, _, follower) = three().await;
    let near = in_rack_of(follower);
    let broker = cluster.broker(follower);
    let first = fetch(broker, 0, Duration::ZERO, near.clone()).await;
    assert_eq!((first.error, first.high_watermark), (None, Offset(1)));
    assert_eq!(first.records.len(), batch(&["a"]).len());
    let began = std::time::Instant::now();
    let held = fetch(broker, 1, HELD, near);
    let (held, _) = tokio::join!(held, cluster.write(id, batch(&["b"])));
    assert_eq!(held.error, None);
    assert!(!held.records.is_empty());
    assert!(began.elapsed() < HELD / 2, "the high watermark woke nobody");
    let given = broker
        .metrics()
        .fetched_as_follower_bytes
        .load(Ordering::Relaxed);
    assert_eq!(given, 2 * batch(&["a"]).len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_sends_back_what_only_the_leader_can_answer() {
    let (cluster, _, leader, follower) = three().await;
    let broker = cluster.broker(follower);
    let old_client = fetch(broker, 0, Duration::ZERO, ReadFrom::Leader).await;
    let named = |error: &Option<Error>| match error {
        Some(Error::NotLeader { leader, .. }) => leader.map(|l| l.0),
        _ => None,
    };
    assert_eq!(named(&old_client.error), Some(leader));
    let ahead = fetch(broker, 7, Duration::from_millis(20), in_rack_of(follower)).await;
    assert_eq!(ahead.error, Some(Error::OffsetNotAvailable));
    let latest = broker
        .find_offset(&by_name(), 0, LeaderEpoch::NONE, OffsetSpec::Latest)
        .await;
    assert_eq!(named(&latest.err()), Some(leader));
}
