use weir_api::Caller;

use crate::{
    codec::{
        ErrorCode,
        messages::heartbeat::{Request, Response},
    },
    context::Context,
    error_map,
};

pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    let Request {
        group,
        generation,
        member,
        instance,
    } = request;
    let beat = cx
        .engine
        .heartbeat(caller, &group, generation, &member, instance.as_deref())
        .await;
    let error = beat
        .as_ref()
        .err()
        .map_or(ErrorCode::NONE, error_map::group_code);
    Response {
        error,
        ..Response::default()
    }
}
