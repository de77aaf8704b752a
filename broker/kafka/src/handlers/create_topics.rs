use std::collections::{BTreeMap, HashMap};
use weir_api::{Caller, ConfigTarget, Error, NewTopic, Result, TopicRef, TopicView};
use weir_types::BrokerId;

use super::{
    at_once::{self, Deadline},
    config_target,
};
use crate::{
    codec::{
        ErrorCode,
        messages::create_topics::{
            Assignment, ConfigResult, Request, Response, Topic, TopicResult,
        },
    },
    context::Context,
    error_map,
};

/// From this version on the answer carries the topic's configs (KIP-525).
const CONFIGS_FROM: i16 = 5;

pub(super) async fn handle(
    cx: &Context,
    caller: &Caller,
    version: i16,
    request: Request,
) -> Response {
    let (deadline, validate_only) = (Deadline::after(request.timeout_ms), request.validate_only);
    let mut counts: HashMap<String, usize> = HashMap::new();
    for topic in &request.topics {
        *counts.entry(topic.name.clone()).or_default() += 1;
    }
    let mut asked: Vec<(String, Result<Topic>)> = Vec::with_capacity(counts.len());
    for topic in request.topics {
        let name = topic.name.clone();
        match counts.get_mut(&name) {
            Some(1) => asked.push((name, Ok(topic))),
            // One answer for all entries of a name.
            Some(0) | None => {}
            Some(count) => {
                *count = 0;
                let twice = Error::InvalidRequest("the topic is named twice".into());
                asked.push((name, Err(twice)));
            }
        }
    }
    let topics = at_once::for_each(asked, |(name, topic)| async move {
        let created = match topic {
            Ok(topic) => create(cx, caller, topic, validate_only, deadline).await,
            Err(error) => Err(error),
        };
        match created {
            Ok(view) => describe(cx, caller, version, view).await,
            Err(error) => failed(name, &error),
        }
    });
    Response {
        topics: topics.await,
        ..Response::default()
    }
}

async fn create(
    cx: &Context,
    caller: &Caller,
    topic: Topic,
    validate_only: bool,
    deadline: Deadline,
) -> Result<TopicView> {
    let mut config = BTreeMap::new();
    for entry in topic.configs {
        let Some(value) = entry.value else {
            return Err(Error::InvalidConfig(format!("{} is null", entry.name)));
        };
        if config.insert(entry.name.clone(), value).is_some() {
            return Err(Error::InvalidConfig(format!(
                "{} is named twice",
                entry.name
            )));
        }
    }
    let assignments = if topic.assignments.is_empty() {
        None
    } else if topic.num_partitions != -1 || topic.replication_factor != -1 {
        let why = "with an assignment, partitions and replication factor must be -1";
        return Err(Error::InvalidRequest(why.into()));
    } else {
        Some(in_order(topic.assignments)?)
    };
    let new = NewTopic {
        name: topic.name,
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments,
        config,
        owner: None,
    };
    cx.engine
        .create_topic(caller, new, validate_only, deadline.left())
        .await
}

/// Partitions 0, 1, 2 ..., each exactly once.
fn in_order(mut assignments: Vec<Assignment>) -> Result<Vec<Vec<BrokerId>>> {
    assignments.sort_by_key(|assignment| assignment.index);
    let whole = (0i32..)
        .zip(&assignments)
        .all(|(index, a)| a.index == index);
    if !whole {
        let why = "partitions must be numbered from 0, each once";
        return Err(Error::InvalidReplicaAssignment(why.into()));
    }
    let brokers = |a: Assignment| a.broker_ids.into_iter().map(BrokerId).collect();
    Ok(assignments.into_iter().map(brokers).collect())
}

async fn describe(cx: &Context, caller: &Caller, version: i16, view: TopicView) -> TopicResult {
    let mut configs = Vec::new();
    if version >= CONFIGS_FROM {
        let target = ConfigTarget::Topic(TopicRef::Id(view.id));
        // After a mere validation the topic is not there, and so are its configs.
        let entries = cx
            .engine
            .describe_config(caller, &target)
            .await
            .unwrap_or_default();
        configs.extend(entries.into_iter().map(|entry| ConfigResult {
            name: entry.name,
            value: Some(entry.value),
            read_only: entry.read_only,
            config_source: config_target::source_number(entry.source),
            sensitive: false,
        }));
    }
    let replicas = view.partitions.first().map_or(0, |p| p.replicas.len());
    TopicResult {
        name: view.name,
        topic_id: view.id.0,
        num_partitions: i32::try_from(view.partitions.len()).unwrap_or(-1),
        replication_factor: i16::try_from(replicas).unwrap_or(-1),
        configs: Some(configs),
        ..TopicResult::default()
    }
}

fn failed(name: String, error: &Error) -> TopicResult {
    TopicResult {
        name,
        error: match error_map::code(error) {
            // What clients of administration retry.
            ErrorCode::NOT_LEADER_OR_FOLLOWER => ErrorCode::NOT_CONTROLLER,
            code => code,
        },
        message: error_map::message(error),
        configs: Some(Vec::new()),
        ..TopicResult::default()
    }
}
