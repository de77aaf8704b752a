use weir_api::{Caller, TopicPartitionName};

use crate::{
    codec::{
        ErrorCode,
        messages::offset_delete::{PartitionResult, Request, Response, TopicResult},
    },
    context::Context,
    error_map,
};

pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    let mut partitions = Vec::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            let (topic, index) = (topic.name.clone(), partition.index);
            partitions.push(TopicPartitionName { topic, index });
        }
    }
    let results = match cx
        .engine
        .delete_offsets(caller, &request.group, partitions)
        .await
    {
        Ok(results) => results,
        Err(error) => {
            return Response {
                error: error_map::group_code(&error),
                ..Response::default()
            };
        }
    };
    let mut codes = results.iter().map(|result| {
        result
            .as_ref()
            .err()
            .map_or(ErrorCode::NONE, error_map::group_code)
    });
    let topics = request.topics.into_iter().map(|topic| TopicResult {
        name: topic.name,
        partitions: topic
            .partitions
            .iter()
            .map(|partition| PartitionResult {
                index: partition.index,
                error: codes.next().unwrap_or(ErrorCode::UNKNOWN),
            })
            .collect(),
    });
    Response {
        topics: topics.collect(),
        ..Response::default()
    }
}
