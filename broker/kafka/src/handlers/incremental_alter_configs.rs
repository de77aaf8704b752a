use std::collections::HashSet;
use weir_api::{AlterConfig, Caller, ConfigOp, Error, Result};

use super::config_target;
use crate::{
    codec::{
        ErrorCode,
        messages::incremental_alter_configs::{
            Config, Request, Resource, ResourceResult, Response,
        },
    },
    context::Context,
    error_map,
};

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    let mut results = Vec::with_capacity(request.resources.len());
    let mut seen = HashSet::new();
    for resource in request.resources {
        let (resource_type, resource_name) =
            (resource.resource_type, resource.resource_name.clone());
        let done = if seen.insert((resource_type, resource_name.clone())) {
            alter(cx, caller, resource, request.validate_only).await
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

async fn alter(
    cx: &Context,
    caller: &Caller,
    resource: Resource,
    validate_only: bool,
) -> Result<()> {
    let target = config_target::parse(resource.resource_type, &resource.resource_name)?;
    let mut names = HashSet::new();
    if let Some(twice) = resource
        .configs
        .iter()
        .find(|config| !names.insert(&config.name))
    {
        return Err(Error::InvalidRequest(format!(
            "config {} is named twice",
            twice.name
        )));
    }
    let ops = resource
        .configs
        .into_iter()
        .map(op)
        .collect::<Result<Vec<_>>>()?;
    cx.engine
        .alter_config(caller, AlterConfig { target, ops }, validate_only)
        .await
}

fn op(config: Config) -> Result<ConfigOp> {
    let Config {
        name,
        operation,
        value,
    } = config;
    if operation == DELETE {
        return Ok(ConfigOp::Delete(name));
    }
    let value = value.ok_or_else(|| Error::InvalidRequest(format!("config {name} is null")))?;
    match operation {
        SET => Ok(ConfigOp::Set(name, value)),
        APPEND => Ok(ConfigOp::Append(name, value)),
        SUBTRACT => Ok(ConfigOp::Subtract(name, value)),
        other => Err(Error::InvalidRequest(format!("unknown operation {other}"))),
    }
}
