use std::{collections::BTreeMap, time::Instant};
use weir_api::{
    Caller, Error, FetchPartition, FetchRequest, FetchedPartition, Isolation, ReadFrom, TopicRef,
};
use weir_types::{BrokerId, LeaderEpoch, Offset, TopicId};

use super::{millis, nodes::Nodes};
use crate::{
    codec::{
        ErrorCode, Records,
        messages::fetch::{
            CurrentLeader, DivergingEpoch, Forgotten, NodeEndpoint, PartitionResult, Request,
            Response, Topic, TopicResult,
        },
    },
    context::Context,
    error_map,
    fetch_session::{FINAL_EPOCH, INITIAL_EPOCH, Key, SharedSession, lock},
};

mod stranger;

/// From this version on topics go by id.
const TOPIC_IDS_FROM: i16 = 13;
/// From this version on clients understand that they are sent to another replica (KIP-392).
const FOLLOWERS_FROM: i16 = 11;

pub(super) async fn handle(
    cx: &Context,
    caller: &Caller,
    version: i16,
    mut request: Request,
) -> Response {
    let by_topic_id = version >= TOPIC_IDS_FROM;
    let replica_id = request.replica_id.max(request.replica_state.replica_id);
    let topics = std::mem::take(&mut request.topics);
    if replica_id >= 0 {
        return stranger::refuse(topics);
    }
    let asks = asks(topics, by_topic_id);
    let plan = match plan(cx, &request, asks, by_topic_id) {
        Ok(plan) => plan,
        Err(error) => {
            return Response {
                error,
                ..Response::default()
            };
        }
    };
    let keys: Vec<Key> = plan
        .asks
        .iter()
        .map(|ask| (ask.topic.clone(), ask.index))
        .collect();
    let isolation = match request.isolation {
        0 => Isolation::ReadUncommitted,
        _ => Isolation::ReadCommitted,
    };
    let got = if plan.asks.is_empty() {
        Vec::new()
    } else {
        let bytes_max = cx.config.fetch_bytes_max;
        let fetch = FetchRequest {
            max_wait: millis(request.max_wait_ms),
            min_bytes: size(request.min_bytes).min(bytes_max),
            max_bytes: size(request.max_bytes).min(bytes_max),
            isolation,
            read_from: read_from(version, caller, &mut request),
            partitions: plan.asks,
        };
        cx.engine.fetch(caller, fetch).await
    };
    let session = plan.session.as_ref();
    let mut response = Response {
        session_id: session.map_or(0, |session| lock(session).id()),
        topics: told(keys, got, session, plan.full, isolation),
        ..Response::default()
    };
    if has_leader_hints(&response) {
        response.node_endpoints = endpoints(
            &response,
            &Nodes::of(&cx.engine.cluster(), &caller.listener),
        );
    }
    response
}

fn read_from(version: i16, caller: &Caller, request: &mut Request) -> ReadFrom {
    if version < FOLLOWERS_FROM {
        return ReadFrom::Leader;
    }
    ReadFrom::Any {
        rack: std::mem::take(&mut request.rack_id),
        listener: caller.listener.clone(),
    }
}

/// What to ask the engine for, and how much of the answer to tell.
struct Plan {
    session: Option<SharedSession>,
    asks: Vec<FetchPartition>,
    /// Tell of every partition.
    full: bool,
}

fn plan(
    cx: &Context,
    request: &Request,
    asks: Vec<FetchPartition>,
    by_topic_id: bool,
) -> Result<Plan, ErrorCode> {
    let (id, epoch) = (request.session_id, request.session_epoch);
    let now = Instant::now();
    if epoch == FINAL_EPOCH || epoch == INITIAL_EPOCH {
        if id != 0 {
            cx.sessions.remove(id);
        }
        let session = match epoch {
            INITIAL_EPOCH => cx.sessions.create(&asks, by_topic_id, now),
            _ => None,
        };
        return Ok(Plan {
            session,
            asks,
            full: true,
        });
    }
    let forgotten = forgotten_keys(&request.forgotten, by_topic_id);
    let session = cx
        .sessions
        .resume((id, epoch), by_topic_id, asks, &forgotten, now)?;
    let asks = lock(&session).asks();
    Ok(Plan {
        session: Some(session),
        asks,
        full: false,
    })
}

fn asks(topics: Vec<Topic>, by_topic_id: bool) -> Vec<FetchPartition> {
    let mut asks = Vec::new();
    for topic in topics {
        let reference = reference(by_topic_id, topic.name, topic.topic_id);
        for partition in topic.partitions {
            asks.push(FetchPartition {
                topic: reference.clone(),
                index: partition.index,
                leader_epoch: LeaderEpoch(partition.current_leader_epoch),
                offset: Offset(partition.fetch_offset),
                last_fetched_epoch: LeaderEpoch(partition.last_fetched_epoch),
                max_bytes: size(partition.max_bytes),
            });
        }
    }
    asks
}

fn forgotten_keys(forgotten: &[Forgotten], by_topic_id: bool) -> Vec<Key> {
    let keys_of = |topic: &Forgotten| {
        let reference = reference(by_topic_id, topic.name.clone(), topic.topic_id);
        let keys = topic
            .partitions
            .iter()
            .map(move |index| (reference.clone(), *index));
        keys.collect::<Vec<_>>()
    };
    forgotten.iter().flat_map(keys_of).collect()
}

fn reference(by_topic_id: bool, name: String, id: uuid::Uuid) -> TopicRef {
    if by_topic_id {
        TopicRef::Id(TopicId(id))
    } else {
        TopicRef::Name(name)
    }
}

/// The answer's topics. Neighbours of one topic share an entry.
fn told(
    keys: Vec<Key>,
    got: Vec<FetchedPartition>,
    session: Option<&SharedSession>,
    full: bool,
    isolation: Isolation,
) -> Vec<TopicResult> {
    let mut topics: Vec<TopicResult> = Vec::new();
    let mut last: Option<TopicRef> = None;
    let mut session = session.map(|session| lock(session));
    for ((topic, index), got) in keys.into_iter().zip(got) {
        let key = (topic, index);
        let changed = session
            .as_mut()
            .is_none_or(|session| session.note(&key, &got));
        if !changed && !full {
            continue;
        }
        let topic = key.0;
        if last.as_ref() != Some(&topic) {
            topics.push(match &topic {
                TopicRef::Name(name) => TopicResult {
                    name: name.clone(),
                    ..TopicResult::default()
                },
                TopicRef::Id(id) => TopicResult {
                    topic_id: id.0,
                    ..TopicResult::default()
                },
            });
            last = Some(topic);
        }
        if let Some(entry) = topics.last_mut() {
            entry.partitions.push(partition(index, got, isolation));
        }
    }
    topics
}

fn partition(index: i32, got: FetchedPartition, isolation: Isolation) -> PartitionResult {
    let hint = match (&got.leader, &got.error) {
        (Some(leader), _) => Some(*leader),
        (
            None,
            Some(Error::NotLeader {
                leader: Some(leader),
                epoch,
            }),
        ) => Some((*leader, *epoch)),
        (None, _) => None,
    };
    let current_leader =
        hint.map_or_else(CurrentLeader::default, |(leader, epoch)| CurrentLeader {
            leader_id: leader.0,
            leader_epoch: epoch.0,
        });
    let diverging = got
        .diverging
        .map_or_else(DivergingEpoch::default, |(epoch, end)| DivergingEpoch {
            epoch: epoch.0,
            end_offset: end.0,
        });
    PartitionResult {
        index,
        error: got.error.as_ref().map_or(ErrorCode::NONE, error_map::code),
        high_watermark: got.high_watermark.0,
        last_stable_offset: got.last_stable_offset.0,
        log_start: got.log_start.0,
        diverging_epoch: diverging,
        current_leader,
        aborted_transactions: (isolation == Isolation::ReadCommitted).then(Vec::new),
        preferred_read_replica: got.preferred.map_or(-1, |id| id.0),
        records: Some(Records(got.records)),
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
        .filter_map(|id| nodes.get_alive(BrokerId(id)))
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

fn size(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}
