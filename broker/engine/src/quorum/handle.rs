//! The handle that the rest of the broker holds.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{info, warn};
use weir_core::cluster::{ClusterCommand, ClusterError, ClusterReply, Image};
use weir_types::{BrokerEpoch, BrokerId, RaftNodeId};

use super::join::{self, storage_error};
use super::service::Service;
use super::sessions::Sessions;
use super::shared::{LeaderHeard, Node, Shared};
use super::store::Store;
use super::{ProposeError, QuorumConfig, QuorumError, controller, knock, lifecycle, propose, rpc};
use crate::peer::{PeerNet, PeerRouter};

/// Longest wait for another broker to take the quorum's leadership over at a stop.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(2);
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// This broker's part in the metadata quorum. Cheap to clone.
#[derive(Clone)]
pub struct Quorum {
    pub(super) shared: Arc<Shared>,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

/// One member of the quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub node: RaftNodeId,
    pub broker: Option<BrokerId>,
    pub voter: bool,
    /// Its broker is registered with that node's folder and not fenced.
    pub live: bool,
}

impl Quorum {
    /// Opens the metadata, then joins the cluster and registers the broker in the background.
    /// The peer listener must be served with `router` for that to succeed.
    ///
    /// # Errors
    /// The folder cannot be opened, is damaged, or was written by a newer release.
    pub async fn start(
        config: QuorumConfig,
        net: PeerNet,
        router: &PeerRouter,
    ) -> Result<Self, QuorumError> {
        let folder = config.folder.clone();
        let store = tokio::task::spawn_blocking(move || Store::open(&folder)).await;
        let store = store.map_err(|e| storage_error(&config, &e))?;
        let store = store.map_err(|e| storage_error(&config, &e))?;
        let sessions = Sessions::new(config.timing.session_timeout, Instant::now());
        let shared = Arc::new(Shared {
            config,
            net,
            store,
            image: watch::Sender::default(),
            node: OnceLock::new(),
            joined: watch::Sender::default(),
            joining: tokio::sync::Mutex::new(()),
            epoch: watch::Sender::default(),
            failure: watch::Sender::default(),
            stop: watch::Sender::default(),
            sessions: Mutex::new(sessions),
            leader_heard: Mutex::new(LeaderHeard::nobody()),
            controller_wake: Notify::new(),
        });
        let identity = join::load_identity(&shared).await?;
        let known = identity.is_some();
        if let Some(identity) = identity
            && let Err(error) = join::enter(&shared, identity).await
        {
            shared.store.close().await;
            return Err(error);
        }
        router.register(rpc::KINDS, Arc::new(Service::new(Arc::clone(&shared))));
        let quorum = Self {
            shared,
            tasks: Arc::default(),
        };
        quorum.spawn_tasks(known);
        Ok(quorum)
    }

    fn spawn_tasks(&self, known: bool) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = || Arc::clone(&self.shared);
        tasks.push(tokio::spawn(controller::run(shared())));
        tasks.push(tokio::spawn(lifecycle::run(shared())));
        tasks.push(tokio::spawn(watch_health(shared())));
        let shared = shared();
        tasks.push(tokio::spawn(async move {
            if known {
                knock::run(&shared).await;
            } else {
                join::ask_around(&shared).await;
            }
        }));
    }

    /// Makes this broker the sole voter of a new cluster; does nothing if its folder is in that
    /// cluster already. Not to be called again for a cluster that was formed with another folder.
    ///
    /// # Errors
    /// `OtherCluster`, or the metadata cannot be written.
    pub async fn form(&self, cluster_id: &str) -> Result<(), QuorumError> {
        join::form(&self.shared, cluster_id).await
    }

    /// The metadata as this broker has it; empty until it has joined.
    pub fn image(&self) -> Arc<Image> {
        self.shared.image()
    }

    /// Every image, or rather the newest whenever one looks.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Image>> {
        self.shared.image.subscribe()
    }

    /// Has a command decided by the quorum, through whichever broker leads it. When it returns,
    /// this broker's image holds the effect (unless this broker lags by more than two seconds).
    /// Gives up after about ten seconds.
    ///
    /// # Errors
    /// See [`ProposeError`]. Not cancel-safe: dropped, its fate is unknown.
    pub async fn propose(&self, command: ClusterCommand) -> Result<ClusterReply, ProposeError> {
        propose::propose(&self.shared, command).await
    }

    /// The broker that leads the quorum, as far as this one knows.
    pub fn controller(&self) -> Option<BrokerId> {
        self.shared.broker_of(self.shared.leader()?)
    }

    /// The cluster this folder belongs to, once it belongs to one.
    pub fn cluster_id(&self) -> Option<String> {
        Some(self.shared.node.get()?.identity.cluster_id.clone())
    }

    /// The epoch of this process's registration.
    pub fn broker_epoch(&self) -> Option<BrokerEpoch> {
        *self.shared.epoch.borrow()
    }

    /// Waits until this process is registered.
    ///
    /// # Errors
    /// It never will be: see [`QuorumError`].
    pub async fn registered(&self) -> Result<BrokerEpoch, QuorumError> {
        let mut epoch = self.shared.epoch.subscribe();
        tokio::select! {
            epoch = epoch.wait_for(Option::is_some) => {
                epoch.ok().and_then(|epoch| *epoch).ok_or(QuorumError::Stopped)
            }
            error = self.failed() => Err(error),
            () = self.shared.stopped() => Err(QuorumError::Stopped),
        }
    }

    /// Returns when the quorum cannot go on in this process, with the reason. Never returns
    /// otherwise. Cancel-safe.
    pub async fn failed(&self) -> QuorumError {
        let mut failure = self.shared.failure.subscribe();
        let failed = match failure.wait_for(Option::is_some).await {
            Ok(failed) => failed.clone(),
            Err(_) => None,
        };
        match failed {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    /// Voters and learners.
    pub fn members(&self) -> Vec<Member> {
        let Some(node) = self.shared.node.get() else {
            return Vec::new();
        };
        let membership = Arc::clone(&node.metrics.borrow().membership_config);
        let voters: Vec<u64> = membership.voter_ids().collect();
        let image = self.image();
        let member = |id: u64| {
            let known = image.raft_nodes.get(&RaftNodeId(id));
            let registered = known.and_then(|n| image.brokers.get(&n.broker));
            Member {
                node: RaftNodeId(id),
                broker: known.map(|n| n.broker),
                voter: voters.contains(&id),
                live: registered
                    .is_some_and(|b| !b.fenced && known.is_some_and(|n| n.folder == b.folder)),
            }
        };
        membership.nodes().map(|(id, _)| member(*id)).collect()
    }

    /// Whether the quorum would be without a live majority if this broker stopped now.
    pub fn needs(&self, broker: BrokerId) -> bool {
        let voters: Vec<_> = self.members().into_iter().filter(|m| m.voter).collect();
        if !voters.iter().any(|m| m.broker == Some(broker)) {
            return false;
        }
        let others = voters
            .iter()
            .filter(|m| m.live && m.broker != Some(broker))
            .count();
        others <= voters.len() / 2
    }

    /// Moves the leaders off this broker; how many partitions it still leads.
    ///
    /// # Errors
    /// As [`Quorum::propose`]; `Refused` before this process is registered.
    pub async fn begin_stop(&self) -> Result<u32, ProposeError> {
        let broker = self.shared.config.broker;
        let Some(epoch) = self.broker_epoch() else {
            return Err(ProposeError::Refused(ClusterError::UnknownBroker(broker)));
        };
        match self
            .propose(ClusterCommand::BeginStop { broker, epoch })
            .await?
        {
            ClusterReply::StillLeads(count) => Ok(count),
            other => Err(ProposeError::Unknown(format!(
                "unexpected answer {other:?}"
            ))),
        }
    }

    #[cfg(test)]
    pub(super) const fn shared_for_tests(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Says goodbye to the controller, hands the quorum's leadership over if it is here, and ends
    /// every task. The data folder may be opened again afterwards.
    pub async fn stop(&self) {
        if let Some(node) = self.shared.node.get() {
            self.say_goodbye(node).await;
            self.hand_over(node).await;
        }
        self.halt().await;
    }

    /// Ends everything at once, as if the process had died.
    pub(crate) async fn halt(&self) {
        self.shared.stop.send_replace(true);
        let tasks = {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        for task in tasks {
            let abort = task.abort_handle();
            if timeout(STOP_TIMEOUT, task).await.is_err() {
                abort.abort();
            }
        }
        if let Some(node) = self.shared.node.get()
            && timeout(STOP_TIMEOUT, node.raft.shutdown()).await.is_err()
        {
            warn!("the metadata quorum did not stop in time");
        }
        self.shared.store.close().await;
    }

    /// So that the controller fences this broker at once and not after a look at its address.
    async fn say_goodbye(&self, node: &Node) {
        let (Some(epoch), Some(leader)) = (self.broker_epoch(), self.shared.leader()) else {
            return;
        };
        let goodbye = lifecycle::beat(&self.shared, node, leader, epoch, true);
        if !matches!(timeout(HAND_OVER_TIMEOUT, goodbye).await, Ok(Ok(_))) {
            return;
        }
        let broker = self.shared.config.broker;
        let mut image = self.subscribe();
        let fenced = image.wait_for(|image| !image.is_live(broker));
        let _ = timeout(HAND_OVER_TIMEOUT, fenced).await;
    }

    async fn hand_over(&self, node: &Node) {
        let me = node.identity.node;
        if self.shared.leader() != Some(me) {
            return;
        }
        let members = self.members();
        let is_live_voter = |id: u64| members.iter().any(|m| m.node.0 == id && m.voter && m.live);
        let heir = {
            let metrics = node.metrics.borrow();
            let others = metrics.replication.iter().flatten();
            let fit = others.filter(|(id, _)| **id != me && is_live_voter(**id));
            fit.max_by_key(|(_, matched)| matched.as_ref().map(|m| m.index))
                .map(|(id, _)| *id)
        };
        let Some(heir) = heir else { return };
        info!(heir, "the quorum's leadership is handed over");
        if node.raft.trigger().transfer_leader(heir).await.is_err() {
            return;
        }
        let mut metrics = node.metrics.clone();
        let moved = metrics.wait_for(|m| m.current_leader.is_some_and(|l| l != me));
        let _ = timeout(HAND_OVER_TIMEOUT, moved).await;
    }
}

/// Turns raft's own end into this module's failure.
async fn watch_health(shared: Arc<Shared>) {
    let work = async {
        let Some(node) = shared.joined().await else {
            return;
        };
        let mut metrics = node.metrics.clone();
        let failed = metrics.wait_for(|m| m.running_state.is_err()).await;
        let why = match &failed {
            Ok(metrics) => metrics
                .running_state
                .as_ref()
                .err()
                .map(ToString::to_string),
            Err(_) => Some("raft ended".to_owned()),
        };
        drop(failed);
        shared.fail(QuorumError::Fatal(why.unwrap_or_default()));
    };
    tokio::select! {
        biased;
        () = shared.stopped() => {}
        () = work => {}
    }
}
