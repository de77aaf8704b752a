//! Writes that ask for no acknowledgement.

use weir_api::{Acks, Error};
use weir_types::{Offset, PartitionId};

use super::cluster::TestCluster;
use super::records::{batch, produce, produce_when_led};

#[tokio::test(flavor = "multi_thread")]
async fn without_acks_the_other_replicas_are_not_awaited() {
    let mut cluster = TestCluster::start(2).await;
    let topic = cluster.create(1, 2, &[("min.insync.replicas", "2")]);
    produce_when_led(cluster.broker(0), 0, batch(&["a"]), Acks::All).await;
    // Nothing is acknowledged by all, and the high watermark stays, from here on.
    let _follower = cluster.cut_off(1).await;
    let broker = cluster.broker(0);
    let appended = produce(broker, 0, batch(&["b"]), Acks::None)
        .await
        .expect("written");
    assert_eq!(appended.base_offset, Offset(1));
    let id = PartitionId::new(topic, 0);
    assert_eq!(broker.bounds(id), Some((Offset(0), Offset(1))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_write_is_told_without_acks_too() {
    let cluster = TestCluster::start(2).await;
    let topic = cluster.create(1, 2, &[]);
    let (leader, follower) = (cluster.broker(0), cluster.broker(1));
    produce_when_led(leader, 0, batch(&["a"]), Acks::All).await;
    let unknown = produce(leader, 7, batch(&["b"]), Acks::None).await;
    assert_eq!(unknown, Err(Error::UnknownTopicOrPartition));
    let not_led = produce(follower, 0, batch(&["b"]), Acks::None).await;
    assert!(
        matches!(not_led, Err(Error::NotLeader { .. })),
        "{not_led:?}"
    );
    let mut bad = batch(&["b"]).to_vec();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    let corrupt = produce(leader, 0, bad.into(), Acks::None).await;
    assert!(
        matches!(corrupt, Err(Error::CorruptMessage(_))),
        "{corrupt:?}"
    );
    let large = "x".repeat(2 * 1024 * 1024);
    let too_large = produce(leader, 0, batch(&[&large]), Acks::None).await;
    assert_eq!(too_large, Err(Error::MessageTooLarge));
    let bounds = leader.bounds(PartitionId::new(topic, 0));
    assert_eq!(bounds, Some((Offset(0), Offset(1))), "nothing was written");
}
