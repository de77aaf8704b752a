//! Decoded records in and out, for callers without a batch format of their own.

use bytes::Bytes;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use weir_api::{
    Acks, Appended, Error, FetchPartition, FetchRequest, Isolation, ProducePartition,
    ProduceRequest, ReadFrom, ReadRecords, Record, RecordSlice, Result, TopicRef,
};
use weir_storage::{BatchBuilder, for_each_record};
use weir_types::{LeaderEpoch, Offset};

use super::LocalEngine;

/// How long a write may wait for its replicas.
const WRITE_WITHIN: Duration = Duration::from_secs(30);

/// A place in a partition.
pub(super) struct At {
    pub topic: TopicRef,
    pub index: i32,
    pub from: Offset,
}

impl LocalEngine {
    pub(super) async fn write_records(
        &self,
        topic: &TopicRef,
        index: i32,
        records: Vec<Record>,
    ) -> Result<Appended> {
        if records.is_empty() {
            return Err(Error::InvalidRequest("no records".to_owned()));
        }
        let request = ProduceRequest {
            acks: Acks::All,
            timeout: WRITE_WITHIN,
            transactional_id: None,
            partitions: vec![ProducePartition {
                topic: topic.clone(),
                index,
                records: build(&records),
            }],
        };
        let produced = self.partitions.submit(request).await;
        let answer = produced.await.pop();
        answer.unwrap_or_else(|| Err(Error::Internal("no answer to a write".to_owned())))
    }

    pub(super) async fn fetch_records(
        &self,
        at: At,
        max_bytes: usize,
        max_wait: Duration,
    ) -> Result<ReadRecords> {
        let from = at.from;
        let request = FetchRequest {
            max_wait,
            min_bytes: 1,
            max_bytes,
            isolation: Isolation::ReadUncommitted,
            read_from: ReadFrom::Leader,
            partitions: vec![FetchPartition {
                topic: at.topic,
                index: at.index,
                leader_epoch: LeaderEpoch::NONE,
                offset: from,
                last_fetched_epoch: LeaderEpoch::NONE,
                max_bytes,
            }],
        };
        let fetched = self.partitions.fetch(request).await.pop();
        let fetched = fetched.ok_or_else(|| Error::Internal("no answer to a fetch".to_owned()))?;
        if let Some(error) = fetched.error {
            return Err(error);
        }
        let high_watermark = fetched.high_watermark;
        let bytes = load(fetched.records).await?;
        decode(&bytes, from, high_watermark)
    }
}

fn build(records: &[Record]) -> Bytes {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let mut batch = BatchBuilder::new();
    for record in records {
        let headers: Vec<(&[u8], Option<&[u8]>)> = record
            .headers
            .iter()
            .map(|(k, v)| (k.as_bytes(), v.as_deref()))
            .collect();
        let stamp = if record.timestamp_ms > 0 {
            record.timestamp_ms
        } else {
            now
        };
        batch.push_with_headers(
            stamp,
            record.key.as_deref(),
            record.value.as_deref(),
            &headers,
        );
    }
    batch.build()
}

async fn load(slice: RecordSlice) -> Result<Bytes> {
    match slice {
        RecordSlice::Memory(bytes) => Ok(bytes),
        RecordSlice::File {
            file,
            position,
            len,
            ..
        } => {
            let read = move || {
                let mut bytes = vec![0; len];
                std::os::unix::fs::FileExt::read_exact_at(&*file, &mut bytes, position)?;
                Ok::<_, std::io::Error>(Bytes::from(bytes))
            };
            let done = tokio::task::spawn_blocking(read).await;
            let done = done.map_err(|e| Error::Internal(e.to_string()))?;
            done.map_err(|e| Error::Storage(e.to_string()))
        }
    }
}

/// The first batch may begin before `from`: what is before it was not asked for.
fn decode(bytes: &Bytes, from: Offset, high_watermark: Offset) -> Result<ReadRecords> {
    let mut records = Vec::new();
    let mut next = from;
    for_each_record(bytes, |header, record| {
        next = next.max(Offset(
            header.base_offset + i64::from(header.last_offset_delta) + 1,
        ));
        if record.offset >= from.0 {
            records.push(Record {
                offset: Offset(record.offset),
                timestamp_ms: record.timestamp,
                key: record.key,
                value: record.value,
                headers: record
                    .headers
                    .into_iter()
                    .map(|h| (String::from_utf8_lossy(&h.name).into_owned(), h.value))
                    .collect(),
            });
        }
    })
    .map_err(|e| Error::Storage(e.to_string()))?;
    Ok(ReadRecords {
        records,
        next,
        high_watermark,
    })
}
