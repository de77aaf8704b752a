use futures::stream::{self, StreamExt};
use std::collections::HashSet;
use weir_api::{Caller, Error, FoundOffset, Isolation, OffsetSpec, Result, TopicRef};
use weir_types::LeaderEpoch;

use crate::{
    codec::{
        ErrorCode,
        messages::list_offsets::{Partition, PartitionResult, Request, Response, TopicResult},
    },
    context::Context,
    error_map,
};

/// Look-ups of one request that run at once.
const CONCURRENT: usize = 16;

pub(super) async fn handle(
    cx: &Context,
    caller: &Caller,
    version: i16,
    request: Request,
) -> Response {
    let isolation = match request.isolation {
        0 => Isolation::ReadUncommitted,
        _ => Isolation::ReadCommitted,
    };
    let mut asked: HashSet<(String, i32)> = HashSet::new();
    let mut twice: HashSet<(String, i32)> = HashSet::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            let key = (topic.name.clone(), partition.index);
            if !asked.insert(key.clone()) {
                twice.insert(key);
            }
        }
    }
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let reference = TopicRef::Name(topic.name.clone());
        let look_up = |partition: Partition| {
            let refused = twice.contains(&(topic.name.clone(), partition.index));
            let reference = &reference;
            async move {
                if refused {
                    return failed(partition.index, ErrorCode::INVALID_REQUEST);
                }
                let found = find(cx, caller, version, reference, &partition, isolation).await;
                convert(partition.index, found)
            }
        };
        let partitions: Vec<PartitionResult> = stream::iter(topic.partitions)
            .map(look_up)
            .buffered(CONCURRENT)
            .collect()
            .await;
        topics.push(TopicResult {
            name: topic.name.clone(),
            partitions,
        });
    }
    Response {
        topics,
        ..Response::default()
    }
}

async fn find(
    cx: &Context,
    caller: &Caller,
    version: i16,
    topic: &TopicRef,
    partition: &Partition,
    isolation: Isolation,
) -> Result<FoundOffset> {
    let spec = match (partition.timestamp, version) {
        (-1, _) => OffsetSpec::Latest,
        (-2, _) => OffsetSpec::Earliest,
        (-3, 7..) => OffsetSpec::MaxTimestamp,
        (-4, 8..) => OffsetSpec::EarliestLocal,
        (-5, 9..) => OffsetSpec::LatestTiered,
        (timestamp @ 0.., _) => OffsetSpec::Timestamp(timestamp),
        (other, _) => return Err(Error::Unsupported(format!("timestamp {other}"))),
    };
    let epoch = LeaderEpoch(partition.current_leader_epoch);
    cx.engine
        .find_offset(caller, topic, partition.index, epoch, spec, isolation)
        .await
}

fn convert(index: i32, found: Result<FoundOffset>) -> PartitionResult {
    match found {
        Ok(found) => PartitionResult {
            index,
            timestamp: found.timestamp_ms,
            offset: found.offset.0,
            leader_epoch: found.leader_epoch.0,
            ..PartitionResult::default()
        },
        Err(error) => failed(index, error_map::code(&error)),
    }
}

fn failed(index: i32, error: ErrorCode) -> PartitionResult {
    PartitionResult {
        index,
        error,
        ..PartitionResult::default()
    }
}
