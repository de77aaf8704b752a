//! Writes to one broker.

use bytes::Bytes;
use std::sync::atomic::Ordering;
use std::time::Duration;
use weir_api::{Acks, Error, OffsetSpec};
use weir_storage::{BatchBuilder, DataFolder, LogConfig, RealDisk};
use weir_types::{BrokerId, LeaderEpoch, Millis, Offset, PartitionId};

use super::super::recover;

use super::cluster::TestCluster;
use super::eventually;
use super::records::{batch, by_name, produce, produce_when_led, request, values};

#[tokio::test(flavor = "multi_thread")]
async fn writes_get_offsets_in_order_and_are_read_back() {
    let cluster = TestCluster::start(1).await;
    let topic = cluster.create(2, 1, &[]);
    let broker = cluster.broker(0);
    let first = produce_when_led(broker, 0, batch(&["a", "b"]), Acks::All).await;
    assert_eq!(first.base_offset, Offset(0));
    let second = produce(broker, 0, batch(&["c"]), Acks::Leader)
        .await
        .expect("acknowledged");
    assert_eq!(second.base_offset, Offset(2));
    let other = produce_when_led(broker, 1, batch(&["x"]), Acks::All).await;
    assert_eq!(other.base_offset, Offset(0));
    let read = values(broker, PartitionId::new(topic, 0), Offset(0)).await;
    assert_eq!(read, ["a", "b", "c"]);
    assert!(broker.metrics().fdatasyncs.load(Ordering::Relaxed) >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_submitted_in_turn_are_appended_in_turn() {
    let cluster = TestCluster::start(1).await;
    let topic = cluster.create(1, 1, &[]);
    let broker = cluster.broker(0);
    produce_when_led(broker, 0, batch(&["0"]), Acks::All).await;
    let mut answers = Vec::new();
    for n in 1..200 {
        let value = n.to_string();
        let one = request(0, batch(&[&value]), Acks::All, Duration::from_secs(10));
        answers.push(broker.submit(one).await);
    }
    for (n, answer) in (1..).zip(answers) {
        let appended = answer.await.remove(0).expect("acknowledged");
        assert_eq!(appended.base_offset, Offset(n));
    }
    let read = values(broker, PartitionId::new(topic, 0), Offset(0)).await;
    assert_eq!(read, (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
    let syncs = broker.metrics().fdatasyncs.load(Ordering::Relaxed);
    assert!(
        syncs < 200,
        "{syncs} syncs: writes were not committed in groups"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_is_answered_with_its_first_offsets() {
    let cluster = TestCluster::start(1).await;
    cluster.create(1, 1, &[]);
    let broker = cluster.broker(0);
    produce_when_led(broker, 0, batch(&["a"]), Acks::All).await;
    let write = |sequence: i32| -> Bytes {
        let mut builder = BatchBuilder::new().producer(7, 0, sequence);
        builder.push(1_000, None, Some(b"once"));
        builder.build()
    };
    let first = produce(broker, 0, write(0), Acks::All)
        .await
        .expect("acknowledged");
    let next = produce(broker, 0, write(1), Acks::All)
        .await
        .expect("acknowledged");
    let again = produce(broker, 0, write(0), Acks::All)
        .await
        .expect("acknowledged");
    assert_eq!(
        (first.base_offset, next.base_offset),
        (Offset(1), Offset(2))
    );
    assert_eq!(again.base_offset, first.base_offset);
    assert_eq!(
        broker.metrics().duplicate_requests.load(Ordering::Relaxed),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_batches_and_unknown_partitions_are_refused_each_by_itself() {
    let cluster = TestCluster::start(1).await;
    cluster.create(1, 1, &[]);
    let broker = cluster.broker(0);
    produce_when_led(broker, 0, batch(&["a"]), Acks::All).await;
    let mut bad = batch(&["b"]).to_vec();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    let refused = produce(broker, 0, bad.into(), Acks::All).await;
    assert!(
        matches!(refused, Err(Error::CorruptMessage(_))),
        "{refused:?}"
    );
    let unknown = produce(broker, 7, batch(&["c"]), Acks::All).await;
    assert_eq!(unknown, Err(Error::UnknownTopicOrPartition));
    let good = produce(broker, 0, batch(&["d"]), Acks::All)
        .await
        .expect("acknowledged");
    assert_eq!(good.base_offset, Offset(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_byte_budget_waits_its_turn() {
    let cluster = TestCluster::start_tuned(1, |config| config.budget_bytes = 4 * 1024).await;
    let topic = cluster.create(1, 1, &[]);
    let broker = cluster.broker(0);
    produce_when_led(broker, 0, batch(&["0"]), Acks::All).await;
    let large = "x".repeat(3 * 1024);
    let write = async || produce(broker, 0, batch(&[&large]), Acks::All).await;
    let writes = (0..20).map(|_| write());
    for written in futures::future::join_all(writes).await {
        written.expect("acknowledged");
    }
    let id = PartitionId::new(topic, 0);
    assert_eq!(broker.bounds(id), Some((Offset(0), Offset(21))));
}

#[tokio::test(flavor = "multi_thread")]
async fn async_topics_are_acknowledged_when_written() {
    let cluster = TestCluster::start(1).await;
    let topic = cluster.create(
        1,
        1,
        &[
            ("weir.flush", "async"),
            ("weir.flush.interval.ms", "3600000"),
        ],
    );
    let broker = cluster.broker(0);
    for n in 0..10 {
        let appended = produce_when_led(broker, 0, batch(&["a"]), Acks::All).await;
        assert_eq!(appended.base_offset, Offset(n));
    }
    assert_eq!(broker.metrics().fdatasyncs.load(Ordering::Relaxed), 0);
    assert_eq!(
        broker.bounds(PartitionId::new(topic, 0)),
        Some((Offset(0), Offset(10)))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_records_are_gone_and_the_start_is_told() {
    let cluster = TestCluster::start(1).await;
    let topic = cluster.create(1, 1, &[]);
    let broker = cluster.broker(0);
    for value in ["a", "b", "c"] {
        produce_when_led(broker, 0, batch(&[value]), Acks::All).await;
    }
    let wait = Duration::from_secs(10);
    let start = broker
        .delete_records(&by_name(), 0, Offset(2), wait)
        .await
        .expect("deleted");
    assert_eq!(start, Offset(2));
    let past = broker.delete_records(&by_name(), 0, Offset(9), wait).await;
    assert_eq!(past, Err(Error::OffsetOutOfRange));
    let none = LeaderEpoch::NONE;
    let found = eventually("the start", async || {
        let found = broker
            .find_offset(&by_name(), 0, none, OffsetSpec::Earliest)
            .await
            .ok()?;
        (found.offset == Offset(2)).then_some(found)
    })
    .await;
    assert_eq!(found.offset, Offset(2));
    assert_eq!(
        values(broker, PartitionId::new(topic, 0), Offset(2)).await,
        ["c"]
    );
    let all = broker
        .delete_records(&by_name(), 0, Offset(-1), wait)
        .await
        .expect("deleted");
    assert_eq!(all, Offset(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_what_was_acknowledged_and_who_wrote_it() {
    let mut cluster = TestCluster::start(1).await;
    let topic = cluster.create(3, 1, &[]);
    let once = {
        let mut builder = BatchBuilder::new().producer(7, 0, 0);
        builder.push(1_000, None, Some(b"once"));
        builder.build()
    };
    for index in 0..3 {
        produce_when_led(cluster.broker(0), index, once.clone(), Acks::All).await;
        produce_when_led(cluster.broker(0), index, batch(&["b", "c"]), Acks::All).await;
    }
    cluster.stop_broker(0).await;
    cluster.start_broker(0).await;
    let broker = cluster.broker(0);
    for index in 0..3 {
        let again = produce_when_led(broker, index, once.clone(), Acks::All).await;
        assert_eq!(
            again.base_offset,
            Offset(0),
            "a duplicate across the restart"
        );
        let next = produce_when_led(broker, index, batch(&["d"]), Acks::All).await;
        assert_eq!(next.base_offset, Offset(3));
        let read = values(broker, PartitionId::new(topic, index), Offset(0)).await;
        assert_eq!(read, ["once", "b", "c", "d"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_topic_takes_its_data_with_it() {
    let cluster = TestCluster::start(1).await;
    let topic = cluster.create(1, 1, &[]);
    let broker = cluster.broker(0);
    produce_when_led(broker, 0, batch(&["a"]), Acks::All).await;
    let holds = |id: PartitionId| {
        let wanted = id.topic.to_string();
        let simple = id.topic.0.simple().to_string();
        let mut folders = vec![cluster.folder(0).to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.contains(&wanted) || name.contains(&simple) {
                    return true;
                }
                if entry.path().is_dir() {
                    folders.push(entry.path());
                }
            }
        }
        false
    };
    let id = PartitionId::new(topic, 0);
    assert!(holds(id));
    cluster
        .metadata
        .apply(&weir_core::cluster::ClusterCommand::DeleteTopic { topic });
    eventually("the folder to go", async || (!holds(id)).then_some(())).await;
    let refused = produce(broker, 0, batch(&["b"]), Acks::All).await;
    assert_eq!(refused, Err(Error::UnknownTopicOrPartition));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_broker_takes_no_writes() {
    let mut cluster = TestCluster::start(1).await;
    cluster.create(1, 1, &[]);
    produce_when_led(cluster.broker(0), 0, batch(&["a"]), Acks::All).await;
    let broker = cluster.cut_off(0).await;
    broker.partitions.stop().await.expect("an orderly stop");
    let refused = produce(&broker.partitions, 0, batch(&["b"]), Acks::All).await;
    assert_eq!(refused, Err(Error::ShuttingDown));
}

#[tokio::test(flavor = "multi_thread")]
async fn async_logs_are_known_as_such_before_the_metadata_is() {
    let mut cluster = TestCluster::start(1).await;
    let topic = cluster.create(1, 1, &[("weir.flush", "async")]);
    let id = PartitionId::new(topic, 0);
    produce_when_led(cluster.broker(0), 0, batch(&["a"]), Acks::All).await;
    cluster.stop_broker(0).await;
    let open = || {
        let path = cluster.folder(0);
        DataFolder::open(RealDisk, path, BrokerId(0), Millis(0)).expect("a folder")
    };
    // The first opening takes the mark of the orderly stop away: the second finds none.
    let after_stop = recover(&open(), |_| LogConfig::default()).expect("readable");
    assert_eq!(after_stop.ineligible, []);
    drop(after_stop);
    let after_crash = recover(&open(), |_| LogConfig::default()).expect("readable");
    assert_eq!(after_crash.ineligible, [id]);
}
