use weir_api::Caller;

use super::config_target::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC};
use crate::{
    codec::{
        ErrorCode,
        messages::list_config_resources::{ConfigResource, Request, Response},
    },
    context::Context,
};

pub(super) async fn handle(cx: &Context, _: &Caller, version: i16, request: Request) -> Response {
    let known = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];
    // Version 0 asks for client metrics only.
    let wanted = match (version, request.resource_types.as_slice()) {
        (0, _) => vec![CLIENT_METRICS],
        (_, []) => known.to_vec(),
        (_, some) => some.to_vec(),
    };
    if wanted
        .iter()
        .any(|resource_type| !known.contains(resource_type))
    {
        return Response {
            error: ErrorCode::UNSUPPORTED_VERSION,
            ..Response::default()
        };
    }
    let mut config_resources = Vec::new();
    let mut add = |resource_type: i8, resource_name: String| {
        config_resources.push(ConfigResource {
            resource_name,
            resource_type,
        });
    };
    if wanted.contains(&TOPIC) {
        cx.engine
            .topics()
            .into_iter()
            .for_each(|topic| add(TOPIC, topic.name));
    }
    let brokers = cx.engine.cluster().brokers;
    for resource_type in [BROKER, BROKER_LOGGER] {
        if wanted.contains(&resource_type) {
            brokers
                .iter()
                .for_each(|broker| add(resource_type, broker.id.to_string()));
        }
    }
    Response {
        config_resources,
        ..Response::default()
    }
}
