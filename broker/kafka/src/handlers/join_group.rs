use bytes::Bytes;
use weir_api::{Caller, Error, JoinRequest, JoinedGroup};

use crate::{
    codec::messages::join_group::{Member, Request, Response},
    context::Context,
    error_map,
};

/// From this version on a member must come back with the id it was given (KIP-394).
const KNOWN_MEMBERS_FROM: i16 = 4;
/// From this version on a leader that rejoins may be told to keep the assignment (KIP-814).
const SKIPS_ASSIGNMENT_FROM: i16 = 9;

pub(super) async fn handle(
    cx: &Context,
    caller: &Caller,
    version: i16,
    request: Request,
) -> Response {
    let member = request.member.clone();
    let rebalance_timeout_ms = if version == 0 {
        request.session_timeout_ms
    } else {
        request.rebalance_timeout_ms
    };
    let join = JoinRequest {
        require_known_member: version >= KNOWN_MEMBERS_FROM && request.instance.is_none(),
        group: request.group,
        member: request.member,
        instance: request.instance,
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms,
        protocol_type: request.protocol_type,
        // Copies: the group keeps them, and must not keep the whole request with them.
        protocols: request
            .protocols
            .into_iter()
            .map(|protocol| (protocol.name, Bytes::copy_from_slice(&protocol.metadata)))
            .collect(),
        reason: request.reason,
    };
    match cx.engine.join_group(caller, join).await {
        Ok(joined) => answer(joined, version),
        Err(error) => Response {
            error: error_map::group_code(&error),
            member: match error {
                Error::MemberIdRequired(given) => given,
                _ => member,
            },
            ..Response::default()
        },
    }
}

fn answer(joined: JoinedGroup, version: i16) -> Response {
    // An older client would assign anew if it were told that it leads.
    let leads_unknowingly = joined.skip_assignment && version < SKIPS_ASSIGNMENT_FROM;
    let leader = if leads_unknowingly {
        String::new()
    } else {
        joined.leader
    };
    let members = joined.members.into_iter().filter(|_| !leads_unknowingly);
    Response {
        generation: joined.generation,
        protocol_type: Some(joined.protocol_type),
        protocol: Some(joined.protocol),
        leader,
        skip_assignment: joined.skip_assignment,
        member: joined.member,
        members: members
            .map(|member| Member {
                member: member.member,
                instance: member.instance,
                metadata: member.metadata,
            })
            .collect(),
        ..Response::default()
    }
}
