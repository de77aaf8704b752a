//! Engine errors as gRPC status codes.

use tonic::{Code, Status};
use weir_api::Error;

use crate::operator;

/// Exhaustive on purpose: a new error must choose its code.
pub(crate) fn status(error: Error) -> Status {
    use Error as E;
    let code = match &error {
        E::UnknownTopicOrPartition
        | E::UnknownTopicId
        | E::GroupIdNotFound
        | E::UnknownMember
        | E::UnknownProducerId => Code::NotFound,
        E::TopicExists => Code::AlreadyExists,
        E::InvalidTopic(_)
        | E::InvalidPartitions(_)
        | E::InvalidReplicationFactor(_)
        | E::InvalidReplicaAssignment(_)
        | E::InvalidConfig(_)
        | E::InvalidRequest(_)
        | E::InvalidGroupId
        | E::InvalidSessionTimeout
        | E::InvalidRequiredAcks
        | E::InvalidRecord(_)
        | E::InvalidTimestamp
        | E::CorruptMessage(_)
        | E::MessageTooLarge
        | E::OffsetMetadataTooLarge
        | E::UnsupportedCompression
        | E::UnsupportedFormat => Code::InvalidArgument,
        E::OffsetOutOfRange => Code::OutOfRange,
        E::NotAuthorised => Code::PermissionDenied,
        E::Unsupported(_) => Code::Unimplemented,
        E::TimedOut => Code::DeadlineExceeded,
        E::NotEnoughReplicas
        | E::NotEnoughReplicasAfterAppend
        | E::PolicyViolation(_)
        | E::NoReassignmentInProgress
        | E::NonEmptyGroup
        | E::GroupSubscribedToTopic
        | E::ElectionNotNeeded
        | E::PreferredLeaderNotAvailable
        | E::FencedLeaderEpoch
        | E::UnknownLeaderEpoch
        | E::OutOfOrderSequence
        | E::DuplicateSequence
        | E::InvalidProducerEpoch
        | E::IllegalGeneration
        | E::InconsistentGroupProtocol
        | E::MemberIdRequired(_)
        | E::FencedInstanceId => Code::FailedPrecondition,
        E::StaleOperator { have, .. } => return operator::stale(*have, &error),
        E::Busy(_) | E::GroupMaxSizeReached => Code::ResourceExhausted,
        E::NotLeader { .. }
        | E::LeaderNotAvailable
        | E::OffsetNotAvailable
        | E::NotCoordinator
        | E::CoordinatorNotAvailable
        | E::CoordinatorLoading
        | E::RebalanceInProgress
        | E::BrokerNotAvailable
        | E::NotController
        | E::ShuttingDown => Code::Unavailable,
        E::Storage(_) | E::Internal(_) => Code::Internal,
    };
    Status::new(code, error.to_string())
}
