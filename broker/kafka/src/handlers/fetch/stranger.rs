//! Fetches of those that say they are brokers.

use crate::codec::{
    ErrorCode, Records,
    messages::fetch::{PartitionResult, Response, Topic, TopicResult},
};

/// Brokers copy their logs over connections of their own: whoever claims to be one here is not.
pub(super) fn refuse(topics: Vec<Topic>) -> Response {
    let refuse = |topic: Topic| TopicResult {
        name: topic.name,
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .map(|partition| PartitionResult {
                index: partition.index,
                error: ErrorCode::TOPIC_AUTHORIZATION_FAILED,
                high_watermark: -1,
                records: Some(Records::default()),
                ..PartitionResult::default()
            })
            .collect(),
    };
    Response {
        topics: topics.into_iter().map(refuse).collect(),
        ..Response::default()
    }
}
