//! A folder whose sync failed.

use weir_api::{Acks, Error};
use weir_storage::{DataFolder, RealDisk};
use weir_types::{BrokerId, Millis, PartitionId};

use super::cluster::TestCluster;
use super::eventually;
use super::records::{batch, produce, produce_when_led};

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_failed_is_served_no_more_and_not_marked_clean() {
    let mut cluster = TestCluster::start(1).await;
    let topic = cluster.create(1, 1, &[]);
    let broker = cluster.broker(0);
    produce_when_led(broker, 0, batch(&["a"]), Acks::All).await;
    let mut fatal = broker.fatal();
    broker.hub.fail("fdatasync failed".to_owned());
    let reason = fatal
        .wait_for(Option::is_some)
        .await
        .expect("a reason")
        .clone();
    assert_eq!(reason.as_deref(), Some("fdatasync failed"));
    let refused = eventually("the shards to stop", async || {
        produce(broker, 0, batch(&["b"]), Acks::All).await.err()
    })
    .await;
    assert_eq!(refused, Error::Storage("fdatasync failed".to_owned()));
    assert_eq!(broker.bounds(PartitionId::new(topic, 0)), None);
    cluster.stop_broker(0).await;
    let path = cluster.folder(0);
    let folder = DataFolder::open(RealDisk, path, BrokerId(0), Millis(0)).expect("a folder");
    assert!(!folder.was_clean());
}
