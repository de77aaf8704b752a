//! Topics and their configs.

use std::collections::HashMap;
use std::time::Duration;
use tonic::Status;
use weir_api::{
    AlterConfig, Caller, ConfigOp, ConfigSource, ConfigTarget, Engine, Error, NewTopic, TopicRef,
    TopicView,
};
use weir_proto::admin as pb;

use crate::convert;
use crate::status::status;

/// How long a change may take to reach this broker's own view.
const APPLY_WITHIN: Duration = Duration::from_secs(15);

async fn full(engine: &dyn Engine, view: TopicView) -> Result<pb::Topic, Status> {
    let target = ConfigTarget::Topic(TopicRef::Id(view.id));
    let config = engine
        .describe_config(&Caller::internal(), &target)
        .await
        .map_err(status)?;
    Ok(convert::topic(view, &config))
}

fn find(engine: &dyn Engine, name: &str) -> Result<TopicView, Status> {
    engine
        .topic(&TopicRef::Name(name.to_owned()))
        .ok_or_else(|| status(Error::UnknownTopicOrPartition))
}

pub(crate) async fn list(engine: &dyn Engine, internal: bool) -> Result<Vec<pb::Topic>, Status> {
    let mut topics = Vec::new();
    for view in engine
        .topics()
        .into_iter()
        .filter(|t| internal || !t.internal)
    {
        // A topic deleted in between is simply gone.
        if let Ok(topic) = full(engine, view).await {
            topics.push(topic);
        }
    }
    Ok(topics)
}

pub(crate) async fn describe(engine: &dyn Engine, name: &str) -> Result<pb::Topic, Status> {
    full(engine, find(engine, name)?).await
}

pub(crate) async fn create(
    engine: &dyn Engine,
    request: pb::CreateTopicRequest,
) -> Result<pb::Topic, Status> {
    let or_default = |n: i32| if n == 0 { -1 } else { n };
    let factor = i16::try_from(or_default(request.replication_factor))
        .map_err(|_| Status::invalid_argument("replication factor"))?;
    let new = NewTopic {
        name: request.name,
        partitions: or_default(request.partitions),
        replication_factor: factor,
        assignments: None,
        config: request.config.into_iter().collect(),
        owner: request.owner.map(convert::owner),
    };
    let validate_only = request.validate_only;
    let view = engine
        .create_topic(&Caller::internal(), new, validate_only, APPLY_WITHIN)
        .await
        .map_err(status)?;
    if validate_only {
        Ok(convert::topic(view, &[]))
    } else {
        full(engine, view).await
    }
}

pub(crate) async fn alter(
    engine: &dyn Engine,
    request: pb::AlterTopicRequest,
) -> Result<pb::Topic, Status> {
    let caller = Caller::internal();
    let view = find(engine, &request.name)?;
    let topic = TopicRef::Id(view.id);
    let ops = ops(request.set, request.remove);
    if !ops.is_empty() {
        let change = AlterConfig {
            target: ConfigTarget::Topic(topic.clone()),
            ops,
        };
        engine
            .alter_config(&caller, change, request.validate_only)
            .await
            .map_err(status)?;
    }
    if let Some(count) = request.partitions
        && usize::try_from(count) != Ok(view.partitions.len())
    {
        engine
            .create_partitions(
                &caller,
                &topic,
                count,
                None,
                request.validate_only,
                APPLY_WITHIN,
            )
            .await
            .map_err(status)?;
    }
    if request.set_owner && !request.validate_only {
        let owner = request.owner.map(convert::owner);
        engine
            .set_topic_owner(&topic, owner)
            .await
            .map_err(status)?;
    }
    describe(engine, &request.name).await
}

pub(crate) async fn delete(engine: &dyn Engine, name: String) -> Result<(), Status> {
    engine
        .delete_topic(&Caller::internal(), &TopicRef::Name(name), APPLY_WITHIN)
        .await
        .map_err(status)
}

pub(crate) async fn alter_cluster_config(
    engine: &dyn Engine,
    request: pb::AlterClusterConfigRequest,
) -> Result<(), Status> {
    let ops = ops(request.set, request.remove);
    let change = AlterConfig {
        target: ConfigTarget::ClusterDefault,
        ops,
    };
    engine
        .alter_config(&Caller::internal(), change, false)
        .await
        .map_err(status)
}

/// The cluster-wide configs that are set.
pub(crate) async fn cluster_config(engine: &dyn Engine) -> Result<HashMap<String, String>, Status> {
    let target = ConfigTarget::ClusterDefault;
    let entries = engine
        .describe_config(&Caller::internal(), &target)
        .await
        .map_err(status)?;
    Ok(entries
        .into_iter()
        .filter(|entry| entry.source == ConfigSource::DynamicClusterDefault)
        .map(|entry| (entry.name, entry.value))
        .collect())
}

fn ops(set: HashMap<String, String>, remove: Vec<String>) -> Vec<ConfigOp> {
    let set = set.into_iter().map(|(k, v)| ConfigOp::Set(k, v));
    set.chain(remove.into_iter().map(ConfigOp::Delete))
        .collect()
}
