//! Old segments go, and what is left is found.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use weir_api::{Acks, Error, FoundOffset, OffsetSpec};
use weir_core::cluster::{ClusterCommand, NewTopic};
use weir_storage::BatchBuilder;
use weir_types::{LeaderEpoch, Offset, PartitionId, TopicId};

use super::super::{Partitions, PartitionsConfig};
use super::cluster::{TOPIC, TestCluster};
use super::eventually;
use super::records::{by_name, produce, produce_when_led, values};

const MIB: usize = 1 << 20;
/// The smallest that a topic may ask for.
const SMALL: (&str, &str) = ("segment.bytes", "1048576");

fn often(config: &mut PartitionsConfig) {
    config.retention_check = Duration::from_millis(20);
    config.compaction_check = Duration::from_millis(20);
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.expect("after 1970").as_millis()).expect("before the year 292 million")
}

/// One record of about 100 kB that begins with `n`.
fn large(timestamp_ms: i64, key: &str, n: usize) -> bytes::Bytes {
    let mut builder = BatchBuilder::new();
    let value = format!("{n}:{}", "x".repeat(100_000));
    builder.push(timestamp_ms, Some(key.as_bytes()), Some(value.as_bytes()));
    builder.build()
}

fn number(value: &str) -> usize {
    let (n, _) = value.split_once(':').expect("a numbered value");
    n.parse().expect("a number")
}

async fn find(broker: &Partitions, spec: OffsetSpec) -> FoundOffset {
    broker
        .find_offset(&by_name(), 0, LeaderEpoch::NONE, spec)
        .await
        .expect("led here")
}

async fn until_it_starts_after(broker: &Partitions, offset: Offset) -> Offset {
    eventually("old segments to go", async || {
        let start = find(broker, OffsetSpec::Earliest).await.offset;
        (start > offset).then_some(start)
    })
    .await
}

/// Bytes of the log files of a partition on one broker.
fn bytes_on_disk(cluster: &TestCluster, broker: i32, id: PartitionId) -> usize {
    let folder: PathBuf = cluster
        .folder(broker)
        .join("partitions")
        .join(id.to_string());
    let files = std::fs::read_dir(folder).expect("a folder").flatten();
    let logs = files.filter(|file| file.path().extension().is_some_and(|e| e == "log"));
    // One that goes in this moment has no size.
    let sizes = logs.filter_map(|file| file.metadata().ok());
    sizes
        .map(|m| usize::try_from(m.len()).expect("small"))
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_keeps_about_as_many_bytes_as_it_was_told() {
    let cluster = TestCluster::start_tuned(1, often).await;
    let config = [
        SMALL,
        ("retention.bytes", "3000000"),
        ("retention.ms", "-1"),
    ];
    let topic = cluster.create(1, 1, &config);
    let (id, broker) = (PartitionId::new(topic, 0), cluster.broker(0));
    for n in 0..100 {
        produce_when_led(broker, 0, large(1_000, "k", n), Acks::All).await;
    }
    // Ten records a segment, whole segments go, and the last that must stay stays. The files go
    // first, and then it is told.
    let start = until_it_starts_after(broker, Offset(69)).await;
    assert_eq!(start, Offset(70));
    assert!((3_000_000..3_000_000 + MIB).contains(&bytes_on_disk(&cluster, 0, id)));
    let kept: Vec<_> = values(broker, id, start).await;
    let kept: Vec<_> = kept.iter().map(|v| number(v)).collect();
    let first = usize::try_from(start.0).expect("positive");
    assert_eq!(
        kept,
        (first..100).collect::<Vec<_>>(),
        "the newest, without a hole"
    );
    let gone = broker.read(id, Offset(0), 100).await;
    assert_eq!(gone.map(|_| ()), Err(Error::OffsetOutOfRange));
}

#[tokio::test(flavor = "multi_thread")]
async fn old_records_go_and_look_ups_by_time_find_what_is_left() {
    let cluster = TestCluster::start_tuned(1, often).await;
    cluster.create(1, 1, &[SMALL, ("retention.ms", "3600000")]);
    let broker = cluster.broker(0);
    let now = now_ms();
    let (old, young) = (now - 2 * 3_600_000, now - 1_000);
    for n in 0..30 {
        produce_when_led(broker, 0, large(old + n, "k", 0), Acks::All).await;
    }
    for n in 0..30 {
        produce_when_led(broker, 0, large(young + n, "k", 0), Acks::All).await;
    }
    let start = until_it_starts_after(broker, Offset(0)).await;
    assert!(start <= Offset(30), "{start}: a young record went");
    // Asked for a time that is gone: the first record that is left (of that time or later).
    let found = find(broker, OffsetSpec::Timestamp(old)).await;
    assert!(
        found.offset >= start && found.offset <= Offset(30),
        "{found:?}"
    );
    let found = find(broker, OffsetSpec::Timestamp(young + 7)).await;
    assert_eq!((found.offset, found.timestamp_ms), (Offset(37), young + 7));
    let found = find(broker, OffsetSpec::MaxTimestamp).await;
    assert_eq!((found.offset, found.timestamp_ms), (Offset(59), young + 29));
    assert_eq!(
        find(broker, OffsetSpec::Timestamp(now + 60_000))
            .await
            .offset,
        Offset(-1)
    );

    let before = Offset(45);
    let wait = Duration::from_secs(10);
    let deleted = broker.delete_records(&by_name(), 0, before, wait).await;
    assert_eq!(deleted, Ok(before));
    let found = find(broker, OffsetSpec::Timestamp(old)).await;
    assert_eq!(found.offset, before, "what was deleted is not found again");
    assert_eq!(
        find(broker, OffsetSpec::Timestamp(young)).await.offset,
        before
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_nobody_writes_to_expires_as_a_whole_and_goes_on_from_its_end() {
    let mut cluster = TestCluster::start_tuned(1, often).await;
    let topic = cluster.create(1, 1, &[SMALL, ("retention.ms", "3600000")]);
    let old = now_ms() - 2 * 3_600_000;
    for n in 0..5 {
        produce_when_led(cluster.broker(0), 0, large(old, "k", n), Acks::All).await;
    }
    until_it_starts_after(cluster.broker(0), Offset(4)).await;
    cluster.stop_broker(0).await;
    cluster.start_broker(0).await;
    let broker = cluster.broker(0);
    let appended = produce_when_led(broker, 0, large(now_ms(), "k", 5), Acks::All).await;
    assert_eq!(appended.base_offset, Offset(5));
    let kept = values(broker, PartitionId::new(topic, 0), Offset(5)).await;
    assert_eq!(kept.iter().map(|v| number(v)).collect::<Vec<_>>(), [5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_drop_old_segments_too() {
    let cluster = TestCluster::start_tuned(3, often).await;
    let config = [
        SMALL,
        ("retention.bytes", "2000000"),
        ("retention.ms", "-1"),
    ];
    let id = PartitionId::new(cluster.create(1, 3, &config), 0);
    for n in 0..60 {
        cluster.write(id, large(1_000, "k", n)).await;
    }
    for broker in 0..3 {
        eventually("each replica to be small", async || {
            (bytes_on_disk(&cluster, broker, id) < 2_000_000 + 2 * MIB).then_some(())
        })
        .await;
    }
    assert_eq!(cluster.isr_of(id), 3);
}

/// As `__consumer_offsets` is kept.
fn create_compacted(cluster: &TestCluster, replicas: i16) -> PartitionId {
    let id = TopicId(uuid::Uuid::new_v4());
    let config = [SMALL, ("cleanup.policy", "compact")];
    let config = config.map(|(k, v)| (k.to_owned(), v.to_owned()));
    cluster
        .metadata
        .apply(&ClusterCommand::CreateTopic(NewTopic {
            id,
            name: TOPIC.to_owned(),
            internal: true,
            partitions: 1,
            replication_factor: replicas,
            assignments: None,
            config: config.into(),
            owner: None,
            seed: 0,
            validate_only: false,
        }));
    PartitionId::new(id, 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_internal_topic_is_compacted_on_every_replica_and_keeps_the_last_of_each_key() {
    let mut cluster = TestCluster::start_tuned(3, often).await;
    let id = create_compacted(&cluster, 3);
    for n in 0..90 {
        let key = format!("key-{}", n % 3);
        cluster.write(id, large(now_ms(), &key, n)).await;
    }
    for broker in 0..3 {
        eventually("each replica to be compacted", async || {
            (bytes_on_disk(&cluster, broker, id) < 3 * MIB).then_some(())
        })
        .await;
    }
    let leader = cluster.leader_of(id).expect("a leader").0;
    let kept = values(cluster.broker(leader), id, Offset(0)).await;
    let kept: Vec<_> = kept.iter().map(|v| number(v)).collect();
    assert!(kept.ends_with(&[87, 88, 89]), "{kept:?}");
    assert!(kept.len() < 40, "{kept:?}");
    // Offsets stay, and a replica that begins anew copies the gaps.
    let refused = produce(
        cluster.broker(leader),
        0,
        super::records::batch(&["x"]),
        Acks::All,
    )
    .await;
    assert!(refused.is_ok(), "{refused:?}");
    let away = (0..3).find(|b| *b != leader).expect("a follower");
    cluster.stop_broker(away).await;
    let gone = cluster.folder(away).join("partitions").join(id.to_string());
    std::fs::remove_dir_all(gone).expect("removed");
    std::fs::remove_file(cluster.folder(away).join("clean")).expect("was an orderly stop");
    cluster.start_broker(away).await;
    eventually("the ISR to be whole", async || {
        (cluster.isr_of(id) == 3).then_some(())
    })
    .await;
    let copied = super::records::all_on_disk(cluster.broker(away), id);
    assert_eq!(copied.last().map(String::as_str), Some("x"));
}
