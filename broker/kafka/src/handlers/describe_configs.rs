use weir_api::{Caller, ConfigEntry, Error};

use super::config_target;
use crate::{
    codec::messages::describe_configs::{
        Config, Request, Resource, ResourceResult, Response, Synonym,
    },
    context::Context,
    error_map,
};

pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    let mut results = Vec::with_capacity(request.resources.len());
    for resource in &request.resources {
        let mut result = ResourceResult {
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            ..ResourceResult::default()
        };
        match entries(cx, caller, resource).await {
            Ok(entries) => {
                let wanted = entries
                    .into_iter()
                    .filter(|entry| is_wanted(resource, entry));
                result.configs = wanted.map(|entry| config(entry, &request)).collect();
            }
            Err(error) => {
                result.error = error_map::code(&error);
                result.message = error_map::message(&error);
            }
        }
        results.push(result);
    }
    Response {
        results,
        ..Response::default()
    }
}

async fn entries(
    cx: &Context,
    caller: &Caller,
    resource: &Resource,
) -> Result<Vec<ConfigEntry>, Error> {
    // These exist in Kafka, and have nothing here.
    let others = [
        config_target::BROKER_LOGGER,
        config_target::CLIENT_METRICS,
        config_target::GROUP,
    ];
    if others.contains(&resource.resource_type) {
        return Ok(Vec::new());
    }
    let target = config_target::parse(resource.resource_type, &resource.resource_name)?;
    cx.engine.describe_config(caller, &target).await
}

fn is_wanted(resource: &Resource, entry: &ConfigEntry) -> bool {
    // Kafka's clients also send an empty list for everything.
    let names = resource.names.as_deref().unwrap_or_default();
    names.is_empty() || names.contains(&entry.name)
}

fn config(entry: ConfigEntry, request: &Request) -> Config {
    let source = config_target::source_number(entry.source);
    let synonym = Synonym {
        name: entry.name.clone(),
        value: Some(entry.value.clone()),
        source,
    };
    let documentation = entry.documentation.to_owned();
    Config {
        name: entry.name,
        value: Some(entry.value),
        read_only: entry.read_only,
        config_source: source,
        sensitive: false,
        synonyms: if request.include_synonyms {
            vec![synonym]
        } else {
            Vec::new()
        },
        config_type: entry.value_type,
        documentation: request.include_documentation.then_some(documentation),
    }
}
