//! Between the core's words and the engine's contract.

use weir_api::{Error, JoinedGroup, JoinedMember, SyncedGroup, TopicPartitionName};
use weir_core::group::{GroupError, Joined, OffsetKey, Synced};

pub(super) fn error(error: GroupError) -> Error {
    match error {
        GroupError::CoordinatorNotAvailable => Error::CoordinatorNotAvailable,
        GroupError::NotCoordinator => Error::NotCoordinator,
        GroupError::UnknownMember => Error::UnknownMember,
        GroupError::IllegalGeneration => Error::IllegalGeneration,
        GroupError::InconsistentProtocol => Error::InconsistentGroupProtocol,
        GroupError::InvalidSessionTimeout => Error::InvalidSessionTimeout,
        GroupError::RebalanceInProgress => Error::RebalanceInProgress,
        GroupError::MemberIdRequired(id) => Error::MemberIdRequired(id),
        GroupError::FencedInstance => Error::FencedInstanceId,
        GroupError::MaxSizeReached => Error::GroupMaxSizeReached,
        GroupError::NotEmpty => Error::NonEmptyGroup,
        GroupError::NotFound => Error::GroupIdNotFound,
        GroupError::SubscribedToTopic => Error::GroupSubscribedToTopic,
        GroupError::Failed(why) => Error::Internal(why),
    }
}

/// What a failed write means to the members of a group (Kafka's mapping): somebody else
/// coordinates, or it is worth trying again here.
pub(super) fn write_error(error: &Error) -> GroupError {
    match error {
        Error::NotLeader { .. }
        | Error::LeaderNotAvailable
        | Error::FencedLeaderEpoch
        | Error::Storage(_)
        | Error::ShuttingDown => GroupError::NotCoordinator,
        Error::MessageTooLarge => GroupError::Failed("the group's state is too large".to_owned()),
        Error::CorruptMessage(why) | Error::InvalidRecord(why) | Error::Internal(why) => {
            GroupError::Failed(why.clone())
        }
        _ => GroupError::CoordinatorNotAvailable,
    }
}

pub(super) fn joined(joined: Joined) -> JoinedGroup {
    let member = |m: weir_core::group::JoinedMember| JoinedMember {
        member: m.member,
        instance: m.instance,
        metadata: m.metadata,
    };
    JoinedGroup {
        generation: joined.generation,
        protocol_type: joined.protocol_type,
        protocol: joined.protocol,
        leader: joined.leader,
        member: joined.member,
        skip_assignment: joined.skip_assignment,
        members: joined.members.into_iter().map(member).collect(),
    }
}

pub(super) fn synced(synced: Synced) -> SyncedGroup {
    SyncedGroup {
        protocol_type: synced.protocol_type,
        protocol: synced.protocol,
        assignment: synced.assignment,
    }
}

pub(super) fn key(name: &TopicPartitionName) -> OffsetKey {
    OffsetKey {
        topic: name.topic.clone(),
        index: name.index,
    }
}

pub(super) fn name(key: &OffsetKey) -> TopicPartitionName {
    TopicPartitionName {
        topic: key.topic.clone(),
        index: key.index,
    }
}
