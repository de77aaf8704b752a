use weir_api::{Caller, Error, GroupMember};

use crate::{
    codec::{
        ErrorCode,
        messages::describe_groups::{GroupResult, Member, Request, Response},
    },
    context::Context,
    error_map,
};

/// From this version on a group that is not there is an error (KIP-1043).
const NOT_FOUND_FROM: i16 = 6;

pub(super) async fn handle(
    cx: &Context,
    caller: &Caller,
    version: i16,
    request: Request,
) -> Response {
    let mut groups = Vec::with_capacity(request.groups.len());
    for group in request.groups {
        groups.push(describe(cx, caller, version, group).await);
    }
    Response {
        groups,
        ..Response::default()
    }
}

async fn describe(cx: &Context, caller: &Caller, version: i16, group: String) -> GroupResult {
    match cx.engine.describe_group(caller, &group).await {
        Ok(found) => GroupResult {
            group,
            state: found.state.to_owned(),
            protocol_type: found.protocol_type,
            protocol: found.protocol,
            members: found.members.into_iter().map(member).collect(),
            ..GroupResult::default()
        },
        Err(Error::GroupIdNotFound) => GroupResult {
            error: match version {
                NOT_FOUND_FROM.. => ErrorCode::GROUP_ID_NOT_FOUND,
                _ => ErrorCode::NONE,
            },
            message: Some(format!("group {group} does not exist")),
            group,
            state: "Dead".to_owned(),
            ..GroupResult::default()
        },
        Err(error) => GroupResult {
            group,
            error: error_map::group_code(&error),
            message: error_map::message(&error),
            ..GroupResult::default()
        },
    }
}

fn member(member: GroupMember) -> Member {
    Member {
        member: member.member,
        instance: member.instance,
        client_id: member.client_id,
        client_host: member.client_host,
        metadata: member.metadata,
        assignment: member.assignment,
    }
}
