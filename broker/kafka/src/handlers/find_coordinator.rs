use weir_api::{Caller, Error};

use super::nodes::{Node, Nodes};
use crate::{
    codec::{
        ErrorCode,
        messages::find_coordinator::{Coordinator, Request, Response},
    },
    context::Context,
    error_map,
};

const KEY_IS_GROUP: i8 = 0;
const KEY_IS_TRANSACTION: i8 = 1;
/// From this version on a request may carry many keys.
const MANY_KEYS_FROM: i16 = 4;

pub(super) async fn handle(
    cx: &Context,
    caller: &Caller,
    version: i16,
    request: Request,
) -> Response {
    if version >= MANY_KEYS_FROM {
        let mut coordinators = Vec::with_capacity(request.keys.len());
        for key in request.keys {
            coordinators.push(find(cx, caller, request.key_type, key).await);
        }
        return Response {
            coordinators,
            ..Response::default()
        };
    }
    let found = find(cx, caller, request.key_type, request.key).await;
    Response {
        error: found.error,
        message: found.message,
        node_id: found.node_id,
        host: found.host,
        port: found.port,
        ..Response::default()
    }
}

async fn find(cx: &Context, caller: &Caller, key_type: i8, key: String) -> Coordinator {
    match node(cx, caller, key_type, &key).await {
        Ok(node) => Coordinator {
            key,
            node_id: node.id.0,
            host: node.host,
            port: node.port,
            error: ErrorCode::NONE,
            message: None,
        },
        Err(error) => Coordinator {
            key,
            node_id: -1,
            host: String::new(),
            port: -1,
            error: error_map::group_code(&error),
            message: error_map::message(&error),
        },
    }
}

async fn node(cx: &Context, caller: &Caller, key_type: i8, key: &str) -> weir_api::Result<Node> {
    match key_type {
        KEY_IS_GROUP => {}
        // An error that clients do not retry.
        KEY_IS_TRANSACTION => return Err(Error::Unsupported("transactions".into())),
        other => return Err(Error::InvalidRequest(format!("key type {other}"))),
    }
    let broker = cx.engine.find_coordinator(caller, key).await?;
    let nodes = Nodes::of(&cx.engine.cluster(), &caller.listener);
    nodes
        .get_alive(broker)
        .cloned()
        .ok_or(Error::CoordinatorNotAvailable)
}
