//! What brokers say to each other about the quorum.

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::ops::RangeInclusive;
use uuid::Uuid;
use weir_core::cluster::{ClusterCommand, ClusterError};
use weir_types::{BrokerEpoch, BrokerId, FolderId, RaftNodeId};

use super::types::{Applied, SnapshotMeta, Vote};
use crate::peer::{PeerFault, wire};

/// Kinds of peer requests that belong to the quorum.
pub const KINDS: RangeInclusive<u16> = 0x0100..=0x01ff;
pub const APPEND: u16 = 0x0100;
pub const VOTE: u16 = 0x0101;
pub const PRE_VOTE: u16 = 0x0102;
pub const SNAPSHOT: u16 = 0x0103;
pub const TRANSFER: u16 = 0x0104;
pub const PROPOSE: u16 = 0x0110;
pub const JOIN: u16 = 0x0111;
pub const HEARTBEAT: u16 = 0x0112;
pub const WHO: u16 = 0x0113;

/// A message to one node of one cluster: whoever listens at an address by now may be another.
#[derive(Debug, Serialize, Deserialize)]
pub struct Envelope<T> {
    pub cluster_id: String,
    pub to: u64,
    pub message: T,
}

/// One part of a snapshot.
#[derive(Debug, Serialize, Deserialize)]
pub struct SnapshotPart {
    pub vote: Vote,
    pub meta: SnapshotMeta,
    /// Tells transfers apart.
    pub transfer: Uuid,
    /// Where the part begins, bytes.
    pub at: u64,
    pub total: u64,
    pub bytes: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum SnapshotAnswer {
    /// Send on.
    More,
    /// Installed, or refused for a newer vote.
    Done(Vote),
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Propose {
    pub command: ClusterCommand,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Proposed {
    Applied(Applied),
    /// Nothing was done.
    NotLeader,
    /// Perhaps something was done.
    Unknown(String),
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Join {
    pub folder: FolderId,
    pub broker: BrokerId,
    pub address: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Joined {
    Member {
        cluster_id: String,
        node: RaftNodeId,
    },
    /// Not formed, not joined itself, or without a leader: ask again later.
    NotYet(String),
    Refused(ClusterError),
}

/// Asks, in no quorum's name, which process listens.
#[derive(Debug, Serialize, Deserialize)]
pub struct Who {
    pub broker: BrokerId,
    pub incarnation: Uuid,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Heartbeat {
    pub broker: BrokerId,
    pub epoch: BrokerEpoch,
    /// Version of the image that the broker has applied.
    pub applied: u64,
    /// The process ends after this one.
    pub leaving: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeartbeatAnswer {
    Heard,
    NotController,
    /// Another process has registered since, or none has.
    NotRegistered,
}

pub fn encode<T: Serialize>(value: &T) -> Result<Bytes, PeerFault> {
    wire::encode(value)
}

pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, PeerFault> {
    wire::decode(body)
}
