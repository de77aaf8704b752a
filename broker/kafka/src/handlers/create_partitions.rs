use std::{collections::HashMap, time::Duration};
use weir_api::{Caller, Error, Result, TopicRef};
use weir_types::BrokerId;

use super::millis;
use crate::{
    codec::{
        ErrorCode,
        messages::create_partitions::{Request, Response, Topic, TopicResult},
    },
    context::Context,
    error_map,
};

pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    let timeout = millis(request.timeout_ms);
    let mut counts: HashMap<String, usize> = HashMap::new();
    for topic in &request.topics {
        *counts.entry(topic.name.clone()).or_default() += 1;
    }
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let name = topic.name.clone();
        let grown = if counts.get(&name) == Some(&1) {
            grow(cx, caller, topic, request.validate_only, timeout).await
        } else {
            Err(Error::InvalidRequest("the topic is named twice".into()))
        };
        let error = grown
            .as_ref()
            .err()
            .map_or(ErrorCode::NONE, error_map::code);
        let message = grown.err().and_then(|error| error_map::message(&error));
        results.push(TopicResult {
            name,
            error,
            message,
        });
    }
    Response {
        results,
        ..Response::default()
    }
}

async fn grow(
    cx: &Context,
    caller: &Caller,
    topic: Topic,
    validate_only: bool,
    timeout: Duration,
) -> Result<()> {
    let reference = TopicRef::Name(topic.name);
    let assignments = topic.assignments.map(|assignments| {
        let brokers = |ids: Vec<i32>| ids.into_iter().map(BrokerId).collect();
        assignments
            .into_iter()
            .map(|a| brokers(a.broker_ids))
            .collect()
    });
    cx.engine
        .create_partitions(
            caller,
            &reference,
            topic.count,
            assignments,
            validate_only,
            timeout,
        )
        .await
}
