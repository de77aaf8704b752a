use weir_api::{Caller, CommitOffset, Result, TopicPartitionName, TopicRef};
use weir_types::{LeaderEpoch, Offset};

use crate::{
    codec::{
        ErrorCode,
        messages::offset_commit::{PartitionResult, Request, Response, Topic, TopicResult},
    },
    context::Context,
    error_map,
};

pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    let (mut topics, offsets) = sort_out(cx, request.topics, request.retention_ms);
    let count = offsets.len();
    // Also without offsets: the members of the group must still be checked.
    let committed = cx
        .engine
        .commit_offsets(
            caller,
            &request.group,
            request.generation,
            &request.member,
            request.instance.as_deref(),
            offsets,
        )
        .await;
    let code = |result: &Result<()>| match result {
        Ok(()) => ErrorCode::NONE,
        Err(error) => error_map::group_code(error),
    };
    let codes: Vec<ErrorCode> = match committed {
        Ok(results) => results.iter().map(code).collect(),
        Err(error) => vec![error_map::group_code(&error); count],
    };
    let sent = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    for (partition, code) in sent.filter(|p| !p.error.is_error()).zip(codes) {
        partition.error = code;
    }
    Response {
        topics,
        ..Response::default()
    }
}

/// The answer's shape, with what is refused already, and the offsets for the coordinator.
fn sort_out(
    cx: &Context,
    asked: Vec<Topic>,
    retention_ms: i64,
) -> (Vec<TopicResult>, Vec<CommitOffset>) {
    let mut offsets = Vec::new();
    let mut topics = Vec::with_capacity(asked.len());
    for topic in asked {
        let known = cx
            .engine
            .topic(&TopicRef::Name(topic.name.clone()))
            .is_some();
        let error = if known {
            ErrorCode::NONE
        } else {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        };
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            partitions.push(PartitionResult {
                index: partition.index,
                error,
            });
            if known {
                offsets.push(CommitOffset {
                    partition: TopicPartitionName {
                        topic: topic.name.clone(),
                        index: partition.index,
                    },
                    offset: Offset(partition.offset),
                    leader_epoch: LeaderEpoch(partition.leader_epoch),
                    metadata: partition.metadata.unwrap_or_default(),
                    // Until version 4; -1 leaves it to the broker.
                    retention_ms: Some(retention_ms).filter(|ms| *ms >= 0),
                });
            }
        }
        topics.push(TopicResult {
            name: topic.name,
            partitions,
        });
    }
    (topics, offsets)
}
