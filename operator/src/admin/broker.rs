//! One broker's clients, and how a call of them ends.

use std::time::Duration;

use tonic::Status;
use tonic::transport::Channel;
use weir_proto::admin::admin_client::AdminClient;
use weir_proto::admin::backlog_client::BacklogClient;
use weir_proto::admin::placement_client::PlacementClient;

use super::refusal::{answered, later_operator};
use super::signature::{Signature, Signed};
use super::{AdminError, AdminResult};
use crate::term::Term;

pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer: every topic of a large cluster.
const ANSWER_BYTES_MAX: usize = 64 << 20;

pub(super) struct Broker {
    pub(super) host: String,
    client: AdminClient<Signed>,
    pub(super) placement: PlacementClient<Signed>,
    pub(super) backlog: BacklogClient<Channel>,
    term: Term,
}

impl Broker {
    pub(super) fn new(host: String, channel: Channel, term: Term) -> Self {
        let backlog = BacklogClient::new(channel.clone());
        let signed = || Signature(term.clone());
        let placement = PlacementClient::with_interceptor(channel.clone(), signed());
        let client = AdminClient::with_interceptor(channel, signed());
        Self {
            host,
            client: client.max_decoding_message_size(ANSWER_BYTES_MAX),
            placement: placement.max_decoding_message_size(ANSWER_BYTES_MAX),
            backlog: backlog.max_decoding_message_size(ANSWER_BYTES_MAX),
            term,
        }
    }

    /// Sends one request and waits for its answer, no longer than a call may take.
    pub(super) async fn call<T, F>(
        &self,
        call: impl FnOnce(AdminClient<Signed>) -> F,
    ) -> AdminResult<T>
    where
        F: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let answer = call(self.client.clone());
        self.within(CALL_TIMEOUT, answer)
            .await
            .map(tonic::Response::into_inner)
    }

    /// The same of the service that places replicas.
    pub(super) async fn place<T, F>(
        &self,
        call: impl FnOnce(PlacementClient<Signed>) -> F,
    ) -> AdminResult<T>
    where
        F: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let answer = call(self.placement.clone());
        self.within(CALL_TIMEOUT, answer)
            .await
            .map(tonic::Response::into_inner)
    }

    pub(super) async fn within<T>(
        &self,
        time: Duration,
        answer: impl Future<Output = Result<T, Status>>,
    ) -> AdminResult<T> {
        match tokio::time::timeout(time, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(status)) => {
                if let Some(heard) = later_operator(&status) {
                    self.term.end(&self.host, heard);
                }
                Err(answered(&self.host, &status))
            }
            Err(_) => Err(AdminError::Unreachable {
                host: self.host.clone(),
                why: format!("no answer in {} s", time.as_secs()),
            }),
        }
    }
}
