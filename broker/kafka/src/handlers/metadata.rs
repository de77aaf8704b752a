use std::collections::HashSet;
use uuid::Uuid;
use weir_api::{Caller, Error, PartitionView, TopicRef, TopicView};
use weir_types::{BrokerId, TopicId};

use super::nodes::Nodes;
use crate::{
    codec::{
        ErrorCode,
        messages::metadata::{Broker, PartitionResult, Request, Response, Topic, TopicResult},
    },
    context::Context,
    error_map,
};

/// From this version on topics may be asked for by id.
const TOPIC_IDS_FROM: i16 = 12;

pub(super) async fn handle(
    cx: &Context,
    caller: &Caller,
    version: i16,
    request: Request,
) -> Response {
    let creates = cx.config.auto_create && request.allow_auto_topic_creation;
    // In version 0 an empty list asks for all.
    let all = request
        .topics
        .as_ref()
        .is_none_or(|topics| version == 0 && topics.is_empty());
    let mut views = Vec::new();
    if all {
        views.extend(cx.engine.topics().into_iter().map(Ok));
    } else {
        let mut seen: HashSet<(Uuid, Option<String>)> = HashSet::new();
        for topic in request.topics.unwrap_or_default() {
            if seen.insert((topic.topic_id, topic.name.clone())) {
                let view = look_up(cx, caller, version, &topic, creates).await;
                views.push(view.map_err(|error| (topic, error)));
            }
        }
    }
    // Only now: topics may have been created, on brokers that came meanwhile.
    let cluster = cx.engine.cluster();
    let nodes = Nodes::of(&cluster, &caller.listener);
    let topics = views.into_iter().map(|view| match view {
        Ok(view) => describe(view, &nodes, version),
        Err((topic, error)) => TopicResult {
            error: error_map::code(&error),
            name: topic.name,
            topic_id: topic.topic_id,
            operations: super::OPERATIONS_UNKNOWN,
            ..TopicResult::default()
        },
    });
    Response {
        brokers: nodes.alive().map(broker).collect(),
        controller_id: nodes.controller_id(cx.engine.broker()),
        topics: topics.collect(),
        cluster_id: Some(cluster.cluster_id),
        ..Response::default()
    }
}

async fn look_up(
    cx: &Context,
    caller: &Caller,
    version: i16,
    topic: &Topic,
    creates: bool,
) -> weir_api::Result<TopicView> {
    let by_id = !topic.topic_id.is_nil();
    let Some(name) = &topic.name else {
        let id = TopicRef::Id(TopicId(topic.topic_id));
        return match by_id && version >= TOPIC_IDS_FROM {
            true => cx.engine.topic(&id).ok_or(Error::UnknownTopicId),
            false => Err(Error::InvalidRequest(
                "a topic has neither name nor id".into(),
            )),
        };
    };
    if by_id {
        return Err(Error::InvalidRequest(
            "a topic has both a name and an id".into(),
        ));
    }
    if let Some(view) = cx.engine.topic(&TopicRef::Name(name.clone())) {
        return Ok(view);
    }
    if !is_topic_name(name) {
        return Err(Error::InvalidTopic(name.clone()));
    }
    if !creates {
        return Err(Error::UnknownTopicOrPartition);
    }
    match cx.engine.auto_create_topic(caller, name).await {
        // Another client was faster.
        Err(Error::TopicExists) => Err(Error::LeaderNotAvailable),
        // Clients ask again for what is not there yet, but give up on other errors.
        Err(Error::TimedOut | Error::ShuttingDown | Error::Busy(_)) => {
            Err(Error::LeaderNotAvailable)
        }
        Err(Error::InvalidReplicationFactor(_) | Error::BrokerNotAvailable) => {
            Err(Error::LeaderNotAvailable)
        }
        other => other,
    }
}

/// Kafka's rule for names.
fn is_topic_name(name: &str) -> bool {
    let letters = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    let length = (1..=weir_types::limits::TOPIC_NAME_BYTES_MAX).contains(&name.len());
    letters && length && name != "." && name != ".."
}

fn describe(view: TopicView, nodes: &Nodes, version: i16) -> TopicResult {
    let partitions = view.partitions.iter().map(|p| partition(p, nodes, version));
    TopicResult {
        error: ErrorCode::NONE,
        topic_id: view.id.0,
        internal: view.internal,
        partitions: partitions.collect(),
        name: Some(view.name),
        operations: super::OPERATIONS_UNKNOWN,
    }
}

fn partition(view: &PartitionView, nodes: &Nodes, version: i16) -> PartitionResult {
    let leader = view
        .leader
        .filter(|leader| nodes.get_alive(*leader).is_some());
    let error = match (view.leader, leader) {
        (_, Some(_)) => ErrorCode::NONE,
        (Some(_), None) if version >= 6 => ErrorCode::LISTENER_NOT_FOUND,
        (_, None) => ErrorCode::LEADER_NOT_AVAILABLE,
    };
    PartitionResult {
        error,
        index: view.index,
        leader_id: leader.map_or(-1, |leader| leader.0),
        leader_epoch: view.leader_epoch.0,
        replicas: ids(&view.replicas),
        isr: ids(&view.isr),
        offline: ids(&view.offline),
    }
}

fn ids(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|broker| broker.0).collect()
}

fn broker(node: &super::nodes::Node) -> Broker {
    Broker {
        node_id: node.id.0,
        host: node.host.clone(),
        port: node.port,
        rack: node.rack.clone(),
    }
}
