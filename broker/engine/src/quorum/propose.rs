//! The way of a proposal: to the leader, wherever it is, and back.

use openraft::errors::{ClientWriteError, RaftError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use weir_core::cluster::{ClusterCommand, ClusterReply};

use super::ProposeError;
use super::rpc::{self, Envelope, Propose, Proposed};
use super::shared::{Node, PROPOSE_TIMEOUT, Shared};
use super::types::{Applied, Proposal, Raft};
use crate::peer::Class;

/// Pause before the leader is asked or looked for again.
const RETRY: Duration = Duration::from_millis(50);
/// How long this broker's own image may lag behind an answer before the caller gets it anyway.
const CATCH_UP: Duration = Duration::from_secs(2);

/// Writes to the quorum, if this node leads it.
pub async fn locally(raft: Raft, command: ClusterCommand) -> Proposed {
    match timeout(PROPOSE_TIMEOUT, raft.client_write(Proposal(command))).await {
        Err(_) => Proposed::Unknown("no majority answered in time".into()),
        Ok(Ok(written)) => Proposed::Applied(written.data),
        Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_)))) => Proposed::NotLeader,
        Ok(Err(error)) => Proposed::Unknown(error.to_string()),
    }
}

/// See `Quorum::propose`.
pub async fn propose(
    shared: &Arc<Shared>,
    command: ClusterCommand,
) -> Result<ClusterReply, ProposeError> {
    let Some(node) = shared.node.get() else {
        return Err(ProposeError::Unavailable(
            "this broker is not in a quorum yet".into(),
        ));
    };
    let deadline = Instant::now() + PROPOSE_TIMEOUT;
    let applied = loop {
        let proposed = attempt(shared, node, &command, deadline).await;
        match proposed {
            Ok(Proposed::Applied(applied)) => break applied,
            Ok(Proposed::Unknown(why)) => return Err(ProposeError::Unknown(why)),
            Ok(Proposed::NotLeader) => {}
            Err(why) if Instant::now() >= deadline => {
                return Err(ProposeError::Unavailable(why));
            }
            Err(_) => {}
        }
        if Instant::now() >= deadline {
            return Err(ProposeError::Unavailable("the leader changes".into()));
        }
        tokio::select! {
            () = sleep(RETRY) => {}
            () = shared.stopped() => return Err(ProposeError::Unavailable("stopping".into())),
        }
    };
    let mut image = shared.image.subscribe();
    let caught_up = image.wait_for(|image| image.version >= applied.version);
    let _ = timeout(CATCH_UP, caught_up).await;
    let Applied { result, .. } = applied;
    Ok(result?)
}

/// One attempt with whoever leads now. `Err`: certainly nothing was done.
async fn attempt(
    shared: &Arc<Shared>,
    node: &Node,
    command: &ClusterCommand,
    deadline: Instant,
) -> Result<Proposed, String> {
    let Some(leader) = find_leader(node, deadline).await else {
        return Err("no leader is known".into());
    };
    if leader == node.identity.node {
        return Ok(locally(node.raft.clone(), command.clone()).await);
    }
    let Some(address) = shared.address(leader) else {
        return Err(format!("the address of node {leader} is not known"));
    };
    let envelope = Envelope {
        cluster_id: node.identity.cluster_id.clone(),
        to: leader,
        message: Propose {
            command: command.clone(),
        },
    };
    let body = rpc::encode(&envelope).map_err(|e| e.to_string())?;
    // A little longer than the leader itself waits, so that its answer arrives.
    let patience = PROPOSE_TIMEOUT + Duration::from_secs(1);
    match shared
        .net
        .call(&address, Class::Control, rpc::PROPOSE, body, patience)
        .await
    {
        Ok(answer) => Ok(rpc::decode(&answer).unwrap_or_else(|e| Proposed::Unknown(e.to_string()))),
        Err(error) if error.may_have_happened() => Ok(Proposed::Unknown(error.to_string())),
        Err(error) => Err(error.to_string()),
    }
}

async fn find_leader(node: &Node, deadline: Instant) -> Option<u64> {
    let mut metrics = node.metrics.clone();
    let known = timeout_at(deadline, metrics.wait_for(|m| m.current_leader.is_some())).await;
    known.ok()?.ok()?.current_leader
}
