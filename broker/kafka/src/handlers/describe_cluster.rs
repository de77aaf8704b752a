use weir_api::Caller;

use super::nodes::{Node, Nodes};
use crate::{
    codec::{
        ErrorCode,
        messages::describe_cluster::{Broker, Request, Response},
    },
    context::Context,
};

const ENDPOINTS_OF_BROKERS: i8 = 1;
const ENDPOINTS_OF_CONTROLLERS: i8 = 2;

pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    if request.endpoint_type != ENDPOINTS_OF_BROKERS {
        return refuse(request.endpoint_type);
    }
    let cluster = cx.engine.cluster();
    let nodes = Nodes::of(&cluster, &caller.listener);
    let told = nodes
        .all()
        .iter()
        .filter(|node| request.include_fenced_brokers || !node.fenced);
    Response {
        endpoint_type: request.endpoint_type,
        controller_id: nodes.controller_id(cx.engine.broker()),
        brokers: told.map(broker).collect(),
        cluster_id: cluster.cluster_id,
        cluster_operations: super::OPERATIONS_UNKNOWN,
        ..Response::default()
    }
}

/// As a listener for clients of Kafka does (KIP-919); a controller has none of its own here.
fn refuse(endpoint_type: i8) -> Response {
    let (error, message) = match endpoint_type {
        ENDPOINTS_OF_CONTROLLERS => (
            ErrorCode::MISMATCHED_ENDPOINT_TYPE,
            "the endpoints here are brokers', not controllers'".to_owned(),
        ),
        other => (
            ErrorCode::UNSUPPORTED_ENDPOINT_TYPE,
            format!("unknown endpoint type {other}"),
        ),
    };
    Response {
        error,
        message: Some(message),
        ..Response::default()
    }
}

fn broker(node: &Node) -> Broker {
    Broker {
        node_id: node.id.0,
        host: node.host.clone(),
        port: node.port,
        rack: node.rack.clone(),
        fenced: node.fenced,
    }
}
