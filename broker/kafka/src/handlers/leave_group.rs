use weir_api::{Caller, LeaveMember};

use crate::{
    codec::{
        ErrorCode,
        messages::leave_group::{MemberResult, Request, Response},
    },
    context::Context,
    error_map,
};

/// From this version on many members leave at once, and each has its own error.
const MANY_FROM: i16 = 3;

pub(super) async fn handle(
    cx: &Context,
    caller: &Caller,
    version: i16,
    request: Request,
) -> Response {
    let leaving: Vec<LeaveMember> = if version >= MANY_FROM {
        let members = request.members.into_iter();
        members
            .map(|m| LeaveMember {
                member: m.member,
                instance: m.instance,
                reason: m.reason,
            })
            .collect()
    } else {
        vec![LeaveMember {
            member: request.member,
            instance: None,
            reason: None,
        }]
    };
    let results = match cx
        .engine
        .leave_group(caller, &request.group, leaving.clone())
        .await
    {
        Ok(results) => results,
        Err(error) => {
            return Response {
                error: error_map::group_code(&error),
                ..Response::default()
            };
        }
    };
    let code = |result: &weir_api::Result<()>| {
        result
            .as_ref()
            .err()
            .map_or(ErrorCode::NONE, error_map::group_code)
    };
    if version < MANY_FROM {
        let error = results.first().map_or(ErrorCode::UNKNOWN, code);
        return Response {
            error,
            ..Response::default()
        };
    }
    let members = leaving
        .into_iter()
        .zip(&results)
        .map(|(leaver, result)| MemberResult {
            member: leaver.member,
            instance: leaver.instance,
            error: code(result),
        });
    Response {
        members: members.collect(),
        ..Response::default()
    }
}
