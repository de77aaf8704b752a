//! Three brokers that all live.

use std::sync::atomic::Ordering;
use std::time::Duration;
use weir_api::{Acks, Error};
use weir_types::{Offset, PartitionId};

use super::cluster::TestCluster;
use super::eventually;
use super::records::{batch, by_name, produce, values};

fn index(cluster: &TestCluster, id: PartitionId) -> i32 {
    cluster.leader_of(id).expect("a leader").0
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_by_all_is_durable_on_all() {
    let cluster = TestCluster::start(3).await;
    let topic = cluster.create(4, 3, &[("min.insync.replicas", "3")]);
    for index in 0..4 {
        let id = PartitionId::new(topic, index);
        for n in 0..5 {
            let appended = cluster.write(id, batch(&["a", "b"])).await;
            assert_eq!(appended.base_offset, Offset(2 * n));
        }
    }
    for broker in 0..3 {
        let replicas = cluster.broker(broker).hub.table.all();
        assert_eq!(replicas.len(), 4);
        for replica in replicas {
            assert_eq!(replica.end(), Offset(10), "{} at {broker}", replica.id);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_learn_the_high_watermark_without_new_records() {
    let cluster = TestCluster::start(3).await;
    let topic = cluster.create(1, 3, &[]);
    let id = PartitionId::new(topic, 0);
    cluster.write(id, batch(&["a"])).await;
    for broker in 0..3 {
        let partitions = cluster.broker(broker);
        eventually("the high watermark", async || {
            let replica = partitions.hub.table.get(id)?;
            (replica.high_watermark() == Offset(1)).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_refuses_clients_and_names_the_leader() {
    let cluster = TestCluster::start(3).await;
    let topic = cluster.create(1, 3, &[]);
    let id = PartitionId::new(topic, 0);
    cluster.write(id, batch(&["a"])).await;
    let leader = index(&cluster, id);
    let follower = cluster.broker((leader + 1) % 3);
    let refused = eventually("the follower to know", async || {
        match produce(follower, 0, batch(&["b"]), Acks::All).await {
            Err(error @ Error::NotLeader { .. }) => Some(error),
            _ => None,
        }
    })
    .await;
    assert!(
        matches!(refused, Error::NotLeader { leader: Some(l), .. } if l.0 == leader),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_records_go_on_all_live_replicas() {
    let cluster = TestCluster::start(3).await;
    let topic = cluster.create(1, 3, &[]);
    let id = PartitionId::new(topic, 0);
    for value in ["a", "b", "c"] {
        cluster.write(id, batch(&[value])).await;
    }
    let leader = cluster.broker(index(&cluster, id));
    let wait = Duration::from_secs(30);
    let start = leader
        .delete_records(&by_name(), 0, Offset(2), wait)
        .await
        .expect("deleted");
    assert_eq!(start, Offset(2));
    for broker in 0..3 {
        let replica = cluster.broker(broker).hub.table.get(id).expect("a replica");
        eventually("its start", async || {
            (replica.start() == Offset(2)).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_away_catches_up_and_joins_again() {
    let mut cluster = TestCluster::start(3).await;
    let topic = cluster.create(2, 3, &[("min.insync.replicas", "2")]);
    let ids = [PartitionId::new(topic, 0), PartitionId::new(topic, 1)];
    for id in ids {
        cluster.write(id, batch(&["a"])).await;
    }
    let away = (index(&cluster, ids[0]) + 1) % 3;
    cluster.stop_broker(away).await;
    for id in ids {
        for _ in 0..20 {
            cluster.write(id, batch(&["b"])).await;
        }
        assert_eq!(cluster.isr_of(id), 2);
    }
    cluster.start_broker(away).await;
    for id in ids {
        eventually("the ISR to be whole", async || {
            (cluster.isr_of(id) == 3).then_some(())
        })
        .await;
        let replica = cluster.broker(away).hub.table.get(id).expect("a replica");
        assert_eq!(replica.end(), Offset(21));
    }
    let expands = |b: i32| {
        cluster
            .broker(b)
            .metrics()
            .isr_expands
            .load(Ordering::Relaxed)
    };
    assert!((0..3).map(expands).sum::<u64>() >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_below_the_leaders_start_begins_anew_there() {
    let mut cluster = TestCluster::start(3).await;
    let topic = cluster.create(1, 3, &[("min.insync.replicas", "2")]);
    let id = PartitionId::new(topic, 0);
    cluster.write(id, batch(&["a"])).await;
    let leader = index(&cluster, id);
    let away = (leader + 1) % 3;
    cluster.stop_broker(away).await;
    for _ in 0..10 {
        cluster.write(id, batch(&["b"])).await;
    }
    let wait = Duration::from_secs(30);
    let deleted = cluster
        .broker(leader)
        .delete_records(&by_name(), 0, Offset(5), wait)
        .await;
    assert_eq!(deleted, Ok(Offset(5)));
    cluster.start_broker(away).await;
    eventually("the ISR to be whole", async || {
        (cluster.isr_of(id) == 3).then_some(())
    })
    .await;
    let replica = cluster.broker(away).hub.table.get(id).expect("a replica");
    assert_eq!((replica.start(), replica.end()), (Offset(5), Offset(11)));
    assert_eq!(values(cluster.broker(leader), id, Offset(5)).await.len(), 6);
}
