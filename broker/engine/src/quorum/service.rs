//! Answers other brokers' requests about the quorum.

use async_trait::async_trait;
use bytes::Bytes;
use openraft::raft::AppendEntriesRequest;
use openraft::storage::Snapshot;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::sync::{Arc, PoisonError};
use std::time::Instant;
use tokio::sync::Mutex;
use uuid::Uuid;
use weir_core::cluster::{ClusterCommand, ClusterError, ClusterReply, RaftNode};

use super::machine::decode_snapshot;
use super::propose;
use super::rpc::{
    self, Envelope, Heartbeat, HeartbeatAnswer, Join, Joined, Propose, Proposed, SnapshotAnswer,
    SnapshotPart, Who,
};
use super::shared::{Node, Shared};
use super::types::Types;
use super::{ProposeError, sessions::Heard};
use crate::peer::{ConnectionId, PeerFault, PeerService};

/// Largest snapshot taken, bytes.
const SNAPSHOT_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// The quorum's end of the peer listener.
pub struct Service {
    shared: Arc<Shared>,
    /// The snapshot that is coming in; a newer transfer replaces it.
    incoming: Mutex<Option<Incoming>>,
}

struct Incoming {
    transfer: Uuid,
    bytes: Vec<u8>,
}

fn unavailable(error: impl Display) -> PeerFault {
    PeerFault::Unavailable(error.to_string())
}

impl Service {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            incoming: Mutex::new(None),
        }
    }

    fn node(&self) -> Result<&Node, PeerFault> {
        if *self.shared.stop.borrow() {
            return Err(unavailable("stopping"));
        }
        self.shared
            .node
            .get()
            .ok_or_else(|| unavailable("not in a quorum yet"))
    }

    /// Opens a letter, if it is for this node of this cluster.
    fn open<T: DeserializeOwned>(&self, body: &[u8]) -> Result<(&Node, T), PeerFault> {
        let node = self.node()?;
        let envelope: Envelope<T> = rpc::decode(body)?;
        let identity = &node.identity;
        if envelope.cluster_id != identity.cluster_id || envelope.to != identity.node {
            return Err(unavailable(format!(
                "this is node {} of cluster {}, not node {} of {}",
                identity.node, identity.cluster_id, envelope.to, envelope.cluster_id
            )));
        }
        Ok((node, envelope.message))
    }

    async fn take_snapshot(&self, body: &[u8]) -> Result<SnapshotAnswer, PeerFault> {
        let (node, part): (_, SnapshotPart) = self.open(body)?;
        if part.total > SNAPSHOT_BYTES_MAX {
            return Err(PeerFault::Malformed(format!(
                "a snapshot of {} bytes",
                part.total
            )));
        }
        let mut incoming = self.incoming.lock().await;
        if part.at == 0 {
            *incoming = Some(Incoming {
                transfer: part.transfer,
                bytes: Vec::new(),
            });
        }
        let Some(taken) = incoming.as_mut().filter(|i| i.transfer == part.transfer) else {
            return Err(unavailable("another snapshot is coming in"));
        };
        if taken.bytes.len() as u64 != part.at || part.at + part.bytes.len() as u64 > part.total {
            return Err(PeerFault::Malformed(
                "a part of a snapshot out of order".into(),
            ));
        }
        taken.bytes.extend_from_slice(&part.bytes);
        if (taken.bytes.len() as u64) < part.total {
            return Ok(SnapshotAnswer::More);
        }
        let bytes = std::mem::take(&mut taken.bytes);
        *incoming = None;
        drop(incoming);
        let decoded = tokio::task::spawn_blocking(move || decode_snapshot(&bytes)).await;
        let (meta, image) = decoded.map_err(unavailable)?.map_err(unavailable)?;
        let snapshot = Snapshot {
            meta,
            snapshot: Arc::new(image),
        };
        let answer = node.raft.install_full_snapshot(part.vote, snapshot).await;
        Ok(SnapshotAnswer::Done(answer.map_err(unavailable)?.vote))
    }

    async fn join(&self, join: Join) -> Joined {
        let Ok(node) = self.node() else {
            return Joined::NotYet("not in a quorum yet".into());
        };
        let image = self.shared.image();
        if image.raft_nodes.is_empty() {
            // Ids are given in turn, and the founder runs under the first: it has to take it
            // before anybody else is let in.
            return Joined::NotYet("the founder is not recorded yet".into());
        }
        let alive = image.brokers.get(&join.broker);
        if alive.is_some_and(|b| b.folder != join.folder && !b.fenced) {
            // If that process is gone and nobody noticed, it is noticed now.
            self.shared.doubt(join.broker);
            return Joined::Refused(ClusterError::DuplicateBroker {
                broker: join.broker,
            });
        }
        let mut known = image.raft_nodes.values();
        let same = |n: &&RaftNode| {
            n.folder == join.folder && n.broker == join.broker && n.address == join.address
        };
        if let Some(known) = known.find(same) {
            return Joined::Member {
                cluster_id: node.identity.cluster_id.clone(),
                node: known.id,
            };
        }
        let command = ClusterCommand::AllocateRaftNode {
            folder: join.folder,
            broker: join.broker,
            address: join.address,
        };
        match propose::propose(&self.shared, command).await {
            Ok(ClusterReply::RaftNode(id)) => Joined::Member {
                cluster_id: node.identity.cluster_id.clone(),
                node: id,
            },
            Ok(other) => Joined::NotYet(format!("unexpected answer {other:?}")),
            Err(ProposeError::Refused(error)) => Joined::Refused(error),
            Err(error) => Joined::NotYet(error.to_string()),
        }
    }

    fn heartbeat(&self, beat: &Heartbeat, connection: ConnectionId) -> HeartbeatAnswer {
        hear(&self.shared, beat, Some(connection))
    }
}

/// Takes a broker's heartbeat, from the network or, without a connection, from this very process.
pub fn hear(
    shared: &Shared,
    beat: &Heartbeat,
    connection: Option<ConnectionId>,
) -> HeartbeatAnswer {
    if !shared.is_leader() {
        return HeartbeatAnswer::NotController;
    }
    let image = shared.image();
    let mut sessions = shared
        .sessions
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let heard = sessions.hear(&image, beat, connection, Instant::now());
    drop(sessions);
    match heard {
        Heard::Unknown => return HeartbeatAnswer::NotRegistered,
        Heard::Steady => {}
        Heard::News => shared.controller_wake.notify_one(),
    }
    HeartbeatAnswer::Heard
}

#[async_trait]
impl PeerService for Service {
    async fn handle(&self, kind: u16, body: Bytes) -> Result<Bytes, PeerFault> {
        self.handle_from(ConnectionId(0), kind, body).await
    }

    async fn handle_from(
        &self,
        connection: ConnectionId,
        kind: u16,
        body: Bytes,
    ) -> Result<Bytes, PeerFault> {
        match kind {
            rpc::APPEND => {
                let (node, request) = self.open::<AppendEntriesRequest<Types>>(&body)?;
                self.shared.note_leader(request.vote.leader_id().voted_for);
                rpc::encode(
                    &node
                        .raft
                        .append_entries(request)
                        .await
                        .map_err(unavailable)?,
                )
            }
            rpc::VOTE => {
                let (node, request) = self.open(&body)?;
                rpc::encode(&node.raft.vote(request).await.map_err(unavailable)?)
            }
            rpc::PRE_VOTE => {
                let (node, request) = self.open(&body)?;
                rpc::encode(&node.raft.pre_vote(request).await.map_err(unavailable)?)
            }
            rpc::SNAPSHOT => rpc::encode(&self.take_snapshot(&body).await?),
            rpc::TRANSFER => {
                let (node, request) = self.open(&body)?;
                let answer = node.raft.handle_transfer_leader(request).await;
                rpc::encode(&answer.map_err(unavailable)?)
            }
            rpc::PROPOSE => {
                let (node, request): (_, Propose) = self.open(&body)?;
                // In a task: a connection that breaks must not tear a proposal in two.
                let raft = node.raft.clone();
                let proposed = tokio::spawn(propose::locally(raft, request.command));
                let proposed = proposed
                    .await
                    .unwrap_or_else(|e| Proposed::Unknown(e.to_string()));
                rpc::encode(&proposed)
            }
            rpc::JOIN => rpc::encode(&self.join(rpc::decode(&body)?).await),
            rpc::WHO => {
                let config = &self.shared.config;
                rpc::encode(&Who {
                    broker: config.broker,
                    incarnation: config.incarnation,
                })
            }
            rpc::HEARTBEAT => {
                let (_, beat): (_, Heartbeat) = self.open(&body)?;
                rpc::encode(&self.heartbeat(&beat, connection))
            }
            other => Err(PeerFault::UnknownKind(other)),
        }
    }

    fn disconnected(&self, connection: ConnectionId) {
        let mut sessions = self
            .shared
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if sessions.lose(connection) {
            self.shared.controller_wake.notify_one();
        }
    }
}
