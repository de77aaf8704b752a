//! What every part of the quorum's shell holds in common.

use openraft::ServerState;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use weir_core::cluster::Image;
use weir_types::{BrokerEpoch, BrokerId, RaftNodeId};

use super::record::Identity;
use super::sessions::Sessions;
use super::store::Store;
use super::types::{Metrics, Raft};
use super::{QuorumConfig, QuorumError};
use crate::peer::PeerNet;

/// How long a proposal looks for a leader, and then waits for its outcome.
pub const PROPOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// State shared by the handle, the peer service and the tasks.
pub struct Shared {
    pub config: QuorumConfig,
    pub net: PeerNet,
    pub store: Store,
    pub image: watch::Sender<Arc<Image>>,
    /// Set once this folder belongs to a quorum.
    pub node: OnceLock<Node>,
    /// Turns true when `node` is set.
    pub joined: watch::Sender<bool>,
    /// Guards the step from no quorum to one: forming and joining exclude each other.
    pub joining: tokio::sync::Mutex<()>,
    pub epoch: watch::Sender<Option<BrokerEpoch>>,
    pub failure: watch::Sender<Option<QuorumError>>,
    pub stop: watch::Sender<bool>,
    /// What the controller knows of the brokers; meaningless elsewhere.
    pub sessions: Mutex<Sessions>,
    pub leader_heard: Mutex<LeaderHeard>,
    /// Wakes the controller before its next tick.
    pub controller_wake: Notify,
}

/// When this node last heard from a leader of the quorum, and from which node; from none, as long
/// as it has led itself since.
#[derive(Clone, Copy)]
pub struct LeaderHeard {
    pub at: Instant,
    pub node: Option<u64>,
}

/// This folder's place in its quorum.
pub struct Node {
    pub identity: Identity,
    pub raft: Raft,
    pub metrics: watch::Receiver<Metrics>,
}

impl LeaderHeard {
    pub fn nobody() -> Self {
        Self {
            at: Instant::now(),
            node: None,
        }
    }
}

impl Shared {
    pub fn image(&self) -> Arc<Image> {
        Arc::clone(&self.image.borrow())
    }

    /// The first failure stays.
    pub fn fail(&self, error: QuorumError) {
        self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            if first {
                *failure = Some(error);
            }
            first
        });
    }

    /// Waits until this folder belongs to a quorum; `None` at a stop.
    pub async fn joined(&self) -> Option<&Node> {
        let mut joined = self.joined.subscribe();
        let _ = joined.wait_for(|joined| *joined).await;
        self.node.get()
    }

    /// The quorum's leader as far as this node knows.
    pub fn leader(&self) -> Option<u64> {
        self.node.get()?.metrics.borrow().current_leader
    }

    pub fn is_leader(&self) -> bool {
        let metrics = self.node.get().map(|n| n.metrics.borrow().state);
        metrics == Some(ServerState::Leader)
    }

    /// Where a node's peer listener is: as its broker registered, else as it joined.
    pub fn address(&self, node: u64) -> Option<String> {
        let image = self.image.borrow();
        if let Some(known) = image.raft_nodes.get(&RaftNodeId(node)) {
            let broker = image
                .brokers
                .get(&known.broker)
                .filter(|b| b.folder == known.folder);
            return Some(broker.map_or(&known.address, |b| &b.peer_address).clone());
        }
        drop(image);
        let metrics = self.node.get()?.metrics.borrow();
        metrics
            .membership_config
            .get_node(&node)
            .map(|n| n.addr.clone())
    }

    pub fn broker_of(&self, node: u64) -> Option<BrokerId> {
        self.image
            .borrow()
            .raft_nodes
            .get(&RaftNodeId(node))
            .map(|n| n.broker)
    }

    pub fn note_leader(&self, node: u64) {
        *self.leader_heard() = LeaderHeard {
            at: Instant::now(),
            node: Some(node),
        };
    }

    /// Whose place this node takes as it begins to lead, and when it last heard of that broker.
    pub fn take_predecessor(&self) -> Option<(BrokerId, Instant)> {
        let LeaderHeard { at, node } = {
            let mut heard = self.leader_heard();
            let before = *heard;
            heard.node = None;
            before
        };
        Some((self.broker_of(node?)?, at))
    }

    fn leader_heard(&self) -> MutexGuard<'_, LeaderHeard> {
        self.leader_heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How long ago this node last heard from a leader.
    pub fn silence(&self) -> Duration {
        self.leader_heard().at.elapsed()
    }

    /// Has the controller look whether that broker's process still lives.
    pub fn doubt(&self, broker: BrokerId) {
        self.sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .doubt(broker);
        self.controller_wake.notify_one();
    }

    /// Returns when this broker's quorum module is to stop.
    pub async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        let _ = stop.wait_for(|stop| *stop).await;
    }
}
