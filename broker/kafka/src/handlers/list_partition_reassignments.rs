use weir_api::{Caller, ReplicaView};
use weir_types::BrokerId;

use crate::{
    codec::messages::list_partition_reassignments::{
        PartitionResult, Request, Response, TopicResult,
    },
    context::Context,
};

/// Those under way; of the asked partitions, or all. Others are not mentioned.
pub(super) async fn handle(cx: &Context, _: &Caller, _: i16, request: Request) -> Response {
    let asked = |view: &ReplicaView| {
        let Some(topics) = &request.topics else {
            return true;
        };
        let index = view.partition.index;
        topics
            .iter()
            .any(|t| t.name == view.topic && t.partition_indexes.contains(&index))
    };
    let mut topics: Vec<TopicResult> = Vec::new();
    for view in cx.engine.placement().reassignments() {
        if !asked(&view) {
            continue;
        }
        let result = PartitionResult {
            index: view.partition.index,
            replicas: ids(&view.partition.replicas),
            adding_replicas: ids(&view.partition.adding),
            removing_replicas: ids(&view.partition.removing),
        };
        // They come in order of topics.
        match topics.last_mut().filter(|t| t.name == view.topic) {
            Some(topic) => topic.partitions.push(result),
            None => topics.push(TopicResult {
                name: view.topic,
                partitions: vec![result],
            }),
        }
    }
    Response {
        topics,
        ..Response::default()
    }
}

fn ids(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|b| b.0).collect()
}
