use weir_api::Caller;

use crate::{
    codec::messages::list_partition_reassignments::{Request, Response},
    context::Context,
};

/// Replicas stay where they were placed: nothing is ever under way.
pub(super) async fn handle(_: &Context, _: &Caller, _: i16, _: Request) -> Response {
    Response::default()
}
