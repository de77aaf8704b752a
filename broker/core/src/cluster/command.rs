//! What can be asked of the metadata, and what it answers.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;
use uuid::Uuid;
use weir_types::{
    BrokerEpoch, BrokerId, FolderId, LeaderEpoch, OperatorEpoch, PartitionEpoch, PartitionId,
    ProducerId, RaftNodeId, TopicId,
};

use super::{Listener, LogEnds, TopicOwner, nested};

/// One entry of the metadata log. Everything random or clocked in it was drawn by the proposer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClusterCommand {
    /// First command of every cluster; refused with another id once formed.
    Form {
        cluster_id: String,
    },
    /// Gives a folder its quorum id, the same again if it has one.
    AllocateRaftNode {
        folder: FolderId,
        broker: BrokerId,
        address: String,
    },
    RemoveRaftNode {
        id: RaftNodeId,
    },
    RegisterBroker(Registration),
    /// The broker is up and follows the metadata: it may lead from now on.
    Unfence {
        broker: BrokerId,
        epoch: BrokerEpoch,
    },
    /// The controller lost the broker's connection or heartbeats.
    Fence {
        broker: BrokerId,
        epoch: BrokerEpoch,
    },
    /// Moves every leader off a live broker and gives it none until it registers again.
    /// The reply says how many it still leads (no other replica was in sync).
    BeginStop {
        broker: BrokerId,
        epoch: BrokerEpoch,
    },
    /// Takes a broker that will not come back out of the registry; refused while it has replicas.
    UnregisterBroker {
        broker: BrokerId,
    },
    /// Addresses learnt after start; replaces those of the same names.
    SetListeners {
        broker: BrokerId,
        listeners: Vec<Listener>,
    },
    CreateTopic(NewTopic),
    DeleteTopic {
        topic: TopicId,
    },
    /// Grows a topic to `count` partitions; `seed` starts the placement.
    CreatePartitions {
        topic: TopicId,
        count: i32,
        assignments: Option<Vec<Vec<BrokerId>>>,
        seed: u64,
        validate_only: bool,
    },
    SetTopicOwner {
        topic: TopicId,
        owner: Option<TopicOwner>,
    },
    AlterPartition(AlterPartition),
    /// Gives the partitions, or all, back to their preferred leaders where those are in sync.
    ElectPreferred {
        partitions: Option<Vec<PartitionId>>,
    },
    AlterConfig {
        resource: ConfigResource,
        ops: Vec<ConfigOp>,
        validate_only: bool,
    },
    /// Takes a block of producer ids.
    AllocateProducerIds {
        broker: BrokerId,
        epoch: BrokerEpoch,
        count: i64,
    },
    // The log holds the variants' numbers: new ones come last.
    /// Starts, replaces and cancels reassignments (KIP-455), each for itself.
    AlterReassignments {
        changes: Vec<Reassign>,
        /// Refuse targets of another replication factor (KIP-860).
        same_factor: bool,
    },
    /// A cordoned broker gets no new replicas and gives its leaders away, until this says
    /// otherwise: no registration ends it.
    SetCordon {
        broker: BrokerId,
        cordoned: bool,
    },
    /// Takes back `BeginStop`: the broker may lead again.
    AllowLeaders {
        broker: BrokerId,
        epoch: BrokerEpoch,
    },
    /// Takes a broker out of registry and quorum; refused while it has replicas, or lives and is
    /// not cordoned.
    RemoveBroker {
        broker: BrokerId,
    },
    /// A broker found its replica damaged: it leaves ISR and ELR, and leads no more. Refused if
    /// no other replica is in sync.
    GiveUpReplica {
        broker: BrokerId,
        epoch: BrokerEpoch,
        partition: PartitionId,
    },
    /// A command of the operator: refused whole if a later operator was heard of. Else that one
    /// counts as heard, also where the command itself is refused. It holds none of its own kind.
    AsOperator {
        epoch: OperatorEpoch,
        #[serde(deserialize_with = "nested::once")]
        command: Box<ClusterCommand>,
    },
    /// An operator makes itself heard; with `force` a person sets the epoch back.
    SetOperatorEpoch {
        epoch: OperatorEpoch,
        force: bool,
    },
    /// How a broker's logs end, of partitions that wait for it.
    ReportLogEnds(LogEnds),
    /// These partitions wait no longer for replicas that did not come back.
    EndElectionWait {
        partitions: Vec<PartitionId>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    pub broker: BrokerId,
    pub folder: FolderId,
    pub incarnation: Uuid,
    pub rack: Option<String>,
    pub peer_address: String,
    pub listeners: Vec<Listener>,
    /// The last process on this folder closed everything in order.
    pub clean: bool,
    /// Partitions whose replica here may lack acknowledged records: found damaged, or `flush:
    /// async` after an unclean stop. They leave ISR and ELR.
    pub ineligible: Vec<PartitionId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTopic {
    pub id: TopicId,
    pub name: String,
    pub internal: bool,
    /// -1 with `assignments`.
    pub partitions: i32,
    pub replication_factor: i16,
    /// Replicas of each partition, chosen by the caller.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
    pub config: BTreeMap<String, String>,
    pub owner: Option<TopicOwner>,
    /// Starts the even, rack-aware placement.
    pub seed: u64,
    pub validate_only: bool,
}

/// A leader's compare-and-set of its ISR (KIP-497, KIP-841).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlterPartition {
    pub broker: BrokerId,
    pub broker_epoch: BrokerEpoch,
    pub partition: PartitionId,
    pub leader_epoch: LeaderEpoch,
    pub partition_epoch: PartitionEpoch,
    /// With the broker epochs under which the leader saw them in sync.
    pub isr: Vec<(BrokerId, BrokerEpoch)>,
}

/// Where one partition is to go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reassign {
    pub partition: PartitionId,
    /// In order of preference for leadership; `None`: back to the replicas from before.
    pub target: Option<Vec<BrokerId>>,
}

/// What a config belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConfigResource {
    ClusterDefault,
    Broker(BrokerId),
    Topic(TopicId),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigOp {
    Set(String, String),
    Delete(String),
    Append(String, String),
    Subtract(String, String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClusterReply {
    Done,
    RaftNode(RaftNodeId),
    Registered(BrokerEpoch),
    /// Partitions that the broker still leads.
    StillLeads(u32),
    TopicCreated(TopicId),
    /// The partition's state as it stands after the change.
    Partition(super::Partition),
    /// First of the block.
    ProducerIds(ProducerId),
    /// How many partitions changed leader.
    Elected(u32),
    /// One result a change, in order.
    Reassigned(Vec<Result<(), ClusterError>>),
    /// What a broker still has.
    Holds {
        leaders: u32,
        replicas: u32,
    },
}

/// Why a command changed nothing. None of these is worth retrying unchanged, except
/// `StalePartitionEpoch` after the newer state was seen.
#[derive(Clone, Debug, Error, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClusterError {
    #[error("the cluster is not formed yet")]
    NotFormed,
    #[error("this cluster's id is {have}, not {asked}")]
    OtherCluster { have: String, asked: String },
    #[error("broker {0} is not registered")]
    UnknownBroker(BrokerId),
    #[error("broker {broker} has epoch {have}, not {asked}")]
    StaleBrokerEpoch {
        broker: BrokerId,
        have: BrokerEpoch,
        asked: BrokerEpoch,
    },
    #[error("broker {broker} is alive with another folder")]
    DuplicateBroker { broker: BrokerId },
    #[error("broker {0} still has replicas")]
    BrokerInUse(BrokerId),
    #[error("topic {0} does not exist")]
    UnknownTopic(TopicId),
    #[error("partition {0} does not exist")]
    UnknownPartition(PartitionId),
    #[error("topic {0} exists already")]
    TopicExists(String),
    #[error("invalid topic name: {0}")]
    InvalidTopicName(String),
    #[error("invalid partition count: {0}")]
    InvalidPartitions(String),
    #[error("invalid replication factor: {0}")]
    InvalidReplicationFactor(String),
    #[error("invalid replica assignment: {0}")]
    InvalidAssignment(String),
    #[error("invalid config: {0}")]
    InvalidConfig(String),
    #[error("leader epoch {asked} is not the current {have}")]
    StaleLeaderEpoch {
        have: LeaderEpoch,
        asked: LeaderEpoch,
    },
    #[error("partition epoch {asked} is not the current {have}")]
    StalePartitionEpoch {
        have: PartitionEpoch,
        asked: PartitionEpoch,
    },
    #[error("broker {0} is fenced, stopping or of another epoch, and cannot be in sync")]
    IneligibleReplica(BrokerId),
    #[error("partition {0} is not being reassigned")]
    NoReassignment(PartitionId),
    #[error("broker {0} is alive and not cordoned")]
    BrokerAlive(BrokerId),
    #[error("no other replica of partition {0} is in sync")]
    LastInSync(PartitionId),
    #[error("the operator's epoch {asked} is over: the cluster has heard {have}")]
    StaleOperator {
        have: OperatorEpoch,
        asked: OperatorEpoch,
    },
    #[error("{0} ends of logs in one report")]
    TooManyLogEnds(usize),
}
