//! Consumer groups, classic protocol.

use bytes::Bytes;
use weir_types::{LeaderEpoch, Offset};

#[derive(Clone, Debug)]
pub struct JoinRequest {
    pub group: String,
    pub member: String,
    pub instance: Option<String>,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub protocol_type: String,
    /// In the member's order of preference: name, metadata.
    pub protocols: Vec<(String, Bytes)>,
    /// KIP-394: a first join without member id is answered with [`crate::Error::MemberIdRequired`].
    pub require_known_member: bool,
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedGroup {
    pub generation: i32,
    pub protocol_type: String,
    pub protocol: String,
    pub leader: String,
    pub member: String,
    /// KIP-814: the leader rejoined as a static member; the old assignment stands.
    pub skip_assignment: bool,
    /// Filled for the leader only.
    pub members: Vec<JoinedMember>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    pub member: String,
    pub instance: Option<String>,
    pub metadata: Bytes,
}

#[derive(Clone, Debug)]
pub struct SyncRequest {
    pub group: String,
    pub generation: i32,
    pub member: String,
    pub instance: Option<String>,
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    /// From the leader: member, assignment.
    pub assignments: Vec<(String, Bytes)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncedGroup {
    pub protocol_type: String,
    pub protocol: String,
    pub assignment: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveMember {
    pub member: String,
    pub instance: Option<String>,
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartitionName {
    pub topic: String,
    pub index: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitOffset {
    pub partition: TopicPartitionName,
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
    pub metadata: String,
    /// How long it is kept, milliseconds from now; `None`: as long as the cluster's setting says.
    pub retention_ms: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    pub partition: TopicPartitionName,
    /// -1: none.
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
    pub metadata: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    pub group: String,
    pub protocol_type: String,
    /// Kafka's names: `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Stable`, `Dead`.
    pub state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    pub group: String,
    pub state: &'static str,
    pub protocol_type: String,
    pub protocol: String,
    pub members: Vec<GroupMember>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    pub member: String,
    pub instance: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub metadata: Bytes,
    pub assignment: Bytes,
}
