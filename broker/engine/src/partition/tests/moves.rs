//! Partitions move between brokers while they are written to.

use bytes::Bytes;
use std::time::{Duration, Instant};
use weir_api::Acks;
use weir_core::cluster::{ClusterCommand, ClusterReply, ConfigOp, ConfigResource, Reassign};
use weir_types::{BrokerId, Offset, PartitionId};

use super::cluster::TestCluster;
use super::eventually;
use super::records::{batch, produce, values};

impl TestCluster {
    fn reassign(&self, partition: PartitionId, target: Option<&[i32]>) {
        let target = target.map(|ids| ids.iter().copied().map(BrokerId).collect());
        let changes = vec![Reassign { partition, target }];
        let same_factor = false;
        let reply = self.metadata.apply(&ClusterCommand::AlterReassignments {
            changes,
            same_factor,
        });
        assert_eq!(reply, ClusterReply::Reassigned(vec![Ok(())]));
    }

    fn replicas_of(&self, id: PartitionId) -> Vec<i32> {
        let image = self.metadata.image();
        let partition = image.partition(id).expect("it exists");
        partition.replicas.iter().map(|b| b.0).collect()
    }

    async fn until_on(&self, id: PartitionId, replicas: &[i32]) {
        let on = async || (self.replicas_of(id) == replicas).then_some(());
        eventually("the replicas to be elsewhere", on).await;
    }

    fn has_folder(&self, broker: i32, id: PartitionId) -> bool {
        let path = self.folder(broker).join("partitions").join(id.to_string());
        path.exists()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_moves_to_other_brokers_under_writes_and_leaves_nothing_behind() {
    let cluster = TestCluster::start(4).await;
    let topic = cluster.create(1, 2, &[("min.insync.replicas", "2")]);
    let id = PartitionId::new(topic, 0);
    let before = cluster.replicas_of(id);
    let target: Vec<i32> = (0..4).filter(|b| !before.contains(b)).collect();
    let mut written = Vec::new();
    for n in 0..20 {
        let value = n.to_string();
        cluster.write(id, batch(&[&value])).await;
        written.push(value);
    }
    cluster.reassign(id, Some(&target));
    let mut after = 0;
    while after < 20 {
        let value = written.len().to_string();
        cluster.write(id, batch(&[&value])).await;
        written.push(value);
        after += i32::from(cluster.replicas_of(id) == target);
    }
    let leader = cluster.leader_of(id).expect("a leader").0;
    assert!(target.contains(&leader), "{leader}");
    let read = values(cluster.broker(leader), id, Offset(0)).await;
    // A write that had no answer was made again.
    let mut once = read.clone();
    once.dedup();
    assert_eq!(once, written);
    for broker in before {
        let gone = async || (!cluster.has_folder(broker, id)).then_some(());
        eventually("the old replica to be deleted", gone).await;
        assert_eq!(cluster.broker(broker).log_bytes(id), None);
    }
    for broker in target {
        assert!(cluster.broker(broker).log_bytes(id).expect("held") > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_added_joins_without_records_though_its_leader_hears_of_it_last() {
    let cluster = TestCluster::start(3).await;
    let topic = cluster.create(1, 2, &[]);
    let id = PartitionId::new(topic, 0);
    let before = cluster.replicas_of(id);
    let new = (0..3).find(|b| !before.contains(b)).expect("one of three");
    let leader = cluster.leader_of(id).expect("a leader").0;
    let fetching = || {
        let shared = cluster.broker(leader).hub.table.get(id)?;
        Some(shared.sessions()).filter(|n| *n > 0)
    };
    let one = eventually("the follower to fetch", async || fetching()).await;
    cluster.link(leader).fall_behind();
    cluster.reassign(id, Some(&[before[0], before[1], new]));
    let both = async || fetching().filter(|n| *n > one);
    eventually("the new replica to fetch", both).await;
    cluster.link(leader).catch_up();
    cluster.until_on(id, &[before[0], before[1], new]).await;
    let in_sync = async || (cluster.isr_of(id) == 3).then_some(());
    eventually("the new replica in sync", in_sync).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_reassignment_leaves_the_new_broker_empty() {
    let cluster = TestCluster::start_tuned(3, |config| config.fetch_partition_bytes_max = 1024);
    let cluster = cluster.await;
    let topic = cluster.create(1, 2, &[]);
    let id = PartitionId::new(topic, 0);
    for _ in 0..10 {
        cluster.write(id, random_batch(4096)).await;
    }
    let before = cluster.replicas_of(id);
    let new = (0..3).find(|b| !before.contains(b)).expect("one of three");
    limit(&cluster, "follower.replication.throttled.rate", "1");
    cluster.reassign(id, Some(&[new, before[0]]));
    let begun = async || cluster.has_folder(new, id).then_some(());
    eventually("the new replica", begun).await;
    cluster.reassign(id, None);
    assert_eq!(cluster.replicas_of(id), before);
    let gone = async || (!cluster.has_folder(new, id)).then_some(());
    eventually("the new replica to be deleted", gone).await;
    cluster.write(id, batch(&["on"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_being_added_is_throttled() {
    const KIB: usize = 1024;
    let cluster = TestCluster::start_tuned(3, |c| c.fetch_partition_bytes_max = 16 * KIB).await;
    let topic = cluster.create(2, 2, &[("min.insync.replicas", "2")]);
    let (id, other) = (PartitionId::new(topic, 0), PartitionId::new(topic, 1));
    for _ in 0..16 {
        cluster.write(id, random_batch(16 * KIB)).await;
    }
    limit(&cluster, "follower.replication.throttled.rate", "131072");
    let before = cluster.replicas_of(id);
    let new = (0..3).find(|b| !before.contains(b)).expect("one of three");
    let began = Instant::now();
    cluster.reassign(id, Some(&[before[0], before[1], new]));
    // Writes to partitions in sync pass the new broker's throttle by.
    let leader = cluster.leader_of(other).expect("a leader").0;
    for _ in 0..5 {
        let answer = produce(cluster.broker(leader), 1, random_batch(16 * KIB), Acks::All).await;
        answer.expect("acknowledged");
    }
    let aside = began.elapsed();
    cluster.until_on(id, &[before[0], before[1], new]).await;
    let in_sync = async || (cluster.isr_of(id) == 3).then_some(());
    eventually("the new replica in sync", in_sync).await;
    let took = began.elapsed();
    println!("256 KiB at 128 KiB/s: {took:?}; five writes elsewhere: {aside:?}");
    // The first fetch is free, and the last one's debt is not waited for.
    assert!(took > Duration::from_millis(1200), "{took:?}");
}

/// Beside a large partition that uses up the rate for a minute.
#[tokio::test(flavor = "multi_thread")]
async fn writes_do_not_wait_for_a_throttled_replica_on_its_last_steps() {
    const KIB: usize = 1024;
    const SMALL: i32 = 3;
    let cluster = TestCluster::start_tuned(3, |c| c.fetch_partition_bytes_max = 16 * KIB).await;
    let topic = cluster.create(4, 2, &[("min.insync.replicas", "2")]);
    let (large, small) = (PartitionId::new(topic, 0), PartitionId::new(topic, SMALL));
    for n in 0..64 {
        cluster.write(large, random_batch(16 * KIB)).await;
        if n < 2 {
            cluster.write(small, random_batch(16 * KIB)).await;
        }
    }
    limit(&cluster, "follower.replication.throttled.rate", "8192");
    let mut target = cluster.replicas_of(small);
    assert_eq!(target, cluster.replicas_of(large), "one broker gets both");
    target.extend((0..3).filter(|b| !target.contains(b)).collect::<Vec<_>>());
    cluster.reassign(large, Some(&target));
    cluster.reassign(small, Some(&target));
    let leader = cluster.leader_of(small).expect("a leader").0;
    let mut longest = Duration::ZERO;
    let mut after = 0;
    // More bytes a second than its share of the rate would keep it away for ever.
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    while after < 20 {
        pace.tick().await;
        let began = Instant::now();
        let answer = produce(cluster.broker(leader), SMALL, batch(&["on"]), Acks::All).await;
        answer.expect("acknowledged");
        longest = longest.max(began.elapsed());
        after += i32::from(cluster.isr_of(small) == 3);
    }
    println!("longest write {longest:?}");
    assert_eq!(cluster.isr_of(large), 2, "it goes on meanwhile");
    // Once it took as long as what the other one had got ahead: four seconds and more.
    assert!(longest < Duration::from_secs(2), "{longest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttle_that_is_lifted_holds_nobody_up() {
    let cluster = TestCluster::start_tuned(3, |c| c.fetch_partition_bytes_max = 1024).await;
    let topic = cluster.create(1, 1, &[]);
    let id = PartitionId::new(topic, 0);
    for _ in 0..20 {
        cluster.write(id, random_batch(4096)).await;
    }
    limit(&cluster, "leader.replication.throttled.rate", "1");
    let here = cluster.replicas_of(id)[0];
    let new = (here + 1) % 3;
    cluster.reassign(id, Some(&[new]));
    let begun = async || cluster.broker(new).log_bytes(id).filter(|bytes| *bytes > 0);
    eventually("some records", begun).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(cluster.replicas_of(id), [new, here], "a byte a second");
    limit(
        &cluster,
        "leader.replication.throttled.rate",
        "9223372036854775807",
    );
    cluster.until_on(id, &[new]).await;
}

fn limit(cluster: &TestCluster, key: &str, value: &str) {
    cluster.metadata.apply(&ClusterCommand::AlterConfig {
        resource: ConfigResource::ClusterDefault,
        ops: vec![ConfigOp::Set(key.to_owned(), value.to_owned())],
        validate_only: false,
    });
}

/// One record of about so many bytes.
fn random_batch(bytes: usize) -> Bytes {
    let value: String = (0..bytes)
        .map(|n| char::from(b'a' + (n % 23) as u8))
        .collect();
    batch(&[&value])
}
