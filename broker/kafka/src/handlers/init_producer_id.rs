use weir_api::{Caller, Error, Result};
use weir_types::{ProducerEpoch, ProducerId};

use crate::{
    codec::messages::init_producer_id::{Request, Response},
    context::Context,
    error_map,
};

pub(super) async fn handle(cx: &Context, caller: &Caller, _: i16, request: Request) -> Response {
    let given = match current(&request) {
        Ok(current) => {
            let transactional_id = request.transactional_id.as_deref();
            cx.engine
                .init_producer(caller, transactional_id, current)
                .await
        }
        Err(error) => Err(error),
    };
    match given {
        Ok((id, epoch)) => Response {
            producer_id: id.0,
            producer_epoch: epoch.0,
            ..Response::default()
        },
        Err(error) => Response {
            // Producers retry this one.
            error: error_map::group_code(&error),
            producer_id: -1,
            producer_epoch: -1,
            ..Response::default()
        },
    }
}

fn current(request: &Request) -> Result<Option<(ProducerId, ProducerEpoch)>> {
    if request.transactional_id.as_deref() == Some("") {
        return Err(Error::InvalidRequest(
            "the transactional id is empty".into(),
        ));
    }
    match (request.producer_id, request.producer_epoch) {
        (-1, -1) => Ok(None),
        (id @ 0.., epoch @ 0..) => Ok(Some((ProducerId(id), ProducerEpoch(epoch)))),
        _ => Err(Error::InvalidRequest(
            "producer id and epoch do not go together".into(),
        )),
    }
}
