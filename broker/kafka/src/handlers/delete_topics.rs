use std::{collections::HashMap, time::Duration};
use weir_api::{Caller, Error, Result, TopicRef};
use weir_types::TopicId;

use super::millis;
use crate::{
    codec::{
        ErrorCode,
        messages::delete_topics::{Request, Response, Topic, TopicResult},
    },
    context::Context,
    error_map,
};

pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    let timeout = millis(request.timeout_ms);
    let by_name = request.topic_names.into_iter();
    let by_name = by_name.map(|name| Topic {
        name: Some(name),
        ..Topic::default()
    });
    let topics: Vec<Topic> = request.topics.into_iter().chain(by_name).collect();
    let mut counts: HashMap<Option<TopicRef>, usize> = HashMap::new();
    for topic in &topics {
        *counts.entry(reference(topic)).or_default() += 1;
    }
    let mut results = Vec::with_capacity(topics.len());
    for topic in topics {
        let reference = reference(&topic);
        let mut result = TopicResult {
            name: topic.name,
            topic_id: topic.topic_id,
            ..TopicResult::default()
        };
        let deleted = match (reference, &mut result) {
            (None, _) => Err(Error::InvalidRequest("give either a name or an id".into())),
            (Some(reference), _) if counts.get(&Some(reference.clone())) != Some(&1) => {
                Err(Error::InvalidRequest("the topic is named twice".into()))
            }
            (Some(reference), result) => delete(cx, caller, &reference, timeout, result).await,
        };
        if let Err(error) = deleted {
            result.error = error_map::code(&error);
            result.message = error_map::message(&error);
        }
        results.push(result);
    }
    Response {
        results,
        ..Response::default()
    }
}

/// `None`: the entry has no name and no id, or both.
fn reference(topic: &Topic) -> Option<TopicRef> {
    match (&topic.name, topic.topic_id.is_nil()) {
        (Some(name), true) => Some(TopicRef::Name(name.clone())),
        (None, false) => Some(TopicRef::Id(TopicId(topic.topic_id))),
        _ => None,
    }
}

async fn delete(
    cx: &Context,
    caller: &Caller,
    topic: &TopicRef,
    timeout: Duration,
    result: &mut TopicResult,
) -> Result<()> {
    let Some(view) = cx.engine.topic(topic) else {
        return Err(match topic {
            TopicRef::Name(_) => Error::UnknownTopicOrPartition,
            TopicRef::Id(_) => Error::UnknownTopicId,
        });
    };
    result.name = Some(view.name);
    result.topic_id = view.id.0;
    result.error = ErrorCode::NONE;
    // By id: the name may be another topic's by now.
    cx.engine
        .delete_topic(caller, &TopicRef::Id(view.id), timeout)
        .await
}
