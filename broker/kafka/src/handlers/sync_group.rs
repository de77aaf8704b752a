use bytes::Bytes;
use weir_api::{Caller, SyncRequest};

use crate::{
    codec::{
        ErrorCode,
        messages::sync_group::{Request, Response},
    },
    context::Context,
    error_map,
};

/// From this version on both protocol fields must be there (KIP-559).
const PROTOCOL_FROM: i16 = 5;

pub(super) async fn handle(
    cx: &Context,
    caller: &Caller,
    version: i16,
    request: Request,
) -> Response {
    let named = request.protocol_type.is_some() && request.protocol.is_some();
    if version >= PROTOCOL_FROM && !named {
        return Response {
            error: ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
            ..Response::default()
        };
    }
    let sync = SyncRequest {
        group: request.group,
        generation: request.generation,
        member: request.member,
        instance: request.instance,
        protocol_type: request.protocol_type,
        protocol: request.protocol,
        // Copies: the group keeps them, and must not keep the whole request with them.
        assignments: request
            .assignments
            .into_iter()
            .map(|given| (given.member, Bytes::copy_from_slice(&given.assignment)))
            .collect(),
    };
    match cx.engine.sync_group(caller, sync).await {
        Ok(synced) => Response {
            protocol_type: Some(synced.protocol_type),
            protocol: Some(synced.protocol),
            assignment: synced.assignment,
            ..Response::default()
        },
        Err(error) => Response {
            error: error_map::group_code(&error),
            ..Response::default()
        },
    }
}
