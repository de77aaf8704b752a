use tokio::time::timeout;
use weir_api::{Caller, Error, Result, TopicRef};

use super::at_once::Deadline;
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
    let (results, refused) = if request.election_type == PREFERRED {
        let deadline = Deadline::after(request.timeout_ms);
        (elect(cx, &asked, deadline).await, ErrorCode::NONE)
    } else {
        // Elections that lose acknowledged records are not to be had.
        let why = Error::InvalidRequest("only preferred leaders are elected".into());
        let count = asked.iter().map(|topic| topic.partitions.len()).sum();
        (vec![Err(why); count], ErrorCode::INVALID_REQUEST)
    };
    let mut results = results.into_iter();
    let of_topic = |topic: Topic| {
        let answered = topic.partitions.into_iter().zip(results.by_ref());
        let told = answered
            .map(|(index, result)| partition_result(index, result))
            // Nobody asked for those that were found to be in order.
            .filter(|p| !(asked_for_all && p.error == ErrorCode::ELECTION_NOT_NEEDED));
        TopicResult {
            name: topic.name,
            partitions: told.collect(),
        }
    };
    let topics = asked.into_iter().map(of_topic).collect();
    Response {
        error: if version >= 1 {
            refused
        } else {
            ErrorCode::NONE
        },
        topics,
        ..Response::default()
    }
}

/// One result a partition, in order; those that need it are elected together.
async fn elect(cx: &Context, asked: &[Topic], deadline: Deadline) -> Vec<Result<()>> {
    let each = || {
        let of_topic = |t: &Topic| (TopicRef::Name(t.name.clone()), t.partitions.clone());
        asked.iter().map(of_topic).flat_map(|(reference, indexes)| {
            indexes
                .into_iter()
                .map(move |index| (reference.clone(), index))
        })
    };
    let mut results: Vec<Result<()>> = each().map(|(t, index)| needed(cx, &t, index)).collect();
    let chosen = each().zip(&results).filter(|(_, result)| result.is_ok());
    let chosen: Vec<_> = chosen.map(|(partition, _)| partition).collect();
    if chosen.is_empty() {
        return results;
    }
    let count = chosen.len();
    let elected = timeout(deadline.left(), cx.engine.elect_preferred(Some(chosen))).await;
    match elected.unwrap_or(Err(Error::TimedOut)) {
        Ok(changed) if usize::try_from(changed) == Ok(count) => {}
        Ok(_) => {
            // Whoever still needs it was not elected.
            let open = each()
                .zip(&mut results)
                .filter(|(_, result)| result.is_ok());
            for ((topic, index), result) in open {
                if needed(cx, &topic, index).is_ok() {
                    *result = Err(Error::PreferredLeaderNotAvailable);
                }
            }
        }
        Err(error) => {
            let open = results.iter_mut().filter(|result| result.is_ok());
            open.for_each(|result| *result = Err(error.clone()));
        }
    }
    results
}

/// Whether the partition is there and led by another than the preferred replica.
fn needed(cx: &Context, topic: &TopicRef, index: i32) -> Result<()> {
    let view = cx.engine.topic(topic);
    let partition = view
        .as_ref()
        .and_then(|view| view.partitions.iter().find(|p| p.index == index));
    let partition = partition.ok_or(Error::UnknownTopicOrPartition)?;
    if partition.leader.is_some() && partition.leader == partition.replicas.first().copied() {
        return Err(Error::ElectionNotNeeded);
    }
    Ok(())
}

fn partition_result(index: i32, result: Result<()>) -> PartitionResult {
    let error = match &result {
        Ok(()) => ErrorCode::NONE,
        Err(error) => error_map::code(error),
    };
    PartitionResult {
        index,
        error,
        message: result.err().and_then(|error| error_map::message(&error)),
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
