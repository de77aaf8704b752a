use weir_api::{Caller, TopicRef};
use weir_types::LeaderEpoch;

use crate::{
    codec::{
        ErrorCode,
        messages::offset_for_leader_epoch::{PartitionResult, Request, Response, TopicResult},
    },
    context::Context,
    error_map,
};

pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let reference = TopicRef::Name(topic.name.clone());
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            let index = partition.index;
            let current = LeaderEpoch(partition.current_leader_epoch);
            let epoch = LeaderEpoch(partition.leader_epoch);
            let end = cx
                .engine
                .epoch_end(caller, &reference, index, current, epoch)
                .await;
            partitions.push(match end {
                Ok(end) => PartitionResult {
                    error: ErrorCode::NONE,
                    index,
                    leader_epoch: end.leader_epoch.0,
                    end_offset: end.end_offset.0,
                },
                Err(error) => PartitionResult {
                    error: error_map::code(&error),
                    index,
                    ..PartitionResult::default()
                },
            });
        }
        topics.push(TopicResult {
            name: topic.name,
            partitions,
        });
    }
    Response {
        topics,
        ..Response::default()
    }
}
