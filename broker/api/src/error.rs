use thiserror::Error;
use weir_types::{BrokerId, LeaderEpoch, OperatorEpoch};

pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed. Faces map every variant to a code of their protocol.
///
/// Unless a variant says otherwise, nothing happened.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    #[error("unknown topic or partition")]
    UnknownTopicOrPartition,
    #[error("unknown topic id")]
    UnknownTopicId,
    /// Retry with fresh metadata. If records were handed over, the effect is unknown.
    #[error("this broker does not lead the partition")]
    NotLeader {
        leader: Option<BrokerId>,
        epoch: LeaderEpoch,
    },
    #[error("the partition has no leader now")]
    LeaderNotAvailable,
    #[error("the caller's leader epoch is older than the broker's")]
    FencedLeaderEpoch,
    #[error("the caller's leader epoch is newer than the broker's")]
    UnknownLeaderEpoch,
    #[error("offset is outside of the log")]
    OffsetOutOfRange,
    /// Or this follower has not got that far: the leader is to be asked.
    #[error("the offset is not available here yet")]
    OffsetNotAvailable,
    /// Records may have been written: the wait for their replicas ran out.
    #[error("timed out")]
    TimedOut,
    #[error("too few in-sync replicas")]
    NotEnoughReplicas,
    /// Records were written, but the ISR shrank below the minimum afterwards.
    #[error("too few in-sync replicas after the write")]
    NotEnoughReplicasAfterAppend,
    #[error("corrupt record batch: {0}")]
    CorruptMessage(String),
    #[error("invalid record: {0}")]
    InvalidRecord(String),
    #[error("record batch is too large")]
    MessageTooLarge,
    #[error("unsupported compression type")]
    UnsupportedCompression,
    #[error("unsupported message format")]
    UnsupportedFormat,
    #[error("timestamp is out of the accepted range")]
    InvalidTimestamp,
    #[error("sequence number is out of order")]
    OutOfOrderSequence,
    #[error("sequence number was seen long ago")]
    DuplicateSequence,
    #[error("the producer epoch is old")]
    InvalidProducerEpoch,
    #[error("the producer id is unknown here")]
    UnknownProducerId,
    /// The disk failed or is full; reads may still work.
    #[error("storage error: {0}")]
    Storage(String),
    #[error("invalid required acks")]
    InvalidRequiredAcks,

    #[error("topic exists already")]
    TopicExists,
    #[error("invalid topic: {0}")]
    InvalidTopic(String),
    #[error("invalid partitions: {0}")]
    InvalidPartitions(String),
    #[error("invalid replication factor: {0}")]
    InvalidReplicationFactor(String),
    #[error("invalid replica assignment: {0}")]
    InvalidReplicaAssignment(String),
    #[error("invalid config: {0}")]
    InvalidConfig(String),
    #[error("no reassignment is in progress for the partition")]
    NoReassignmentInProgress,
    #[error("policy violation: {0}")]
    PolicyViolation(String),

    #[error("the group's coordinator is elsewhere")]
    NotCoordinator,
    #[error("the group's coordinator is not available yet")]
    CoordinatorNotAvailable,
    #[error("the group's coordinator is loading")]
    CoordinatorLoading,
    #[error("unknown member")]
    UnknownMember,
    #[error("illegal generation")]
    IllegalGeneration,
    #[error("inconsistent group protocol")]
    InconsistentGroupProtocol,
    #[error("invalid group id")]
    InvalidGroupId,
    #[error("invalid session timeout")]
    InvalidSessionTimeout,
    #[error("the group is rebalancing")]
    RebalanceInProgress,
    #[error("member id required")]
    MemberIdRequired(String),
    #[error("another member took this instance id")]
    FencedInstanceId,
    #[error("the group has reached its maximum size")]
    GroupMaxSizeReached,
    #[error("the group is not empty")]
    NonEmptyGroup,
    #[error("the group does not exist")]
    GroupIdNotFound,
    #[error("offset metadata is too large")]
    OffsetMetadataTooLarge,
    #[error("the group is subscribed to the topic")]
    GroupSubscribedToTopic,

    #[error("the broker is not available")]
    BrokerNotAvailable,
    #[error("not the controller")]
    NotController,
    #[error("election not needed")]
    ElectionNotNeeded,
    #[error("the preferred leader is not available")]
    PreferredLeaderNotAvailable,
    /// The caller is an operator, and a later one was heard.
    #[error("the operator's epoch {asked} is over: the cluster has heard {have}")]
    StaleOperator {
        have: OperatorEpoch,
        asked: OperatorEpoch,
    },
    #[error("not authorised")]
    NotAuthorised,
    #[error("invalid request: {0}")]
    InvalidRequest(String),
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// Overload: try again later.
    #[error("busy: {0}")]
    Busy(String),
    #[error("shutting down")]
    ShuttingDown,
    #[error("internal error: {0}")]
    Internal(String),
}
