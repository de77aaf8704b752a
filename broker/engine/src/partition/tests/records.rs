//! Writing records to a broker, and reading them back.

use bytes::Bytes;
use std::time::Duration;
use weir_api::{Acks, Appended, Error, ProducePartition, ProduceRequest, Result, TopicRef};
use weir_storage::{BatchBuilder, for_each_record};
use weir_types::{Offset, PartitionId};

use super::super::Partitions;
use super::cluster::TOPIC;
use super::eventually;

pub(super) fn batch(values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new();
    for value in values {
        builder.push(1_000, Some(b"k"), Some(value.as_bytes()));
    }
    builder.build()
}

pub(super) fn by_name() -> TopicRef {
    TopicRef::Name(TOPIC.to_owned())
}

pub(super) fn request(index: i32, records: Bytes, acks: Acks, timeout: Duration) -> ProduceRequest {
    let partitions = vec![ProducePartition {
        topic: by_name(),
        index,
        records,
    }];
    ProduceRequest {
        acks,
        timeout,
        transactional_id: None,
        partitions,
    }
}

pub(super) async fn produce(
    broker: &Partitions,
    index: i32,
    records: Bytes,
    acks: Acks,
) -> Result<Appended> {
    let request = request(index, records, acks, Duration::from_secs(10));
    let produced = broker.submit(request).await;
    produced.await.pop().expect("one partition")
}

/// Produces once the broker leads.
pub(super) async fn produce_when_led(
    broker: &Partitions,
    index: i32,
    records: Bytes,
    acks: Acks,
) -> Appended {
    eventually("a led partition", async || {
        match produce(broker, index, records.clone(), acks).await {
            Ok(appended) => Some(appended),
            Err(
                Error::NotLeader { .. }
                | Error::UnknownTopicOrPartition
                | Error::LeaderNotAvailable,
            ) => None,
            Err(error) => panic!("refused: {error}"),
        }
    })
    .await
}

/// Every value of a partition, from `from` up to the high watermark.
pub(super) async fn values(broker: &Partitions, id: PartitionId, from: Offset) -> Vec<String> {
    let mut values = Vec::new();
    let mut next = from;
    loop {
        let (bytes, high_watermark) = broker.read(id, next, 1 << 20).await.expect("readable");
        if bytes.is_empty() {
            assert!(next >= high_watermark, "a hole at {next}");
            return values;
        }
        for_each_record(&bytes, |_, record| {
            let offset = Offset(record.offset);
            if offset >= next {
                let value = record.value.unwrap_or_default();
                values.push(String::from_utf8(value.to_vec()).expect("text"));
                next = offset.plus(1);
            }
        })
        .expect("sound batches");
    }
}

/// Whatever the replica holds, committed or not.
pub(super) fn all_on_disk(broker: &Partitions, id: PartitionId) -> Vec<String> {
    let replica = broker.hub.table.get(id).expect("a replica");
    let (mut next, mut values) = (replica.start(), Vec::new());
    while next < replica.end() {
        let read = replica
            .reader
            .read_bytes(next, replica.end(), 1 << 20, true);
        for_each_record(&read.expect("readable"), |_, record| {
            let value = record.value.unwrap_or_default();
            values.push(String::from_utf8_lossy(&value).into_owned());
            next = Offset(record.offset).plus(1);
        })
        .expect("sound batches");
    }
    values
}
