use weir_api::{Caller, Reassign, TopicRef};
use weir_types::BrokerId;

use crate::{
    codec::{
        ErrorCode,
        messages::alter_partition_reassignments::{
            PartitionResult, Request, Response, Topic, TopicResult,
        },
    },
    context::Context,
    error_map,
};

/// Every partition is answered by itself. A null list cancels.
pub(super) async fn handle(cx: &Context, _: &Caller, version: i16, request: Request) -> Response {
    let allow_replication_factor_change = version < 1 || request.allow_replication_factor_change;
    let changes = request.topics.iter().flat_map(changes_of).collect();
    let asked = cx
        .engine
        .placement()
        .alter_reassignments(changes, !allow_replication_factor_change);
    let mut response = Response {
        allow_replication_factor_change,
        ..Response::default()
    };
    match asked.await {
        Err(error) => {
            response.error = error_map::code(&error);
            response.message = error_map::message(&error);
        }
        Ok(results) => {
            let mut results = results.into_iter();
            let topics = request.topics.into_iter();
            response.topics = topics
                .map(|topic| TopicResult {
                    name: topic.name,
                    partitions: topic
                        .partitions
                        .into_iter()
                        .zip(&mut results)
                        .map(|(partition, result)| answer(partition.index, result))
                        .collect(),
                })
                .collect();
        }
    }
    response
}

fn changes_of(topic: &Topic) -> impl Iterator<Item = Reassign> {
    topic.partitions.iter().map(|partition| Reassign {
        topic: TopicRef::Name(topic.name.clone()),
        index: partition.index,
        target: partition
            .replicas
            .as_ref()
            .map(|ids| ids.iter().copied().map(BrokerId).collect()),
    })
}

fn answer(index: i32, result: weir_api::Result<()>) -> PartitionResult {
    let error = result.err();
    PartitionResult {
        index,
        error: error.as_ref().map_or(ErrorCode::NONE, error_map::code),
        message: error.as_ref().and_then(error_map::message),
    }
}
