//! What a broker tells its quorum module at start.

use std::path::PathBuf;
use std::time::Duration;
use uuid::Uuid;
use weir_core::cluster::Listener;
use weir_types::{BrokerId, FolderId, PartitionId};

/// Who this broker is and how to reach it.
#[derive(Clone, Debug)]
pub struct QuorumConfig {
    /// The broker's data folder; the quorum keeps its files in `metadata` below it.
    pub folder: PathBuf,
    pub folder_id: FolderId,
    pub broker: BrokerId,
    pub rack: Option<String>,
    /// `host:port` where the other brokers reach this one's peer listener.
    pub peer_address: String,
    /// Where clients reach it.
    pub listeners: Vec<Listener>,
    /// Peer addresses of brokers that may know the cluster; one's own is skipped.
    pub seeds: Vec<String>,
    /// Drawn anew by each process.
    pub incarnation: Uuid,
    /// The last process on this folder closed everything in order.
    pub clean: bool,
    /// See [`weir_core::cluster::Registration::ineligible`].
    pub ineligible: Vec<PartitionId>,
    pub timing: QuorumTiming,
}

/// Timeouts and intervals.
#[derive(Clone, Debug)]
pub struct QuorumTiming {
    /// Raft leader to its followers.
    pub raft_heartbeat: Duration,
    /// Least and greatest time that a voter waits before it stands for election, once the leader's
    /// lease is over; the lease is the greater of the two. A leader whose process is seen to be
    /// gone is not waited for.
    pub election: (Duration, Duration),
    /// Broker to controller.
    pub broker_heartbeat: Duration,
    /// Silence after which the controller fences a broker whose connection did not break.
    pub session_timeout: Duration,
    /// How long a partition whose eligible replicas all stopped uncleanly waits, once one of them is
    /// back, for others that might hold more.
    pub election_wait: Duration,
    /// How often partitions are given back to their preferred leaders.
    pub leader_imbalance_check: Duration,
    /// How long a registration is refused as a duplicate before this broker gives up.
    pub duplicate_patience: Duration,
    /// Log entries between snapshots of the metadata.
    pub snapshot_every: u64,
}

impl Default for QuorumTiming {
    fn default() -> Self {
        Self {
            raft_heartbeat: Duration::from_millis(200),
            election: (Duration::from_millis(800), Duration::from_millis(1500)),
            broker_heartbeat: Duration::from_millis(500),
            session_timeout: Duration::from_secs(6),
            election_wait: Duration::from_secs(3),
            leader_imbalance_check: Duration::from_secs(10),
            duplicate_patience: Duration::from_secs(10),
            snapshot_every: 5000,
        }
    }
}
