use weir_api::{Caller, Error, TopicRef};

use crate::{
    codec::{
        ErrorCode,
        messages::elect_leaders::{PartitionResult, Request, Response, Topic, TopicResult},
    },
    context::Context,
    error_map,
};

const PREFERRED: i8 = 0;

pub(super) async fn handle(cx: &Context, _: &Caller, version: i16, request: Request) -> Response {
    let asked_for_all = request.topics.is_none();
    let asked = request.topics.unwrap_or_else(|| partitions_to_move(cx));
    let mut topics = Vec::with_capacity(asked.len());
    let mut refused = ErrorCode::NONE;
    for topic in asked {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for index in topic.partitions {
            let result = if request.election_type == PREFERRED {
                elect(cx, &topic.name, index).await
            } else {
                // Elections that lose acknowledged records are not to be had.
                refused = ErrorCode::INVALID_REQUEST;
                Err(Error::InvalidRequest(
                    "only preferred leaders are elected".into(),
                ))
            };
            let error = result
                .as_ref()
                .err()
                .map_or(ErrorCode::NONE, error_map::code);
            let message = result.err().and_then(|error| error_map::message(&error));
            // Nobody asked for those that were found to be in order.
            if !(asked_for_all && error == ErrorCode::ELECTION_NOT_NEEDED) {
                partitions.push(PartitionResult {
                    index,
                    error,
                    message,
                });
            }
        }
        topics.push(TopicResult {
            name: topic.name,
            partitions,
        });
    }
    let error = if version >= 1 {
        refused
    } else {
        ErrorCode::NONE
    };
    Response {
        error,
        topics,
        ..Response::default()
    }
}

async fn elect(cx: &Context, name: &str, index: i32) -> weir_api::Result<()> {
    let reference = TopicRef::Name(name.to_owned());
    let view = cx
        .engine
        .topic(&reference)
        .ok_or(Error::UnknownTopicOrPartition)?;
    let partition = view
        .partitions
        .iter()
        .find(|partition| partition.index == index);
    let partition = partition.ok_or(Error::UnknownTopicOrPartition)?;
    if partition.leader.is_some() && partition.leader == partition.replicas.first().copied() {
        return Err(Error::ElectionNotNeeded);
    }
    match cx
        .engine
        .elect_preferred(Some(vec![(reference, index)]))
        .await?
    {
        0 => Err(Error::PreferredLeaderNotAvailable),
        _ => Ok(()),
    }
}

/// Those whose leader is not the preferred one.
fn partitions_to_move(cx: &Context) -> Vec<Topic> {
    let of_topic = |view: weir_api::TopicView| {
        let moved = view
            .partitions
            .iter()
            .filter(|p| p.leader != p.replicas.first().copied());
        let partitions: Vec<i32> = moved.map(|partition| partition.index).collect();
        (!partitions.is_empty()).then_some(Topic {
            name: view.name,
            partitions,
        })
    };
    cx.engine
        .topics()
        .into_iter()
        .filter_map(of_topic)
        .collect()
}
