//! openraft's messages over the peer transport.

use openraft::RaftNetworkFactory;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{BasicNode, OptionalSend};
use serde::{Serialize, de::DeserializeOwned};
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;
use uuid::Uuid;
use weir_core::cluster::Image;

use super::machine::encode_snapshot;
use super::rpc::{self, Envelope, SnapshotAnswer, SnapshotPart};
use super::shared::Shared;
use super::types::{Types, Vote};
use crate::peer::{Class, PeerError};

type RpcError = RPCError<Types>;
type ImageSnapshot = openraft::type_config::alias::SnapshotOf<Types, Arc<Image>>;

const SNAPSHOT_PART_BYTES: usize = 1024 * 1024;
const SNAPSHOT_PART_TIMEOUT: Duration = Duration::from_secs(10);
/// A follower's answer waits for its sync, which a busy disk may hold up for longer than openraft
/// likes to wait between heartbeats.
const LEAST_TIMEOUT: Duration = Duration::from_millis(500);

/// Makes one [`Network`] a target.
pub struct Networks {
    /// Weak, because `Shared` holds the raft that holds this.
    pub shared: Weak<Shared>,
    pub cluster_id: String,
}

impl RaftNetworkFactory<Types> for Networks {
    type Network = Network;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Network {
        Network {
            shared: Weak::clone(&self.shared),
            cluster_id: self.cluster_id.clone(),
            target,
            address: node.addr.clone(),
        }
    }
}

/// Speaks to one node.
pub struct Network {
    shared: Weak<Shared>,
    cluster_id: String,
    target: u64,
    /// As the membership has it; the image knows better.
    address: String,
}

fn unreachable(error: &PeerError) -> RpcError {
    match error {
        // Worth a pause before the next attempt.
        PeerError::Connect { .. } => RPCError::Unreachable(Unreachable::new(error)),
        _ => RPCError::Network(NetworkError::new(error)),
    }
}

impl Network {
    async fn call<T: Serialize, A: DeserializeOwned>(
        &self,
        class: Class,
        kind: u16,
        message: T,
        timeout: Duration,
    ) -> Result<A, RpcError> {
        let Some(shared) = self.shared.upgrade() else {
            return Err(RPCError::Unreachable(Unreachable::from_string("stopped")));
        };
        let address = shared
            .address(self.target)
            .unwrap_or_else(|| self.address.clone());
        let net = shared.net.clone();
        drop(shared);
        let envelope = Envelope {
            cluster_id: self.cluster_id.clone(),
            to: self.target,
            message,
        };
        let local = |fault: crate::peer::PeerFault| RPCError::Network(NetworkError::new(&fault));
        let body = rpc::encode(&envelope).map_err(local)?;
        let answer = net.call(&address, class, kind, body, timeout).await;
        let answer = answer.map_err(|e| unreachable(&e))?;
        rpc::decode(&answer).map_err(local)
    }

    async fn send_snapshot(
        &self,
        vote: Vote,
        snapshot: ImageSnapshot,
    ) -> Result<Vote, StreamingError<Types>> {
        let failed = |e: &dyn std::fmt::Display| {
            StreamingError::Network(NetworkError::from_string(e.to_string()))
        };
        let meta = snapshot.meta.clone();
        let raw = tokio::task::spawn_blocking(move || {
            encode_snapshot(&snapshot.meta, &snapshot.snapshot)
        });
        let raw = raw.await.map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
        let transfer = Uuid::new_v4();
        for (index, bytes) in raw.chunks(SNAPSHOT_PART_BYTES).enumerate() {
            let part = SnapshotPart {
                vote,
                meta: meta.clone(),
                transfer,
                at: (index * SNAPSHOT_PART_BYTES) as u64,
                total: raw.len() as u64,
                bytes: bytes.to_vec(),
            };
            let answer: SnapshotAnswer = self
                .call(Class::Data, rpc::SNAPSHOT, part, SNAPSHOT_PART_TIMEOUT)
                .await?;
            if let SnapshotAnswer::Done(vote) = answer {
                return Ok(vote);
            }
        }
        Err(failed(&"the snapshot was sent and not taken"))
    }
}

fn patience(option: &RPCOption) -> Duration {
    option.soft_ttl().max(LEAST_TIMEOUT)
}

impl RaftNetworkV2<Types> for Network {
    type SnapshotData = Arc<Image>;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RpcError> {
        self.call(Class::Control, rpc::APPEND, request, patience(&option))
            .await
    }

    async fn vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RpcError> {
        self.call(Class::Control, rpc::VOTE, request, patience(&option))
            .await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RpcError> {
        self.call(Class::Control, rpc::PRE_VOTE, request, patience(&option))
            .await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: ImageSnapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        tokio::select! {
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = self.send_snapshot(vote, snapshot) => Ok(SnapshotResponse::new(sent?)),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RpcError> {
        self.call(Class::Control, rpc::TRANSFER, request, patience(&option))
            .await
    }
}
