//! Leaders that go away.

use std::collections::BTreeSet;
use weir_api::{Acks, Error};
use weir_core::replica::ReplicaConfig;
use weir_types::{Offset, PartitionId};

use super::cluster::TestCluster;
use super::eventually;
use super::records::{all_on_disk, batch, produce, request, values};

/// Writes numbered values until told to stop; gives those that were acknowledged.
async fn write_numbers(
    cluster: &TestCluster,
    id: PartitionId,
    from: u32,
    count: u32,
) -> Vec<String> {
    let mut written = Vec::new();
    for n in from..from + count {
        let value = n.to_string();
        cluster.write(id, batch(&[&value])).await;
        written.push(value);
    }
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_with_a_leader() {
    let mut cluster = TestCluster::start(3).await;
    let topic = cluster.create(2, 3, &[("min.insync.replicas", "2")]);
    let ids = [PartitionId::new(topic, 0), PartitionId::new(topic, 1)];
    let mut acknowledged = [Vec::new(), Vec::new()];
    for (id, values) in ids.into_iter().zip(&mut acknowledged) {
        values.extend(write_numbers(&cluster, id, 0, 50).await);
    }
    let dead = cluster.leader_of(ids[0]).expect("a leader");
    let left = cluster.cut_off(dead.0).await;
    for (id, values) in ids.into_iter().zip(&mut acknowledged) {
        values.extend(write_numbers(&cluster, id, 50, 50).await);
    }
    for (id, acknowledged) in ids.into_iter().zip(&acknowledged) {
        let leader = cluster.leader_of(id).expect("a leader");
        assert_ne!(leader, dead);
        let read: BTreeSet<_> = values(cluster.broker(leader.0), id, Offset(0))
            .await
            .into_iter()
            .collect();
        let lost: Vec<_> = acknowledged.iter().filter(|v| !read.contains(*v)).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
    }
    left.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cut_off_leader_wrote_alone_is_cut_when_it_returns() {
    let mut cluster = TestCluster::start(3).await;
    let topic = cluster.create(1, 3, &[("min.insync.replicas", "2")]);
    let id = PartitionId::new(topic, 0);
    write_numbers(&cluster, id, 0, 10).await;
    let dead = cluster.leader_of(id).expect("a leader").0;
    let zombie = cluster.cut_off(dead).await;
    // It does not know yet that it leads no more; nobody follows it any more.
    let alone = produce(&zombie.partitions, 0, batch(&["alone"]), Acks::Leader).await;
    assert_eq!(alone.map(|a| a.base_offset), Ok(Offset(10)));
    let request = request(
        0,
        batch(&["never"]),
        Acks::All,
        std::time::Duration::from_millis(200),
    );
    let unheard = zombie.partitions.submit(request).await.await.remove(0);
    assert!(
        matches!(unheard, Err(Error::TimedOut | Error::NotEnoughReplicas)),
        "{unheard:?}"
    );
    write_numbers(&cluster, id, 10, 5).await;
    zombie.finish().await;
    cluster.start_broker(dead).await;
    eventually("the ISR to be whole", async || {
        (cluster.isr_of(id) == 3).then_some(())
    })
    .await;
    let replica = cluster.broker(dead).hub.table.get(id).expect("a replica");
    assert_eq!(replica.end(), Offset(15));
    let leader = cluster.leader_of(id).expect("a leader").0;
    let expected: Vec<_> = (0..15).map(|n| n.to_string()).collect();
    assert_eq!(
        values(cluster.broker(leader), id, Offset(0)).await,
        expected
    );
    // And the same on its own disk: it leads, if the others are gone.
    for other in (0..3).filter(|b| *b != dead) {
        cluster.stop_broker(other).await;
    }
    eventually("it to lead", async || {
        (cluster.leader_of(id)?.0 == dead).then_some(())
    })
    .await;
    let on_disk = all_on_disk(cluster.broker(dead), id);
    assert_eq!(on_disk, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_follower_leaves_the_isr_and_writes_go_on() {
    let rules = |config: &mut super::super::PartitionsConfig| {
        config.replica = ReplicaConfig {
            lag_ms_max: 300,
            ..ReplicaConfig::default()
        };
    };
    let cluster = TestCluster::start_tuned(3, rules).await;
    let topic = cluster.create(1, 3, &[("min.insync.replicas", "2")]);
    let id = PartitionId::new(topic, 0);
    cluster.write(id, batch(&["a"])).await;
    let leader = cluster.leader_of(id).expect("a leader").0;
    // It hangs: its connections stay, the metadata believes in it.
    let silent = (leader + 1) % 3;
    cluster.broker(silent).stop().await.expect("stopped");
    let appended = cluster.write(id, batch(&["b"])).await;
    assert_eq!(appended.base_offset, Offset(1));
    assert_eq!(cluster.isr_of(id), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_refused_while_too_few_replicas_are_in_sync() {
    let mut cluster = TestCluster::start(3).await;
    let topic = cluster.create(1, 3, &[("min.insync.replicas", "2")]);
    let id = PartitionId::new(topic, 0);
    cluster.write(id, batch(&["a"])).await;
    let leader = cluster.leader_of(id).expect("a leader").0;
    for other in (0..3).filter(|b| *b != leader) {
        cluster.stop_broker(other).await;
    }
    let broker = cluster.broker(leader);
    let refused = eventually("the ISR to be too small", async || {
        match produce(broker, 0, batch(&["b"]), Acks::All).await {
            Err(Error::NotEnoughReplicas) => Some(()),
            _ => None,
        }
    });
    refused.await;
    let alone = produce(broker, 0, batch(&["c"]), Acks::Leader).await;
    assert!(alone.is_ok(), "acks=1 needs no others: {alone:?}");
    let before = broker.bounds(id);
    cluster.alter(topic, "min.insync.replicas", "1");
    let broker = cluster.broker(leader);
    eventually("writes with the new minimum", async || {
        produce(broker, 0, batch(&["d"]), Acks::All).await.ok()
    })
    .await;
    assert!(broker.bounds(id) > before);
}
