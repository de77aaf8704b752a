//! This broker's own life in the cluster: registration, heartbeats, and the leader's sudden end.

use openraft::raft::TransferLeaderRequest;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{debug, info, warn};
use weir_core::cluster::{ClusterCommand, ClusterReply, Registration};
use weir_types::BrokerEpoch;

use super::rpc::{self, Envelope, Heartbeat, HeartbeatAnswer};
use super::shared::{Node, Shared};
use super::{ProposeError, QuorumError, join, propose, service};
use crate::peer::{Class, PeerError, Probe};

const RETRY: Duration = Duration::from_millis(500);
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two looks at a leader that seems gone, and between the candidacies of its heirs.
const HEIR_PAUSE: Duration = Duration::from_millis(150);

/// Registers, then heartbeats until the module stops.
pub async fn run(shared: Arc<Shared>) {
    let work = async {
        let Some(node) = shared.joined().await else {
            return;
        };
        if let Some(epoch) = register(&shared).await {
            shared.epoch.send_replace(Some(epoch));
            info!(broker = %shared.config.broker, %epoch, "registered");
            heartbeats(&shared, node, epoch).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = shared.stopped() => {}
    }
}

/// `None`: refused for good; the failure is set.
async fn register(shared: &Arc<Shared>) -> Option<BrokerEpoch> {
    let config = &shared.config;
    let registration = Registration {
        broker: config.broker,
        folder: config.folder_id,
        incarnation: config.incarnation,
        rack: config.rack.clone(),
        peer_address: config.peer_address.clone(),
        listeners: config.listeners.clone(),
        clean: config.clean,
        ineligible: config.ineligible.clone(),
    };
    // The founder has nowhere to register before it has formed the cluster.
    let mut image = shared.image.subscribe();
    image
        .wait_for(|image| !image.cluster_id.is_empty())
        .await
        .ok()?;
    let mut refused_since = None;
    loop {
        let command = ClusterCommand::RegisterBroker(registration.clone());
        match propose::propose(shared, command).await {
            Ok(ClusterReply::Registered(epoch)) => return Some(epoch),
            Ok(other) => warn!(?other, "an odd answer to a registration"),
            Err(ProposeError::Refused(error)) => {
                if join::note_refusal(shared, &mut refused_since, &error) {
                    return None;
                }
                warn!(broker = %config.broker, %error, "the registration was refused");
            }
            Err(error) => debug!(%error, "not registered yet"),
        }
        sleep(RETRY.min(config.timing.broker_heartbeat)).await;
    }
}

async fn heartbeats(shared: &Arc<Shared>, node: &Node, epoch: BrokerEpoch) {
    let mut tick = interval(shared.config.timing.broker_heartbeat);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut metrics = node.metrics.clone();
    let mut leader = None;
    let mut image = shared.image.subscribe();
    let mut fenced = true;
    loop {
        let broken = connection_to(shared, node, leader);
        tokio::select! {
            _ = tick.tick() => {}
            // A new controller hears from everybody at once.
            changed = metrics.wait_for(|m| m.current_leader != leader) => {
                if changed.is_err() {
                    return;
                }
            }
            () = broken => {}
            // While fenced, each new image may be the one that this broker had to catch up with.
            _ = image.changed(), if fenced => {}
        }
        leader = metrics.borrow().current_leader;
        fenced = !shared.image().is_live(shared.config.broker);
        let Some(to) = leader else { continue };
        match beat(shared, node, to, epoch, false).await {
            Ok(HeartbeatAnswer::NotRegistered) => {
                if is_replaced(shared, epoch) {
                    shared.fail(QuorumError::Fatal(format!(
                        "another process has registered as broker {}",
                        shared.config.broker
                    )));
                    return;
                }
            }
            Ok(HeartbeatAnswer::Heard | HeartbeatAnswer::NotController) => {}
            Err(error) => {
                debug!(%error, "no heartbeat reached the controller");
                if matches!(error, PeerError::Connect { .. } | PeerError::Broken { .. }) {
                    inherit(shared, node, to).await;
                }
            }
        }
    }
}

/// Whether the newest image this broker has shows somebody else under its id.
fn is_replaced(shared: &Shared, epoch: BrokerEpoch) -> bool {
    let image = shared.image();
    let registered = image.brokers.get(&shared.config.broker);
    registered.is_some_and(|b| b.epoch > epoch && b.incarnation != shared.config.incarnation)
}

/// Returns when the connection to the leader breaks; never, if this broker leads.
async fn connection_to(shared: &Arc<Shared>, node: &Node, leader: Option<u64>) {
    let address = leader
        .filter(|l| *l != node.identity.node)
        .and_then(|l| shared.address(l));
    match address {
        Some(address) => shared.net.broken(&address, Class::Control).await,
        None => std::future::pending().await,
    }
}

/// Sends one heartbeat to the controller.
pub async fn beat(
    shared: &Shared,
    node: &Node,
    leader: u64,
    epoch: BrokerEpoch,
    leaving: bool,
) -> Result<HeartbeatAnswer, PeerError> {
    let applied = shared.image.borrow().version;
    let message = Heartbeat {
        broker: shared.config.broker,
        epoch,
        applied,
        leaving,
    };
    if leader == node.identity.node {
        return Ok(service::hear(shared, &message, None));
    }
    let unknown = || PeerError::Connect {
        address: format!("node {leader}"),
        reason: "its address is not known".into(),
    };
    let address = shared.address(leader).ok_or_else(unknown)?;
    let envelope = Envelope {
        cluster_id: node.identity.cluster_id.clone(),
        to: leader,
        message,
    };
    let fault = |fault| PeerError::Fault {
        address: address.clone(),
        fault,
    };
    let body = rpc::encode(&envelope).map_err(fault)?;
    let patience = shared.config.timing.session_timeout / 3;
    let answer = shared
        .net
        .call(&address, Class::Control, rpc::HEARTBEAT, body, patience)
        .await?;
    rpc::decode(&answer).map_err(fault)
}

/// If the leader's process is gone, its heirs need not wait for a silence: the first live voter in
/// order of ids stands at once, the next a little later if that came to nothing. Voters grant it as
/// they grant a handed-over leadership; raft's own rules decide who can win.
async fn inherit(shared: &Arc<Shared>, node: &Node, leader: u64) {
    let Some(address) = shared.address(leader) else {
        return;
    };
    for _ in 0..2 {
        if shared.net.probe(&address, PROBE_TIMEOUT).await != Probe::Gone {
            return;
        }
        sleep(HEIR_PAUSE / 2).await;
    }
    // A leader that is merely out of this broker's reach still sends its own heartbeats.
    let silence = 2 * shared.config.timing.raft_heartbeat;
    sleep(silence.saturating_sub(shared.silence())).await;
    if shared.silence() < silence {
        return;
    }
    let rank = {
        let metrics = node.metrics.borrow();
        let heirs = metrics
            .membership_config
            .voter_ids()
            .filter(|id| *id != leader);
        let mut heirs: Vec<u64> = heirs.collect();
        heirs.sort_unstable();
        heirs.iter().position(|id| *id == node.identity.node)
    };
    let Some(rank) = rank else { return };
    let pause = HEIR_PAUSE * u32::try_from(rank).unwrap_or(0);
    let deadline = Instant::now() + pause;
    let mut metrics = node.metrics.clone();
    let settled = metrics.wait_for(|m| m.current_leader.is_some_and(|l| l != leader));
    if tokio::time::timeout_at(deadline.into(), settled)
        .await
        .is_ok()
    {
        return;
    }
    let (vote, still) = {
        let metrics = node.metrics.borrow();
        (metrics.vote, metrics.current_leader == Some(leader))
    };
    if still {
        info!(
            leader,
            "the quorum's leader is gone, this broker stands for election"
        );
        let request = TransferLeaderRequest::new(vote, node.identity.node, None);
        if let Err(error) = node.raft.handle_transfer_leader(request).await {
            warn!(%error, "the election could not be started");
        }
    }
}
