//! Says in every call whose it is.

use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};
use weir_proto::OPERATOR_EPOCH;

use crate::term::Term;

pub(super) type Signed = InterceptedService<Channel, Signature>;

/// Adds the operator's epoch, where there is one.
#[derive(Clone, Debug)]
pub(super) struct Signature(pub Term);

impl Interceptor for Signature {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(epoch) = self.0.epoch() {
            let value = MetadataValue::from(epoch);
            request.metadata_mut().insert(OPERATOR_EPOCH, value);
        }
        Ok(request)
    }
}
