//! What a folder that was in a quorum before does at a start, besides listening.

use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tracing::{info, warn};

use super::rpc::{self, Join, Joined};
use super::shared::{Node, Shared};
use super::{QuorumError, join};
use crate::peer::Class;

const ASK_TIMEOUT: Duration = Duration::from_secs(15);

/// Goes on founding where that was interrupted. Then listens for a leader, and asks the seeds
/// where none speaks to this node: it may have been taken out of the quorum (its broker was
/// removed) and be wanted again.
pub async fn run(shared: &Arc<Shared>) {
    finish_founding(shared).await;
    let Some(node) = shared.node.get() else {
        return;
    };
    let patience = shared.config.timing.session_timeout;
    loop {
        tokio::select! {
            () = sleep(patience) => {}
            () = shared.stopped() => return,
        }
        if shared.is_leader() || shared.silence() < patience {
            return;
        }
        for seed in &shared.config.seeds {
            if *seed != shared.config.peer_address && ask(shared, node, seed).await {
                break;
            }
        }
    }
}

/// Whether a member of the quorum took the question.
async fn ask(shared: &Arc<Shared>, node: &Node, seed: &str) -> bool {
    let join = Join {
        folder: shared.config.folder_id,
        broker: shared.config.broker,
        address: shared.config.peer_address.clone(),
    };
    let Ok(body) = rpc::encode(&join) else {
        return false;
    };
    let call = shared
        .net
        .call(seed, Class::Control, rpc::JOIN, body, ASK_TIMEOUT);
    let answer = tokio::select! {
        answer = call => answer,
        () = shared.stopped() => return true,
    };
    let identity = &node.identity;
    match answer.ok().and_then(|answer| rpc::decode(&answer).ok()) {
        Some(Joined::Member { cluster_id, node }) if cluster_id == identity.cluster_id => {
            if node.0 == identity.node {
                info!(seed, node = node.0, "back in the metadata quorum");
            } else {
                shared.fail(QuorumError::Fatal(format!(
                    "the quorum knows this folder as node {node}, it was node {}: its place was \
                     given up, start with an empty folder",
                    identity.node
                )));
            }
            true
        }
        Some(Joined::Refused(error)) => {
            warn!(seed, %error, "the quorum does not take this broker back");
            false
        }
        _ => false,
    }
}

/// A founder that was interrupted goes on by itself.
async fn finish_founding(shared: &Arc<Shared>) {
    let Some(node) = shared.node.get().filter(|n| n.identity.founder) else {
        return;
    };
    let founding = join::form(shared, &node.identity.cluster_id);
    let founded = tokio::select! {
        founded = founding => founded,
        () = shared.stopped() => return,
    };
    if let Err(error) = founded {
        // A founder among others may lack a majority for long: that is no failure of its own.
        warn!(%error, "the founder could not check its first steps");
    }
}
