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

pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    if request.endpoint_type != ENDPOINTS_OF_BROKERS {
        return Response {
            error: ErrorCode::UNSUPPORTED_ENDPOINT_TYPE,
            message: Some("only the endpoints of brokers are known".to_owned()),
            endpoint_type: request.endpoint_type,
            ..Response::default()
        };
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

fn broker(node: &Node) -> Broker {
    Broker {
        node_id: node.id.0,
        host: node.host.clone(),
        port: node.port,
        rack: node.rack.clone(),
        fenced: node.fenced,
    }
}
