use weir_api::Caller;

use crate::{
    codec::{
        ErrorCode,
        messages::delete_groups::{GroupResult, Request, Response},
    },
    context::Context,
    error_map,
};

pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    let mut results = Vec::with_capacity(request.groups.len());
    for group in request.groups {
        let deleted = cx.engine.delete_group(caller, &group).await;
        let error = deleted
            .as_ref()
            .err()
            .map_or(ErrorCode::NONE, error_map::group_code);
        results.push(GroupResult { group, error });
    }
    Response {
        results,
        ..Response::default()
    }
}
