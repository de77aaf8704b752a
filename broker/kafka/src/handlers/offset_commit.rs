use weir_api::{Caller, CommitOffset, TopicPartitionName, TopicRef};
use weir_types::{LeaderEpoch, Offset};

use crate::{
    codec::{
        ErrorCode,
        messages::offset_commit::{PartitionResult, Request, Response, TopicResult},
    },
    context::Context,
    error_map,
};

pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    let mut offsets = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
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
                });
            }
        }
        topics.push(TopicResult {
            name: topic.name,
            partitions,
        });
    }
    let Request {
        group,
        generation,
        member,
        instance,
        ..
    } = request;
    let count = offsets.len();
    // Also without offsets: the members of the group must still be checked.
    let committed = cx
        .engine
        .commit_offsets(
            caller,
            &group,
            generation,
            &member,
            instance.as_deref(),
            offsets,
        )
        .await;
    let codes: Vec<ErrorCode> = match committed {
        Ok(results) => results
            .iter()
            .map(|r| {
                r.as_ref()
                    .err()
                    .map_or(ErrorCode::NONE, error_map::group_code)
            })
            .collect(),
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
