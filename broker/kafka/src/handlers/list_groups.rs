use weir_api::Caller;

use crate::{
    codec::messages::list_groups::{GroupResult, Request, Response},
    context::Context,
    error_map,
};

/// The only type that there is (KIP-848 has others).
const CLASSIC: &str = "classic";

pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    let listed = match cx.engine.list_groups(caller).await {
        Ok(listed) => listed,
        Err(error) => {
            return Response {
                error: error_map::group_code(&error),
                ..Response::default()
            };
        }
    };
    let groups = listed.into_iter().map(|group| GroupResult {
        group: group.group,
        protocol_type: group.protocol_type,
        state: group.state.to_owned(),
        group_type: CLASSIC.to_owned(),
    });
    let wanted = |group: &GroupResult| {
        passes(&request.states_filter, &group.state) && passes(&request.types_filter, CLASSIC)
    };
    Response {
        groups: groups.filter(wanted).collect(),
        ..Response::default()
    }
}

/// An empty filter lets everything pass.
fn passes(filter: &[String], value: &str) -> bool {
    filter.is_empty()
        || filter
            .iter()
            .any(|wanted| wanted.eq_ignore_ascii_case(value))
}
