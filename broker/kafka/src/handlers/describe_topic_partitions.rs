use std::collections::BTreeSet;
use weir_api::{Caller, PartitionView, TopicRef, TopicView};
use weir_types::BrokerId;

use super::nodes::Nodes;
use crate::{
    codec::{
        ErrorCode,
        messages::describe_topic_partitions::{
            Cursor, NextCursor, PartitionResult, Request, Response, TopicResult,
        },
    },
    context::Context,
};

/// Most partitions of one answer (`max.request.partition.size.limit`).
const PARTITIONS_MAX: usize = 2000;

/// Topics in order of name, from the cursor on, until the limit is reached.
pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    let limit = usize::try_from(request.partition_limit)
        .unwrap_or(0)
        .clamp(1, PARTITIONS_MAX);
    let names: BTreeSet<String> = match request.topics.is_empty() {
        true => cx
            .engine
            .topics()
            .into_iter()
            .map(|view| view.name)
            .collect(),
        false => request.topics.into_iter().map(|topic| topic.name).collect(),
    };
    let start = request.cursor.unwrap_or_default();
    let nodes = Nodes::of(&cx.engine.cluster(), &caller.listener);
    let mut left = limit;
    let mut response = Response::default();
    for name in names.range(start.name.clone()..) {
        if left == 0 {
            response.next_cursor = Some(NextCursor {
                name: name.clone(),
                index: 0,
            });
            break;
        }
        let Some(view) = cx.engine.topic(&TopicRef::Name(name.clone())) else {
            response.topics.push(unknown(name));
            continue;
        };
        let (topic, next) = page(view, first_index(&start, name), left, &nodes);
        left -= topic.partitions.len();
        response.topics.push(topic);
        if next.is_some() {
            response.next_cursor = next;
            break;
        }
    }
    response
}

fn first_index(start: &Cursor, name: &str) -> usize {
    if start.name == name {
        usize::try_from(start.index).unwrap_or(0)
    } else {
        0
    }
}

fn page(
    view: TopicView,
    first: usize,
    left: usize,
    nodes: &Nodes,
) -> (TopicResult, Option<NextCursor>) {
    let end = view.partitions.len().min(first + left);
    let shown = view.partitions.iter().skip(first).take(left);
    let partitions = shown.map(|partition| describe(partition, nodes)).collect();
    let next = (end < view.partitions.len()).then(|| NextCursor {
        name: view.name.clone(),
        index: i32::try_from(end).unwrap_or(i32::MAX),
    });
    let topic = TopicResult {
        error: ErrorCode::NONE,
        name: Some(view.name),
        topic_id: view.id.0,
        internal: view.internal,
        partitions,
        operations: super::OPERATIONS_UNKNOWN,
    };
    (topic, next)
}

fn describe(view: &PartitionView, nodes: &Nodes) -> PartitionResult {
    let leader = view
        .leader
        .filter(|leader| nodes.get_alive(*leader).is_some());
    let error = match (view.leader, leader) {
        (_, Some(_)) => ErrorCode::NONE,
        (Some(_), None) => ErrorCode::LISTENER_NOT_FOUND,
        (None, None) => ErrorCode::LEADER_NOT_AVAILABLE,
    };
    // Told only where nobody else could lead.
    let nobody = view.isr.is_empty() && view.elr.is_empty();
    let last = view.last_leader.filter(|_| nobody);
    let last_leader: Vec<i32> = last.iter().map(|broker| broker.0).collect();
    PartitionResult {
        error,
        index: view.index,
        leader_id: leader.map_or(-1, |leader| leader.0),
        leader_epoch: view.leader_epoch.0,
        replicas: ids(&view.replicas),
        isr: ids(&view.isr),
        elr: Some(ids(&view.elr)),
        last_known_elr: Some(last_leader),
        offline: ids(&view.offline),
    }
}

fn ids(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|broker| broker.0).collect()
}

fn unknown(name: &str) -> TopicResult {
    TopicResult {
        error: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        name: Some(name.to_owned()),
        operations: super::OPERATIONS_UNKNOWN,
        ..TopicResult::default()
    }
}
