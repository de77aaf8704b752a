//! How a folder becomes part of a quorum: it was before, it founds one, or it asks the seeds.

use openraft::async_runtime::watch::WatchReceiver;
use openraft::{BasicNode, Config, SnapshotPolicy};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};
use weir_core::cluster::{ClusterCommand, ClusterError, ClusterReply};

use super::log::Log;
use super::machine::Machine;
use super::network::Networks;
use super::record::{self, Identity, Kind};
use super::rpc::{self, Join, Joined};
use super::shared::{Node, Shared};
use super::store::Slot;
use super::types::{Metrics, Raft};
use super::{ProposeError, QuorumConfig, QuorumError, propose};
use crate::peer::Class;

const ASK_TIMEOUT: Duration = Duration::from_secs(15);
const ASK_PAUSE: Duration = Duration::from_millis(300);
/// How long the founder tries to have its own first commands applied.
const FOUND_TIMEOUT: Duration = Duration::from_secs(30);
/// The founder's node id: the first that the state machine allocates.
const FOUNDER: u64 = 1;
/// Entries kept behind a snapshot, so that a follower that was away for a moment needs none.
const LOG_KEPT: u64 = 1000;

pub fn storage_error(config: &QuorumConfig, error: &dyn std::fmt::Display) -> QuorumError {
    QuorumError::Storage {
        folder: config.folder.display().to_string(),
        reason: error.to_string(),
    }
}

fn raft_config(config: &QuorumConfig) -> Config {
    let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    let timing = &config.timing;
    Config {
        cluster_name: "metadata".into(),
        heartbeat_interval: ms(timing.raft_heartbeat),
        election_timeout_min: ms(timing.election.0),
        election_timeout_max: ms(timing.election.1),
        enable_pre_vote: Some(true),
        snapshot_policy: SnapshotPolicy::LogsSinceLast(timing.snapshot_every),
        max_in_snapshot_log_to_keep: LOG_KEPT.min(timing.snapshot_every),
        purge_batch_size: 64,
        // Records of a folder never go back; if they do, something is badly wrong.
        allow_log_reversion: Some(false),
        ..Config::default()
    }
}

/// Reads who this folder is, if it has been in a quorum.
pub async fn load_identity(shared: &Shared) -> Result<Option<Identity>, QuorumError> {
    let load = async {
        let raw = shared.store.get(Slot::Identity).await?;
        raw.map(|raw| record::decode(Kind::Identity, &raw))
            .transpose()
    };
    load.await.map_err(|e| storage_error(&shared.config, &e))
}

async fn save_identity(shared: &Shared, identity: &Identity) -> Result<(), QuorumError> {
    let save = async {
        shared
            .store
            .put(Slot::Identity, record::encode(Kind::Identity, identity)?)
            .await
    };
    save.await.map_err(|e| storage_error(&shared.config, &e))
}

/// Starts raft under `identity`.
pub async fn enter(shared: &Arc<Shared>, identity: Identity) -> Result<(), QuorumError> {
    let fatal = |e: &dyn std::fmt::Display| storage_error(&shared.config, e);
    let config = raft_config(&shared.config)
        .validate()
        .map_err(|e| fatal(&e))?;
    let networks = Networks {
        shared: Arc::downgrade(shared),
        cluster_id: identity.cluster_id.clone(),
    };
    let machine = Machine::load(shared.store.clone(), shared.image.clone()).await;
    let machine = machine.map_err(|e| fatal(&e))?;
    let log = Log::new(shared.store.clone());
    let raft = Raft::new(identity.node, Arc::new(config), networks, log, machine).await;
    let raft = raft.map_err(|e| fatal(&e))?;
    let metrics = forward_metrics(&raft);
    let me = identity.node;
    let alone =
        raft.with_raft_state(move |state| state.membership_state.effective().voter_ids().eq([me]));
    let alone = alone.await.map_err(|e| fatal(&e))?;
    if alone {
        // Nobody else can have been elected: no reason to wait for a silence.
        raft.trigger().elect(false).await.map_err(|e| fatal(&e))?;
    }
    info!(
        node = identity.node,
        cluster = identity.cluster_id,
        "the metadata quorum is joined"
    );
    if shared
        .node
        .set(Node {
            identity,
            raft,
            metrics,
        })
        .is_err()
    {
        return Err(QuorumError::Fatal("joined twice".into()));
    }
    shared.joined.send_replace(true);
    Ok(())
}

/// openraft's own receiver hides what tokio's can do.
fn forward_metrics(raft: &Raft) -> watch::Receiver<Metrics> {
    let mut from = raft.metrics();
    let first = from.borrow_and_update().clone();
    let (to, metrics) = watch::channel(first);
    tokio::spawn(async move {
        while from.changed().await.is_ok() {
            let news = from.borrow_and_update().clone();
            if to.send(news).is_err() {
                return;
            }
        }
    });
    metrics
}

/// Makes this folder the sole voter of a new cluster, or goes on where that was interrupted.
pub async fn form(shared: &Arc<Shared>, cluster_id: &str) -> Result<(), QuorumError> {
    let _joining = shared.joining.lock().await;
    if shared.node.get().is_none() {
        let identity = Identity {
            cluster_id: cluster_id.to_owned(),
            node: FOUNDER,
            founder: true,
        };
        save_identity(shared, &identity).await?;
        enter(shared, identity).await?;
    }
    let Some(node) = shared.node.get() else {
        return Err(QuorumError::Stopped);
    };
    let identity = &node.identity;
    if identity.cluster_id != cluster_id {
        return Err(QuorumError::OtherCluster {
            have: identity.cluster_id.clone(),
            asked: cluster_id.to_owned(),
        });
    }
    if identity.founder {
        found(shared, node).await
    } else {
        Ok(())
    }
}

/// The founder's first steps; each is skipped if it was taken before.
pub async fn found(shared: &Arc<Shared>, node: &Node) -> Result<(), QuorumError> {
    let failed = |why: String| QuorumError::NotFormed(why);
    let config = &shared.config;
    let initialized = node
        .raft
        .is_initialized()
        .await
        .map_err(|e| failed(e.to_string()))?;
    if !initialized {
        let address = config.peer_address.clone();
        let members = BTreeMap::from([(FOUNDER, BasicNode { addr: address })]);
        node.raft
            .initialize(members)
            .await
            .map_err(|e| failed(e.to_string()))?;
    }
    let cluster_id = &node.identity.cluster_id;
    if shared.image().cluster_id == *cluster_id && shared.broker_of(FOUNDER).is_some() {
        return Ok(());
    }
    insist(
        shared,
        ClusterCommand::Form {
            cluster_id: cluster_id.clone(),
        },
    )
    .await?;
    let allocate = ClusterCommand::AllocateRaftNode {
        folder: config.folder_id,
        broker: config.broker,
        address: config.peer_address.clone(),
    };
    match insist(shared, allocate).await? {
        ClusterReply::RaftNode(id) if id.0 == FOUNDER => Ok(()),
        other => Err(failed(format!("the founder was given {other:?}"))),
    }
}

/// Proposes what may be proposed twice until its outcome is known.
async fn insist(
    shared: &Arc<Shared>,
    command: ClusterCommand,
) -> Result<ClusterReply, QuorumError> {
    let began = Instant::now();
    loop {
        match propose::propose(shared, command.clone()).await {
            Ok(reply) => return Ok(reply),
            Err(ProposeError::Refused(ClusterError::OtherCluster { have, asked })) => {
                return Err(QuorumError::OtherCluster { have, asked });
            }
            Err(ProposeError::Refused(error)) => {
                return Err(QuorumError::NotFormed(error.to_string()));
            }
            Err(error) if began.elapsed() > FOUND_TIMEOUT => {
                return Err(QuorumError::NotFormed(error.to_string()));
            }
            Err(_) => sleep(ASK_PAUSE).await,
        }
    }
}

/// Asks the seeds until one takes this folder in, or it has been made a founder meanwhile.
pub async fn ask_around(shared: &Arc<Shared>) {
    let mut refused_since = None;
    loop {
        for seed in &shared.config.seeds {
            if *seed == shared.config.peer_address {
                continue;
            }
            if shared.node.get().is_some() || *shared.stop.borrow() {
                return;
            }
            match ask(shared, seed).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    if note_refusal(shared, &mut refused_since, &error) {
                        return;
                    }
                }
            }
        }
        tokio::select! {
            () = sleep(ASK_PAUSE) => {}
            () = shared.stopped() => return,
        }
    }
}

/// Remembers since when this broker is refused; true if that is long enough to give up.
pub fn note_refusal(shared: &Shared, since: &mut Option<Instant>, error: &ClusterError) -> bool {
    let first = since.is_none();
    let waited = since.get_or_insert_with(Instant::now).elapsed();
    if first {
        warn!(broker = %shared.config.broker, %error, "refused; the other process may be ending");
    }
    if waited < shared.config.timing.duplicate_patience {
        return false;
    }
    shared.fail(match error {
        ClusterError::DuplicateBroker { broker } => QuorumError::DuplicateBroker {
            broker: *broker,
            waited,
        },
        other => QuorumError::Fatal(other.to_string()),
    });
    true
}

/// Asks one seed; true if this folder is in a quorum now.
async fn ask(shared: &Arc<Shared>, seed: &str) -> Result<bool, ClusterError> {
    let join = Join {
        folder: shared.config.folder_id,
        broker: shared.config.broker,
        address: shared.config.peer_address.clone(),
    };
    let Ok(body) = rpc::encode(&join) else {
        return Ok(false);
    };
    let answer = shared
        .net
        .call(seed, Class::Control, rpc::JOIN, body, ASK_TIMEOUT)
        .await;
    let Ok(answer) = answer else { return Ok(false) };
    let (cluster_id, node) = match rpc::decode(&answer) {
        Ok(Joined::Member { cluster_id, node }) => (cluster_id, node.0),
        Ok(Joined::Refused(error)) => return Err(error),
        Ok(Joined::NotYet(_)) | Err(_) => return Ok(false),
    };
    let _joining = shared.joining.lock().await;
    if shared.node.get().is_some() {
        return Ok(true);
    }
    let identity = Identity {
        cluster_id,
        node,
        founder: false,
    };
    let entered = async {
        save_identity(shared, &identity).await?;
        enter(shared, identity).await
    };
    if let Err(error) = entered.await {
        shared.fail(error);
    }
    Ok(true)
}
