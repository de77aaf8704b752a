//! The engine's errors as Kafka's codes. No wildcards: a new error must be thought about.

use weir_api::Error;

use crate::codec::ErrorCode;

/// In answers about topics, partitions and everything that is not a group's.
pub(crate) fn code(error: &Error) -> ErrorCode {
    match error {
        Error::UnknownTopicOrPartition => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Error::UnknownTopicId => ErrorCode::UNKNOWN_TOPIC_ID,
        // A client that waits finds the next leader by fresh metadata.
        Error::NotLeader { .. } | Error::ShuttingDown => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        Error::LeaderNotAvailable => ErrorCode::LEADER_NOT_AVAILABLE,
        Error::FencedLeaderEpoch => ErrorCode::FENCED_LEADER_EPOCH,
        Error::UnknownLeaderEpoch => ErrorCode::UNKNOWN_LEADER_EPOCH,
        Error::OffsetOutOfRange => ErrorCode::OFFSET_OUT_OF_RANGE,
        Error::OffsetNotAvailable => ErrorCode::OFFSET_NOT_AVAILABLE,
        Error::TimedOut => ErrorCode::REQUEST_TIMED_OUT,
        Error::NotEnoughReplicas => ErrorCode::NOT_ENOUGH_REPLICAS,
        Error::NotEnoughReplicasAfterAppend => ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        Error::CorruptMessage(_) => ErrorCode::CORRUPT_MESSAGE,
        Error::InvalidRecord(_) => ErrorCode::INVALID_RECORD,
        Error::MessageTooLarge => ErrorCode::MESSAGE_TOO_LARGE,
        Error::UnsupportedCompression => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        Error::UnsupportedFormat => ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT,
        Error::InvalidTimestamp => ErrorCode::INVALID_TIMESTAMP,
        Error::OutOfOrderSequence => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        Error::DuplicateSequence => ErrorCode::DUPLICATE_SEQUENCE_NUMBER,
        Error::InvalidProducerEpoch => ErrorCode::INVALID_PRODUCER_EPOCH,
        Error::UnknownProducerId => ErrorCode::UNKNOWN_PRODUCER_ID,
        Error::Storage(_) => ErrorCode::KAFKA_STORAGE_ERROR,
        Error::InvalidRequiredAcks => ErrorCode::INVALID_REQUIRED_ACKS,
        Error::TopicExists => ErrorCode::TOPIC_ALREADY_EXISTS,
        Error::InvalidTopic(_) => ErrorCode::INVALID_TOPIC,
        Error::InvalidPartitions(_) => ErrorCode::INVALID_PARTITIONS,
        Error::InvalidReplicationFactor(_) => ErrorCode::INVALID_REPLICATION_FACTOR,
        Error::InvalidReplicaAssignment(_) => ErrorCode::INVALID_REPLICA_ASSIGNMENT,
        Error::InvalidConfig(_) => ErrorCode::INVALID_CONFIG,
        Error::NoReassignmentInProgress => ErrorCode::NO_REASSIGNMENT_IN_PROGRESS,
        Error::PolicyViolation(_) | Error::StaleOperator { .. } => ErrorCode::POLICY_VIOLATION,
        Error::NotCoordinator => ErrorCode::NOT_COORDINATOR,
        Error::CoordinatorNotAvailable => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        Error::CoordinatorLoading => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        Error::UnknownMember => ErrorCode::UNKNOWN_MEMBER_ID,
        Error::IllegalGeneration => ErrorCode::ILLEGAL_GENERATION,
        Error::InconsistentGroupProtocol => ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
        Error::InvalidGroupId => ErrorCode::INVALID_GROUP_ID,
        Error::InvalidSessionTimeout => ErrorCode::INVALID_SESSION_TIMEOUT,
        Error::RebalanceInProgress => ErrorCode::REBALANCE_IN_PROGRESS,
        Error::MemberIdRequired(_) => ErrorCode::MEMBER_ID_REQUIRED,
        Error::FencedInstanceId => ErrorCode::FENCED_INSTANCE_ID,
        Error::GroupMaxSizeReached => ErrorCode::GROUP_MAX_SIZE_REACHED,
        Error::NonEmptyGroup => ErrorCode::NON_EMPTY_GROUP,
        Error::GroupIdNotFound => ErrorCode::GROUP_ID_NOT_FOUND,
        Error::OffsetMetadataTooLarge => ErrorCode::OFFSET_METADATA_TOO_LARGE,
        Error::GroupSubscribedToTopic => ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
        Error::BrokerNotAvailable => ErrorCode::BROKER_NOT_AVAILABLE,
        Error::NotController => ErrorCode::NOT_CONTROLLER,
        Error::ElectionNotNeeded => ErrorCode::ELECTION_NOT_NEEDED,
        Error::PreferredLeaderNotAvailable => ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE,
        Error::NotAuthorised => ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
        Error::InvalidRequest(_) => ErrorCode::INVALID_REQUEST,
        Error::Unsupported(_) => ErrorCode::UNSUPPORTED_VERSION,
        Error::Busy(_) => ErrorCode::THROTTLING_QUOTA_EXCEEDED,
        Error::Internal(_) => ErrorCode::UNKNOWN,
    }
}

/// In answers of a group's coordinator: troubles of the log below it look to clients like a
/// coordinator that moves, as in Kafka.
pub(crate) fn group_code(error: &Error) -> ErrorCode {
    match error {
        Error::NotLeader { .. } | Error::Storage(_) => ErrorCode::NOT_COORDINATOR,
        Error::ShuttingDown
        | Error::TimedOut
        | Error::LeaderNotAvailable
        | Error::NotEnoughReplicas
        | Error::NotEnoughReplicasAfterAppend
        | Error::BrokerNotAvailable
        | Error::Busy(_) => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        other => code(other),
    }
}

/// What a person may read in an answer that has room for it.
pub(crate) fn message(error: &Error) -> Option<String> {
    Some(error.to_string())
}
