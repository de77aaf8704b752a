//! Bytes that were durable and are wrong now: never served, and copied anew from the leader.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;
use weir_api::{Acks, Error};
use weir_types::{Offset, PartitionId};

use super::super::PartitionsConfig;
use super::cluster::TestCluster;
use super::eventually;
use super::records::{all_on_disk, batch, produce, values};

/// Turns a bit in the middle of the replica's only segment, as a bad medium does, while its broker
/// is down; the broker is not stopped in order.
fn damage(cluster: &TestCluster, broker: i32, id: PartitionId) {
    let folder = cluster.folder(broker);
    let log: PathBuf = folder
        .join("partitions")
        .join(id.to_string())
        .join("00000000000000000000.log");
    let mut bytes = std::fs::read(&log).expect("a segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&log, bytes).expect("written");
    std::fs::remove_file(folder.join("clean")).expect("was an orderly stop");
}

async fn write_twenty(cluster: &TestCluster, id: PartitionId) -> Vec<String> {
    let mut written = Vec::new();
    for n in 0..20 {
        let value = n.to_string();
        cluster.write(id, batch(&[&value])).await;
        written.push(value);
    }
    eventually("everybody to have it", async || {
        let whole = (0..3).all(|b| {
            let replica = cluster.broker(b).hub.table.get(id);
            replica.is_some_and(|r| r.end() == Offset(20))
        });
        whole.then_some(())
    })
    .await;
    written
}

async fn until_whole(cluster: &TestCluster, id: PartitionId) {
    eventually("the ISR to be whole", async || {
        (cluster.isr_of(id) == 3).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_follower_is_copied_anew_from_the_leader() {
    let mut cluster = TestCluster::start(3).await;
    let id = PartitionId::new(cluster.create(1, 3, &[("min.insync.replicas", "2")]), 0);
    let written = write_twenty(&cluster, id).await;
    let leader = cluster.leader_of(id).expect("a leader").0;
    let victim = (0..3).find(|b| *b != leader).expect("a follower");
    cluster.stop_broker(victim).await;
    damage(&cluster, victim, id);
    cluster.start_broker(victim).await;
    until_whole(&cluster, id).await;
    assert_eq!(all_on_disk(cluster.broker(victim), id), written);
    assert_eq!(cluster.leader_of(id).map(|b| b.0), Some(leader));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_returns_damaged_does_not_lead_and_is_copied_anew() {
    let mut cluster = TestCluster::start(3).await;
    let id = PartitionId::new(cluster.create(1, 3, &[("min.insync.replicas", "2")]), 0);
    let mut written = write_twenty(&cluster, id).await;
    let victim = cluster.leader_of(id).expect("a leader").0;
    cluster.stop_broker(victim).await;
    damage(&cluster, victim, id);
    cluster.write(id, batch(&["meanwhile"])).await;
    written.push("meanwhile".to_owned());
    cluster.start_broker(victim).await;
    until_whole(&cluster, id).await;
    assert_eq!(all_on_disk(cluster.broker(victim), id), written);
    // It is as good as any other now.
    for other in (0..3).filter(|b| *b != victim) {
        cluster.stop_broker(other).await;
    }
    eventually("it to lead", async || {
        (cluster.leader_of(id)?.0 == victim).then_some(())
    })
    .await;
    assert_eq!(all_on_disk(cluster.broker(victim), id), written);
}

/// All were stopped, and the first to come back is damaged: it waits for one that is sound.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_replica_does_not_lead_even_if_it_is_the_only_one_there() {
    let mut cluster = TestCluster::start(3).await;
    let id = PartitionId::new(cluster.create(1, 3, &[]), 0);
    let written = write_twenty(&cluster, id).await;
    let victim = cluster.leader_of(id).expect("a leader").0;
    let others: Vec<_> = (0..3).filter(|b| *b != victim).collect();
    for broker in [others[0], others[1], victim] {
        cluster.stop_broker(broker).await;
    }
    damage(&cluster, victim, id);
    // It was the last in the ISR; had it been sound, it alone could lead.
    cluster.start_broker(victim).await;
    let broken = &cluster.broker(victim).metrics().broken;
    eventually("the replica to be known as broken", async || {
        (broken.load(Ordering::Relaxed) == 1).then_some(())
    })
    .await;
    assert_eq!(cluster.leader_of(id), None);
    let refused = produce(cluster.broker(victim), 0, batch(&["x"]), Acks::All).await;
    assert!(matches!(refused, Err(Error::Storage(_))), "{refused:?}");
    assert!(
        cluster
            .broker(victim)
            .read(id, Offset(0), 100)
            .await
            .is_err()
    );
    let on_disk = cluster
        .folder(victim)
        .join("partitions")
        .join(id.to_string());
    assert!(
        on_disk.join("00000000000000000000.log").exists(),
        "kept for a person to look at"
    );
    drop(written);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_one_partition_disturbs_no_other() {
    let mut cluster = TestCluster::start(1).await;
    let topic = cluster.create(2, 1, &[]);
    let (bad, good) = (PartitionId::new(topic, 0), PartitionId::new(topic, 1));
    for id in [bad, good] {
        for n in 0..5 {
            cluster.write(id, batch(&[&n.to_string()])).await;
        }
    }
    cluster.stop_broker(0).await;
    damage(&cluster, 0, bad);
    cluster.start_broker(0).await;
    let appended = cluster.write(good, batch(&["5"])).await;
    assert_eq!(appended.base_offset, Offset(5));
    let broker = cluster.broker(0);
    assert_eq!(values(broker, good, Offset(0)).await.len(), 6);
    let refused = eventually("the damage to be known", async || {
        match produce(broker, bad.index, batch(&["x"]), Acks::All).await {
            Err(Error::Storage(why)) => Some(why),
            _ => None,
        }
    })
    .await;
    assert!(refused.contains("damaged"), "{refused}");
}

fn scrub_often(config: &mut PartitionsConfig) {
    config.scrub_after = Duration::from_millis(50);
    config.scrub_pause = Duration::from_millis(50);
    config.scrub_bytes_per_second = 1 << 30;
}

/// Forty records of 100 kB in segments of a mebibyte.
async fn write_segments(cluster: &TestCluster, id: PartitionId) -> Vec<String> {
    let mut written = Vec::new();
    for n in 0..40 {
        let value = format!("{n}:{}", "x".repeat(100_000));
        cluster.write(id, batch(&[&value])).await;
        written.push(value);
    }
    written
}

/// Turns a bit in the first segment under the running broker.
fn damage_first_segment(cluster: &TestCluster, broker: i32, id: PartitionId) {
    use std::os::unix::fs::FileExt as _;
    let folder = cluster
        .folder(broker)
        .join("partitions")
        .join(id.to_string());
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(folder.join("00000000000000000000.log"))
        .expect("a segment");
    let mut byte = [0];
    file.read_exact_at(&mut byte, 150_000).expect("long enough");
    file.write_all_at(&[byte[0] ^ 4], 150_000).expect("written");
}

async fn until_damage_is_found(cluster: &TestCluster, broker: i32) {
    let metrics = cluster.broker(broker).metrics();
    eventually("the damage to be found", async || {
        (metrics.damaged_replicas.load(Ordering::Relaxed) >= 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_under_a_running_follower_is_found_and_the_replica_copied_anew() {
    let cluster = TestCluster::start_tuned(3, scrub_often).await;
    let config = [("segment.bytes", "1048576"), ("retention.ms", "-1")];
    let id = PartitionId::new(cluster.create(1, 3, &config), 0);
    let mut written = write_segments(&cluster, id).await;
    let leader = cluster.leader_of(id).expect("a leader").0;
    let victim = (0..3).find(|b| *b != leader).expect("a follower");
    damage_first_segment(&cluster, victim, id);
    until_damage_is_found(&cluster, victim).await;
    cluster.write(id, batch(&["meanwhile"])).await;
    written.push("meanwhile".to_owned());
    until_whole(&cluster, id).await;
    eventually("the copy to be whole", async || {
        (all_on_disk(cluster.broker(victim), id) == written).then_some(())
    })
    .await;
    assert_eq!(cluster.leader_of(id).map(|b| b.0), Some(leader));
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_under_a_running_leader_makes_another_lead_and_is_copied_anew() {
    let cluster = TestCluster::start_tuned(3, scrub_often).await;
    let config = [("segment.bytes", "1048576"), ("retention.ms", "-1")];
    let id = PartitionId::new(cluster.create(1, 3, &config), 0);
    let mut written = write_segments(&cluster, id).await;
    let victim = cluster.leader_of(id).expect("a leader").0;
    damage_first_segment(&cluster, victim, id);
    until_damage_is_found(&cluster, victim).await;
    eventually("another to lead", async || {
        (cluster.leader_of(id)?.0 != victim).then_some(())
    })
    .await;
    cluster.write(id, batch(&["meanwhile"])).await;
    written.push("meanwhile".to_owned());
    until_whole(&cluster, id).await;
    eventually("the copy to be whole", async || {
        (all_on_disk(cluster.broker(victim), id) == written).then_some(())
    })
    .await;
    let heir = cluster.leader_of(id).expect("a leader").0;
    assert_eq!(values(cluster.broker(heir), id, Offset(0)).await, written);
}

/// Without a second replica what is sound goes on being served.
#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_only_replica_is_told_and_the_rest_served() {
    let cluster = TestCluster::start_tuned(1, scrub_often).await;
    let config = [("segment.bytes", "1048576"), ("retention.ms", "-1")];
    let id = PartitionId::new(cluster.create(1, 1, &config), 0);
    write_segments(&cluster, id).await;
    damage_first_segment(&cluster, 0, id);
    until_damage_is_found(&cluster, 0).await;
    let appended = cluster.write(id, batch(&["more"])).await;
    assert_eq!(appended.base_offset, Offset(40));
    let last = values(cluster.broker(0), id, Offset(39)).await;
    assert_eq!(last.len(), 2);
}
