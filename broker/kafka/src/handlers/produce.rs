use futures::future::BoxFuture;
use std::collections::BTreeMap;
use weir_api::{
    Acks, Appended, Caller, Error, ProducePartition, ProduceRequest, Produced, Result, TopicRef,
};
use weir_types::TopicId;

use super::{millis, nodes::Nodes};
use crate::{
    codec::{
        ErrorCode, RequestHeader,
        messages::produce::{
            CurrentLeader, NodeEndpoint, PartitionResult, Request, Response, Topic, TopicResult,
        },
    },
    connection::Outcome,
    context::Context,
    error_map,
};

/// From this version on topics go by id.
const TOPIC_IDS_FROM: i16 = 13;

/// Puts the records in line; the future waits until they are acknowledged.
pub(super) async fn begin(
    cx: &Context,
    caller: &Caller,
    header: &RequestHeader,
    request: Request,
) -> BoxFuture<'static, Outcome> {
    let acks = match request.acks {
        0 => Some(Acks::None),
        1 => Some(Acks::Leader),
        -1 => Some(Acks::All),
        _ => None,
    };
    let by_topic_id = header.api_version >= TOPIC_IDS_FROM;
    let (plan, partitions) = sort_out(request.topics, acks, by_topic_id);
    let produced: Produced = if partitions.is_empty() {
        Box::pin(std::future::ready(Vec::new()))
    } else {
        let request = ProduceRequest {
            acks: acks.unwrap_or(Acks::Leader),
            timeout: millis(request.timeout_ms),
            transactional_id: request.transactional_id,
            partitions,
        };
        cx.engine.submit(caller, request).await
    };
    let header = header.clone();
    let listener = caller.listener.clone();
    let engine = std::sync::Arc::clone(&cx.engine);
    Box::pin(async move {
        let results = plan.join(produced.await);
        if acks == Some(Acks::None) {
            let failed = results
                .iter()
                .any(|t| t.partitions.iter().any(|p| p.error.is_error()));
            return if failed {
                Outcome::Close
            } else {
                Outcome::Silence
            };
        }
        let mut response = Response {
            topics: results,
            ..Response::default()
        };
        if has_leader_hints(&response) {
            response.node_endpoints =
                endpoints(&response, &Nodes::of(&engine.cluster(), &listener));
        }
        Outcome::Answer(super::encode(&header, &response))
    })
}

/// The request's shape, with the partitions that were refused before the engine saw them.
struct Plan {
    topics: Vec<(TopicResult, Vec<Slot>)>,
}

enum Slot {
    Submitted { index: i32 },
    Refused(PartitionResult),
}

fn sort_out(
    topics: Vec<Topic>,
    acks: Option<Acks>,
    by_topic_id: bool,
) -> (Plan, Vec<ProducePartition>) {
    let mut partitions = Vec::new();
    let mut plan = Plan {
        topics: Vec::with_capacity(topics.len()),
    };
    for topic in topics {
        let reference = if by_topic_id {
            TopicRef::Id(TopicId(topic.topic_id))
        } else {
            TopicRef::Name(topic.name.clone())
        };
        let mut slots = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            let index = partition.index;
            let records = partition
                .records
                .as_ref()
                .and_then(|r| r.in_memory())
                .cloned();
            let slot = match records {
                _ if acks.is_none() => Slot::Refused(refused(index, &Error::InvalidRequiredAcks)),
                Some(records) if !records.is_empty() => {
                    partitions.push(ProducePartition {
                        topic: reference.clone(),
                        index,
                        records,
                    });
                    Slot::Submitted { index }
                }
                _ => Slot::Refused(refused(index, &Error::InvalidRecord("no batch".into()))),
            };
            slots.push(slot);
        }
        let result = TopicResult {
            name: topic.name,
            topic_id: topic.topic_id,
            partitions: Vec::new(),
        };
        plan.topics.push((result, slots));
    }
    (plan, partitions)
}

impl Plan {
    fn join(self, results: Vec<Result<Appended>>) -> Vec<TopicResult> {
        let mut results = results.into_iter();
        let mut answer = |slot| match slot {
            Slot::Refused(result) => result,
            Slot::Submitted { index } => match results.next() {
                Some(Ok(appended)) => PartitionResult {
                    index,
                    base_offset: appended.base_offset.0,
                    append_time_ms: appended.append_time_ms,
                    log_start: appended.log_start.0,
                    ..PartitionResult::default()
                },
                Some(Err(error)) => refused(index, &error),
                None => refused(index, &Error::Internal("an answer is missing".into())),
            },
        };
        let fill = |(mut topic, slots): (TopicResult, Vec<Slot>)| {
            topic.partitions = slots.into_iter().map(&mut answer).collect();
            topic
        };
        self.topics.into_iter().map(fill).collect()
    }
}

fn refused(index: i32, error: &Error) -> PartitionResult {
    let current_leader = match error {
        Error::NotLeader {
            leader: Some(leader),
            epoch,
        } => CurrentLeader {
            leader_id: leader.0,
            leader_epoch: epoch.0,
        },
        _ => CurrentLeader::default(),
    };
    let code = error_map::code(error);
    let tells_more = matches!(code, ErrorCode::INVALID_RECORD | ErrorCode::CORRUPT_MESSAGE);
    PartitionResult {
        index,
        error: code,
        base_offset: -1,
        message: if tells_more {
            error_map::message(error)
        } else {
            None
        },
        current_leader,
        ..PartitionResult::default()
    }
}

fn has_leader_hints(response: &Response) -> bool {
    let mut partitions = response.topics.iter().flat_map(|t| &t.partitions);
    partitions.any(|p| p.current_leader.leader_id >= 0)
}

/// Addresses of the leaders that the answer names (KIP-951).
fn endpoints(response: &Response, nodes: &Nodes) -> Vec<NodeEndpoint> {
    let partitions = response.topics.iter().flat_map(|t| &t.partitions);
    let leaders = partitions
        .map(|p| p.current_leader.leader_id)
        .filter(|id| *id >= 0);
    let found: BTreeMap<i32, NodeEndpoint> = leaders
        .filter_map(|id| nodes.get_alive(weir_types::BrokerId(id)))
        .map(|node| {
            let (host, rack) = (node.host.clone(), node.rack.clone());
            (
                node.id.0,
                NodeEndpoint {
                    node_id: node.id.0,
                    host,
                    port: node.port,
                    rack,
                },
            )
        })
        .collect();
    found.into_values().collect()
}
