//! Brokers that all stop uncleanly and come back: whoever holds the most leads.

use weir_api::Acks;
use weir_core::cluster::ClusterCommand;
use weir_types::{Offset, PartitionId};

use super::cluster::TestCluster;
use super::eventually;
use super::records::{all_on_disk, batch, produce};

/// As a loss of power leaves it: nothing says that the last process closed its logs.
async fn stop_uncleanly(cluster: &mut TestCluster, broker: i32) {
    cluster.stop_broker(broker).await;
    std::fs::remove_file(cluster.folder(broker).join("clean")).expect("was an orderly stop");
}

async fn until_led(cluster: &TestCluster, id: PartitionId) -> i32 {
    let led = eventually("a leader", async || cluster.leader_of(id));
    led.await.0
}

/// Three replicas with one record, the leader with another one that nobody else has; none of them
/// runs. Gives the leader and the others.
async fn all_gone(config: &[(&str, &str)]) -> (TestCluster, PartitionId, i32, [i32; 2]) {
    let mut cluster = TestCluster::start(3).await;
    let id = PartitionId::new(cluster.create(1, 3, config), 0);
    cluster.write(id, batch(&["everywhere"])).await;
    eventually("everybody to have it", async || {
        let whole = (0..3).all(|b| {
            let replica = cluster.broker(b).hub.table.get(id);
            replica.is_some_and(|r| r.high_watermark() == Offset(1))
        });
        whole.then_some(())
    })
    .await;
    let leader = until_led(&cluster, id).await;
    let others: Vec<_> = (0..3).filter(|b| *b != leader).collect();
    let others: [i32; 2] = others.try_into().expect("three brokers");
    for other in others {
        stop_uncleanly(&mut cluster, other).await;
    }
    produce(cluster.broker(leader), 0, batch(&["alone"]), Acks::Leader)
        .await
        .expect("acknowledged by the leader");
    stop_uncleanly(&mut cluster, leader).await;
    (cluster, id, leader, others)
}

async fn come_back_and_tell(cluster: &mut TestCluster, id: PartitionId, brokers: [i32; 2]) {
    for broker in brokers {
        cluster.start_broker(broker).await;
    }
    eventually("both to say how their logs end", async || {
        let image = cluster.metadata.image();
        (image.awaited_ends.get(&id)?.len() == 2).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_leader_alone_acknowledged_outlives_the_loss_of_all() {
    let (mut cluster, id, leader, others) = all_gone(&[("min.insync.replicas", "3")]).await;
    come_back_and_tell(&mut cluster, id, others).await;
    assert_eq!(cluster.leader_of(id), None, "{leader} is not back");
    cluster.start_broker(leader).await;
    assert_eq!(until_led(&cluster, id).await, leader);
    assert_eq!(
        all_on_disk(cluster.broker(leader), id),
        ["everywhere", "alone"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_leader_the_others_go_on_once_the_wait_is_over() {
    let (mut cluster, id, leader, others) = all_gone(&[("min.insync.replicas", "3")]).await;
    come_back_and_tell(&mut cluster, id, others).await;
    let partitions = vec![id];
    cluster
        .metadata
        .apply(&ClusterCommand::EndElectionWait { partitions });
    let heir = until_led(&cluster, id).await;
    assert_ne!(heir, leader);
    assert_eq!(all_on_disk(cluster.broker(heir), id), ["everywhere"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_async_replica_does_not_stand_after_an_unclean_stop() {
    let config = [("min.insync.replicas", "3"), ("weir.flush", "async")];
    let (mut cluster, id, ..) = all_gone(&config).await;
    for broker in 0..3 {
        cluster.start_broker(broker).await;
    }
    let image = cluster.metadata.image();
    let partition = image.partition(id).expect("created");
    assert!(partition.elr.is_empty() && partition.leader.is_none());
    assert!(image.awaited_ends.is_empty());
}
