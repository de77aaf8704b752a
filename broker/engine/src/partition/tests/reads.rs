//! Fetches, offsets and epochs at one broker.

use std::time::{Duration, Instant};
use weir_api::{
    Acks, Error, FetchPartition, FetchRequest, FetchedPartition, Isolation, OffsetSpec, ReadFrom,
};
use weir_types::{LeaderEpoch, Offset};

use super::super::Partitions;
use super::cluster::TestCluster;
use super::records::{batch, by_name, produce, produce_when_led};

fn part(offset: i64) -> FetchPartition {
    FetchPartition {
        topic: by_name(),
        index: 0,
        leader_epoch: LeaderEpoch::NONE,
        offset: Offset(offset),
        last_fetched_epoch: LeaderEpoch::NONE,
        max_bytes: 1 << 20,
    }
}

fn fetch(min_bytes: usize, wait: Duration, partitions: Vec<FetchPartition>) -> FetchRequest {
    FetchRequest {
        max_wait: wait,
        min_bytes,
        max_bytes: 1 << 20,
        isolation: Isolation::ReadUncommitted,
        read_from: ReadFrom::Leader,
        partitions,
    }
}

async fn fetch_one(broker: &Partitions, part: FetchPartition) -> FetchedPartition {
    broker
        .fetch(fetch(0, Duration::ZERO, vec![part]))
        .await
        .remove(0)
}

async fn one_broker(values: &[&str]) -> TestCluster {
    let cluster = TestCluster::start(1).await;
    cluster.create(1, 1, &[]);
    for value in values {
        produce_when_led(cluster.broker(0), 0, batch(&[value]), Acks::All).await;
    }
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_gives_whole_batches_below_the_high_watermark() {
    let cluster = one_broker(&["a", "b", "c"]).await;
    let broker = cluster.broker(0);
    let all = fetch_one(broker, part(0)).await;
    assert_eq!(
        (all.error, all.high_watermark, all.log_start),
        (None, Offset(3), Offset(0))
    );
    assert_eq!(all.last_stable_offset, Offset(3));
    let size = batch(&["a"]).len();
    assert_eq!(all.records.len(), 3 * size);
    let tail = fetch_one(broker, part(2)).await;
    assert_eq!(tail.records.len(), size);
    let small = FetchPartition {
        max_bytes: 1,
        ..part(0)
    };
    assert_eq!(
        fetch_one(broker, small).await.records.len(),
        size,
        "one batch, whatever the bound"
    );
    assert!(fetch_one(broker, part(3)).await.records.is_empty());
    let past = fetch_one(broker, part(4)).await;
    assert_eq!(
        (past.error, past.high_watermark),
        (Some(Error::OffsetOutOfRange), Offset(-1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_fetch_is_answered_by_the_next_write() {
    let cluster = one_broker(&["a"]).await;
    let broker = cluster.broker(0);
    let held = broker.fetch(fetch(1, Duration::from_secs(60), vec![part(1)]));
    let write = produce(broker, 0, batch(&["b"]), Acks::All);
    let began = Instant::now();
    let (fetched, written) = tokio::join!(held, write);
    written.expect("acknowledged");
    assert!(!fetched[0].records.is_empty());
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "it waited for the time to be up"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_fetch_without_news_is_answered_empty() {
    let cluster = one_broker(&["a"]).await;
    let wait = Duration::from_millis(30);
    let began = Instant::now();
    let fetched = cluster.broker(0).fetch(fetch(1, wait, vec![part(1)])).await;
    assert!(began.elapsed() >= wait);
    assert_eq!(fetched[0].error, None);
    assert!(fetched[0].records.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_in_one_partition_answers_at_once() {
    let cluster = one_broker(&["a"]).await;
    let unknown = FetchPartition {
        index: 9,
        ..part(0)
    };
    let request = fetch(1 << 20, Duration::from_secs(60), vec![part(1), unknown]);
    let fetched = cluster.broker(0).fetch(request).await;
    assert_eq!(fetched[0].error, None);
    assert_eq!(fetched[1].error, Some(Error::UnknownTopicOrPartition));
}

#[tokio::test(flavor = "multi_thread")]
async fn epochs_of_callers_are_checked() {
    let cluster = one_broker(&["a"]).await;
    let broker = cluster.broker(0);
    let epoch = broker
        .find_offset(&by_name(), 0, LeaderEpoch::NONE, OffsetSpec::Latest)
        .await
        .expect("known")
        .leader_epoch;
    let newer = FetchPartition {
        leader_epoch: LeaderEpoch(epoch.0 + 1),
        ..part(0)
    };
    let newer = fetch_one(broker, newer).await;
    assert_eq!(newer.error, Some(Error::UnknownLeaderEpoch));
    assert_eq!(newer.leader.map(|(_, epoch)| epoch), Some(epoch));
    let end = broker
        .epoch_end(&by_name(), 0, epoch, epoch)
        .await
        .expect("known");
    assert_eq!((end.leader_epoch, end.end_offset), (epoch, Offset(1)));
    let ahead = FetchPartition {
        last_fetched_epoch: epoch,
        ..part(5)
    };
    let ahead = fetch_one(broker, ahead).await;
    assert_eq!(ahead.diverging, Some((epoch, Offset(1))));
    let fits = FetchPartition {
        last_fetched_epoch: epoch,
        ..part(1)
    };
    assert_eq!(fetch_one(broker, fits).await.diverging, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_found_by_place_and_time() {
    let cluster = one_broker(&["a", "b"]).await;
    let broker = cluster.broker(0);
    let find = async |spec| {
        let found = broker
            .find_offset(&by_name(), 0, LeaderEpoch::NONE, spec)
            .await;
        found.expect("known").offset.0
    };
    assert_eq!(find(OffsetSpec::Earliest).await, 0);
    assert_eq!(find(OffsetSpec::Latest).await, 2);
    assert_eq!(find(OffsetSpec::Timestamp(1_000)).await, 0);
    assert_eq!(find(OffsetSpec::Timestamp(1_001)).await, -1);
    assert_eq!(find(OffsetSpec::LatestTiered).await, -1);
}
