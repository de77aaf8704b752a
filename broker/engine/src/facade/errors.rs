//! Refusals of the metadata, as callers know them.

use weir_api::Error;
use weir_core::cluster::ClusterError;

use crate::quorum::{ProposeError, QuorumError};

pub(super) fn from_proposal(error: ProposeError) -> Error {
    match error {
        ProposeError::Refused(refusal) => from_cluster(refusal),
        ProposeError::Unavailable(_) => Error::NotController,
        ProposeError::Unknown(_) => Error::TimedOut,
    }
}

pub(super) fn from_cluster(error: ClusterError) -> Error {
    use ClusterError as C;
    let text = error.to_string();
    match error {
        C::NotFormed => Error::BrokerNotAvailable,
        C::OtherCluster { .. } => Error::InvalidRequest(text),
        C::UnknownBroker(_) | C::StaleBrokerEpoch { .. } => Error::BrokerNotAvailable,
        C::DuplicateBroker { .. } | C::BrokerInUse(_) => Error::PolicyViolation(text),
        C::UnknownTopic(_) => Error::UnknownTopicId,
        C::UnknownPartition(_) => Error::UnknownTopicOrPartition,
        C::TopicExists(_) => Error::TopicExists,
        C::InvalidTopicName(why) => Error::InvalidTopic(why),
        C::InvalidPartitions(why) => Error::InvalidPartitions(why),
        C::InvalidReplicationFactor(why) => Error::InvalidReplicationFactor(why),
        C::InvalidAssignment(why) => Error::InvalidReplicaAssignment(why),
        C::TooManyLogEnds(_) => Error::InvalidRequest(text),
        C::InvalidConfig(why) => Error::InvalidConfig(why),
        C::NoReassignment(_) => Error::NoReassignmentInProgress,
        C::BrokerAlive(_) | C::LastInSync(_) => Error::PolicyViolation(text),
        C::StaleOperator { have, asked } => Error::StaleOperator { have, asked },
        C::StaleLeaderEpoch { .. } | C::StalePartitionEpoch { .. } | C::IneligibleReplica(_) => {
            Error::Internal(text)
        }
    }
}

pub(super) fn from_quorum(error: &QuorumError) -> Error {
    match error {
        QuorumError::OtherCluster { .. } | QuorumError::NotFormed(_) => {
            Error::InvalidRequest(error.to_string())
        }
        QuorumError::Stopped => Error::ShuttingDown,
        QuorumError::Storage { .. }
        | QuorumError::DuplicateBroker { .. }
        | QuorumError::Fatal(_) => Error::Internal(error.to_string()),
    }
}
