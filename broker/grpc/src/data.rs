//! Records for the command line.

use bytes::Bytes;
use futures::Stream;
use std::sync::Arc;
use std::time::Duration;
use tonic::Status;
use weir_api::{Caller, Engine, Isolation, OffsetSpec, Record, TopicRef};
use weir_proto::admin as pb;
use weir_types::{LeaderEpoch, Offset};

use crate::status::status;

/// Bytes of log behind one message of a consume stream.
const CHUNK_BYTES: usize = 512 * 1024;
/// How long one read waits for records.
const POLL: Duration = Duration::from_millis(500);

pub(crate) async fn produce(
    engine: &dyn Engine,
    request: pb::ProduceRequest,
) -> Result<pb::ProduceResponse, Status> {
    let topic = TopicRef::Name(request.topic);
    let records = request.records.into_iter().map(record_in).collect();
    let appended = engine
        .append_records(&Caller::internal(), &topic, request.partition, records)
        .await
        .map_err(status)?;
    Ok(pb::ProduceResponse {
        base_offset: appended.base_offset.0,
    })
}

pub(crate) async fn bounds(
    engine: &dyn Engine,
    request: pb::PartitionBoundsRequest,
) -> Result<pb::PartitionBoundsResponse, Status> {
    let topic = TopicRef::Name(request.topic);
    let start = find(engine, &topic, request.partition, OffsetSpec::Earliest).await?;
    let end = find(engine, &topic, request.partition, OffsetSpec::Latest).await?;
    Ok(pb::PartitionBoundsResponse {
        start: start.0,
        end: end.0,
    })
}

fn record_in(record: pb::Record) -> Record {
    Record {
        offset: Offset::ZERO,
        timestamp_ms: record.timestamp_ms,
        key: record.key.map(Bytes::from),
        value: record.value.map(Bytes::from),
        headers: record
            .headers
            .into_iter()
            .map(|h| (h.key, h.value.map(Bytes::from)))
            .collect(),
    }
}

fn record_out(record: Record) -> pb::Record {
    let header = |(key, value): (String, Option<Bytes>)| pb::Header {
        key,
        value: value.map(Vec::from),
    };
    pb::Record {
        key: record.key.map(Vec::from),
        value: record.value.map(Vec::from),
        headers: record.headers.into_iter().map(header).collect(),
        timestamp_ms: record.timestamp_ms,
        offset: record.offset.0,
    }
}

/// Where a consume stream stands.
struct Cursor {
    engine: Arc<dyn Engine>,
    topic: TopicRef,
    index: i32,
    next: Offset,
    /// Records still wanted.
    left: u64,
    /// Exclusive.
    until: Option<Offset>,
}

pub(crate) async fn consume(
    engine: Arc<dyn Engine>,
    request: pb::ConsumeRequest,
) -> Result<impl Stream<Item = Result<pb::ConsumeResponse, Status>> + Send + 'static, Status> {
    use pb::consume_request::Start;
    let topic = TopicRef::Name(request.topic.clone());
    let index = request.partition;
    let end = find(&*engine, &topic, index, OffsetSpec::Latest).await?;
    let next = match request.start {
        Some(Start::Offset(offset)) => Offset(offset),
        Some(Start::Latest(_)) => end,
        Some(Start::TimestampMs(ms)) => {
            let found = find(&*engine, &topic, index, OffsetSpec::Timestamp(ms)).await?;
            if found.0 < 0 { end } else { found }
        }
        Some(Start::Earliest(_)) | None => {
            find(&*engine, &topic, index, OffsetSpec::Earliest).await?
        }
    };
    let left = if request.max_records == 0 {
        u64::MAX
    } else {
        request.max_records
    };
    let until = request.until_end.then_some(end);
    let cursor = Cursor {
        engine,
        topic,
        index,
        next,
        left,
        until,
    };
    Ok(futures::stream::try_unfold(cursor, |cursor| async move {
        cursor.read().await
    }))
}

async fn find(
    engine: &dyn Engine,
    topic: &TopicRef,
    index: i32,
    spec: OffsetSpec,
) -> Result<Offset, Status> {
    let caller = Caller::internal();
    let isolation = Isolation::ReadUncommitted;
    let found = engine
        .find_offset(&caller, topic, index, LeaderEpoch::NONE, spec, isolation)
        .await;
    Ok(found.map_err(status)?.offset)
}

impl Cursor {
    async fn read(mut self) -> Result<Option<(pb::ConsumeResponse, Self)>, Status> {
        loop {
            if self.left == 0 || self.until.is_some_and(|end| self.next >= end) {
                return Ok(None);
            }
            let caller = Caller::internal();
            let read = self
                .engine
                .read_records(
                    &caller,
                    &self.topic,
                    self.index,
                    self.next,
                    CHUNK_BYTES,
                    POLL,
                )
                .await
                .map_err(status)?;
            self.next = read.next;
            let wanted = usize::try_from(self.left).unwrap_or(usize::MAX);
            let below = self.until.unwrap_or(Offset(i64::MAX));
            let records: Vec<_> = read
                .records
                .into_iter()
                .filter(|r| r.offset < below)
                .take(wanted)
                .map(record_out)
                .collect();
            if records.is_empty() {
                continue;
            }
            self.left -= records.len() as u64;
            let high_watermark = read.high_watermark.0;
            return Ok(Some((
                pb::ConsumeResponse {
                    records,
                    high_watermark,
                },
                self,
            )));
        }
    }
}
