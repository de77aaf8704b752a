use weir_api::{Caller, TopicRef};
use weir_types::Offset;

use super::at_once::{self, Deadline};
use crate::{
    codec::{
        ErrorCode,
        messages::delete_records::{Partition, PartitionResult, Request, Response, TopicResult},
    },
    context::Context,
    error_map,
};

pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    let deadline = Deadline::after(request.timeout_ms);
    let counts: Vec<usize> = request.topics.iter().map(|t| t.partitions.len()).collect();
    let names: Vec<String> = request.topics.iter().map(|t| t.name.clone()).collect();
    let asked = request.topics.into_iter().flat_map(|topic| {
        let reference = TopicRef::Name(topic.name);
        let of_topic = topic.partitions.into_iter();
        of_topic.map(move |partition| (reference.clone(), partition))
    });
    let moved = at_once::for_each(asked.collect(), |(topic, partition)| async move {
        delete(cx, caller, &topic, partition, deadline).await
    });
    let mut moved = moved.await.into_iter();
    let topics = names
        .into_iter()
        .zip(counts)
        .map(|(name, count)| TopicResult {
            name,
            partitions: moved.by_ref().take(count).collect(),
        });
    Response {
        topics: topics.collect(),
        ..Response::default()
    }
}

async fn delete(
    cx: &Context,
    caller: &Caller,
    topic: &TopicRef,
    partition: Partition,
    deadline: Deadline,
) -> PartitionResult {
    let Partition { index, offset } = partition;
    let moved = cx
        .engine
        .delete_records(caller, topic, index, Offset(offset), deadline.left())
        .await;
    match moved {
        Ok(start) => PartitionResult {
            index,
            low_watermark: start.0,
            error: ErrorCode::NONE,
        },
        Err(error) => PartitionResult {
            index,
            low_watermark: -1,
            error: error_map::code(&error),
        },
    }
}
