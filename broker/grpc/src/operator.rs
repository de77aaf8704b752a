//! Whether a call is an operator's, and whether its time is over (ADR 12).

use std::sync::Arc;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Status};
use weir_api::{Engine, Error};
use weir_proto::OPERATOR_EPOCH;
use weir_types::OperatorEpoch;

use crate::status::status;

/// The engine for one call, in the operator's hand if it is an operator's. One that is known
/// here to be over is refused before anything is begun.
pub(crate) fn engine<T>(
    engine: &Arc<dyn Engine>,
    call: &Request<T>,
) -> Result<Arc<dyn Engine>, Status> {
    let Some(asked) = epoch(call.metadata())? else {
        return Ok(Arc::clone(engine));
    };
    let have = engine.operator_epoch();
    if asked < have {
        return Err(status(Error::StaleOperator { have, asked }));
    }
    Ok(engine
        .as_operator(asked)
        .unwrap_or_else(|| Arc::clone(engine)))
}

fn epoch(metadata: &MetadataMap) -> Result<Option<OperatorEpoch>, Status> {
    let Some(value) = metadata.get(OPERATOR_EPOCH) else {
        return Ok(None);
    };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    let epoch = number.map(OperatorEpoch);
    let wrong = || Status::invalid_argument(format!("{OPERATOR_EPOCH} is not a number"));
    epoch.map(Some).ok_or_else(wrong)
}

/// The refusal, with the epoch that was heard.
pub(crate) fn stale(have: OperatorEpoch, error: &Error) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert(OPERATOR_EPOCH, have.0.into());
    Status::with_metadata(Code::Aborted, error.to_string(), metadata)
}
