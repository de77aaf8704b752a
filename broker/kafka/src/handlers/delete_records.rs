use weir_api::{Caller, TopicRef};
use weir_types::Offset;

use super::millis;
use crate::{
    codec::{
        ErrorCode,
        messages::delete_records::{PartitionResult, Request, Response, TopicResult},
    },
    context::Context,
    error_map,
};

pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    let timeout = millis(request.timeout_ms);
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let reference = TopicRef::Name(topic.name.clone());
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            let index = partition.index;
            let before = Offset(partition.offset);
            let moved = cx
                .engine
                .delete_records(caller, &reference, index, before, timeout)
                .await;
            partitions.push(match moved {
                Ok(start) => PartitionResult {
                    index,
                    low_watermark: start.0,
                    error: ErrorCode::NONE,
                },
                Err(error) => {
                    let error = error_map::code(&error);
                    PartitionResult {
                        index,
                        low_watermark: -1,
                        error,
                    }
                }
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
