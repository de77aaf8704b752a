use std::collections::{BTreeMap, HashSet};
use weir_api::{AlterConfig, Caller, ConfigOp, ConfigSource, ConfigTarget, Error, Result};

use super::config_target;
use crate::{
    codec::{
        ErrorCode,
        messages::alter_configs::{Request, Resource, ResourceResult, Response},
    },
    context::Context,
    error_map,
};

pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    let mut results = Vec::with_capacity(request.resources.len());
    let mut seen = HashSet::new();
    for resource in request.resources {
        let (resource_type, resource_name) =
            (resource.resource_type, resource.resource_name.clone());
        let done = if seen.insert((resource_type, resource_name.clone())) {
            replace(cx, caller, resource, request.validate_only).await
        } else {
            Err(Error::InvalidRequest("the resource is named twice".into()))
        };
        let error = done.as_ref().err().map_or(ErrorCode::NONE, error_map::code);
        let message = done.err().and_then(|error| error_map::message(&error));
        results.push(ResourceResult {
            error,
            message,
            resource_type,
            resource_name,
        });
    }
    Response {
        results,
        ..Response::default()
    }
}

/// Sets what is named and resets everything else that was set.
async fn replace(
    cx: &Context,
    caller: &Caller,
    resource: Resource,
    validate_only: bool,
) -> Result<()> {
    let target = config_target::parse(resource.resource_type, &resource.resource_name)?;
    let mut wanted = BTreeMap::new();
    for config in resource.configs {
        let name = config.name;
        let value = config
            .value
            .ok_or_else(|| Error::InvalidRequest(format!("config {name} is null")))?;
        wanted.insert(name, value);
    }
    let own = match target {
        ConfigTarget::Topic(_) => ConfigSource::DynamicTopic,
        ConfigTarget::Broker(_) => ConfigSource::DynamicBroker,
        ConfigTarget::ClusterDefault => ConfigSource::DynamicClusterDefault,
    };
    let present = cx.engine.describe_config(caller, &target).await?;
    let gone = present
        .into_iter()
        .filter(|e| e.source == own && !wanted.contains_key(&e.name));
    let mut ops: Vec<ConfigOp> = gone.map(|entry| ConfigOp::Delete(entry.name)).collect();
    ops.extend(
        wanted
            .into_iter()
            .map(|(name, value)| ConfigOp::Set(name, value)),
    );
    cx.engine
        .alter_config(caller, AlterConfig { target, ops }, validate_only)
        .await
}
