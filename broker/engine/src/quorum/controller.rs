//! The controller's duties: done by whichever broker leads the quorum, for as long as it does.

use bytes::Bytes;
use openraft::{BasicNode, ChangeMembers};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};
use weir_core::cluster::{Broker, ClusterCommand};
use weir_types::{BrokerEpoch, BrokerId};

use super::balance;
use super::election_waits::ElectionWaits;
use super::membership::{self, Standing, Step};
use super::propose;
use super::rpc::{self, Proposed, Who};
use super::shared::{Node, Shared};
use crate::peer::{Class, Probe};

const TICK: Duration = Duration::from_millis(200);
/// Longest wait for one change of the membership.
const MEMBERSHIP_TIMEOUT: Duration = Duration::from_secs(10);
/// A learner this many entries behind counts as caught up.
const LAG_MAX: u64 = 200;
/// When the address of a doubtful broker is tried: a dying process closes its listener a little
/// after its connections.
const PROBES: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_millis(600),
];
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs until the module stops.
pub async fn run(shared: Arc<Shared>) {
    let work = async {
        let Some(node) = shared.joined().await else {
            return;
        };
        let mut metrics = node.metrics.clone();
        loop {
            let id = node.identity.node;
            if metrics
                .wait_for(|m| m.current_leader == Some(id))
                .await
                .is_err()
            {
                return;
            }
            reign(&shared, node).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = shared.stopped() => {}
    }
}

/// One term as the controller.
async fn reign(shared: &Arc<Shared>, node: &Node) {
    // Everything that earlier leaders committed is applied once this term's first entry is.
    let blank = node.raft.write_blank().await;
    if blank.is_err() || !shared.is_leader() {
        sleep(TICK).await;
        return;
    }
    info!(broker = %shared.config.broker, node = node.identity.node, "this broker is the controller");
    {
        let mut sessions = shared
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let predecessor = shared.take_predecessor();
        sessions.restart(&shared.image(), predecessor, Instant::now());
    }
    let mut image = shared.image.subscribe();
    let mut balanced = Instant::now();
    let mut waits = ElectionWaits::new(shared.config.timing.election_wait);
    while shared.is_leader() {
        look_after_brokers(shared, node).await;
        end_waits(shared, node, &mut waits).await;
        if balanced.elapsed() >= shared.config.timing.leader_imbalance_check {
            balance::give_back(shared, node).await;
            balanced = Instant::now();
        }
        if let Some(step) = membership::plan(&shared.image(), &standing(node)) {
            change_membership(node, step).await;
        }
        tokio::select! {
            () = sleep(TICK) => {}
            () = shared.controller_wake.notified() => {}
            _ = image.changed() => {}
        }
    }
    info!(broker = %shared.config.broker, "this broker is no longer the controller");
}

async fn look_after_brokers(shared: &Arc<Shared>, node: &Node) {
    let image = shared.image();
    let (doubtful, commands) = {
        let mut sessions = shared
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        (
            sessions.take_doubtful(),
            sessions.judge(&image, Instant::now()),
        )
    };
    for (broker, epoch) in doubtful {
        // Its own heartbeats cross no network.
        if broker != shared.config.broker {
            tokio::spawn(look_at(Arc::clone(shared), broker, epoch));
        }
    }
    for command in commands {
        match &command {
            ClusterCommand::Fence { broker, epoch } => {
                warn!(%broker, %epoch, "broker fenced: it left or its heartbeats stopped");
            }
            ClusterCommand::Unfence { broker, epoch } => {
                info!(%broker, %epoch, "broker unfenced");
            }
            _ => {}
        }
        if !decide(node, command).await {
            return;
        }
    }
}

/// Partitions whose replicas did not all come back in time are led by the best of those that did.
async fn end_waits(shared: &Arc<Shared>, node: &Node, waits: &mut ElectionWaits) {
    let over = waits.judge(&shared.image(), Instant::now());
    if let Some(command) = over {
        info!("partitions wait no longer for replicas that did not come back");
        decide(node, command).await;
    }
}

/// Writes a command; false if this node cannot any more.
pub(super) async fn decide(node: &Node, command: ClusterCommand) -> bool {
    match propose::locally(node.raft.clone(), command).await {
        Proposed::Applied(applied) => {
            if let Err(error) = applied.result {
                // A registration was faster: the next look sees it.
                debug!(%error, "the controller's command was refused");
            }
            true
        }
        Proposed::NotLeader => false,
        Proposed::Unknown(why) => {
            debug!(why, "the fate of the controller's command is unknown");
            false
        }
    }
}

/// Fences a broker whose process is certainly gone; one that may live keeps its session.
async fn look_at(shared: Arc<Shared>, broker: BrokerId, epoch: BrokerEpoch) {
    let began = Instant::now();
    let mut gone = 0;
    for pause in PROBES {
        tokio::select! {
            () = sleep(pause) => {}
            () = shared.stopped() => return,
        }
        let image = shared.image();
        let Some(known) = image
            .brokers
            .get(&broker)
            .filter(|b| b.epoch == epoch && !b.fenced)
        else {
            return;
        };
        let heard = {
            let sessions = shared
                .sessions
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            sessions.heard_since(broker, epoch, began)
        };
        if heard || !shared.is_leader() {
            return;
        }
        if is_gone(&shared, known).await {
            gone += 1;
        }
        // Twice, so that one failed look-up of a name costs nobody its leaders.
        if gone == 2 {
            warn!(%broker, %epoch, "broker fenced: its connection broke and nobody listens there");
            let Some(node) = shared.node.get() else {
                return;
            };
            shared
                .sessions
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .forget(broker, epoch);
            decide(node, ClusterCommand::Fence { broker, epoch }).await;
            return;
        }
    }
}

/// Nobody listens at the broker's address, or another process does.
pub(super) async fn is_gone(shared: &Shared, broker: &Broker) -> bool {
    match shared.net.probe(&broker.peer_address, PROBE_TIMEOUT).await {
        Probe::Gone => return true,
        Probe::Silent => return false,
        Probe::Reachable => {}
    }
    let asked = shared.net.call(
        &broker.peer_address,
        Class::Control,
        rpc::WHO,
        Bytes::new(),
        PROBE_TIMEOUT,
    );
    let who: Option<Who> = asked
        .await
        .ok()
        .and_then(|answer| rpc::decode(&answer).ok());
    who.is_some_and(|who| who.incarnation != broker.incarnation)
}

fn standing(node: &Node) -> Standing {
    let metrics = node.metrics.borrow();
    let membership = metrics.membership_config.membership();
    let last = metrics.last_log_index.unwrap_or(0);
    let mut caught_up = BTreeSet::from([node.identity.node]);
    for (id, matched) in metrics.replication.iter().flatten() {
        if matched.as_ref().is_some_and(|m| m.index + LAG_MAX >= last) {
            caught_up.insert(*id);
        }
    }
    Standing {
        leader: node.identity.node,
        voters: membership.voter_ids().collect(),
        nodes: membership
            .nodes()
            .map(|(id, n)| (*id, n.addr.clone()))
            .collect(),
        caught_up,
    }
}

async fn change_membership(node: &Node, step: Step) {
    info!(?step, "the quorum's membership changes");
    let one = |id: u64, address: String| BTreeMap::from([(id, BasicNode { addr: address })]);
    let change = match step {
        Step::AddLearner { node, address } => ChangeMembers::AddNodes(one(node, address)),
        Step::SetAddress { node, address } => ChangeMembers::SetNodes(one(node, address)),
        Step::SetVoters(voters) => ChangeMembers::ReplaceAllVoters(voters),
        Step::Remove { node } => ChangeMembers::RemoveNodes(BTreeSet::from([node])),
        Step::HandOver { node: heir } => {
            // Whoever leads at the next look goes on.
            let _asked = node.raft.trigger().transfer_leader(heir).await;
            return sleep(TICK).await;
        }
        Step::Forget { node: id } => {
            decide(node, ClusterCommand::RemoveRaftNode { id }).await;
            return;
        }
    };
    // A voter that is replaced stays as a learner, until the next step takes it out.
    match timeout(
        MEMBERSHIP_TIMEOUT,
        node.raft.change_membership(change, true),
    )
    .await
    {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            warn!(%error, "the quorum's membership could not be changed yet");
            sleep(TICK).await;
        }
        Err(_) => warn!("a change of the quorum's membership takes long"),
    }
}
