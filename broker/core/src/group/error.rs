use thiserror::Error;

/// Why a group refused a request. Nothing happened, unless a variant says otherwise.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum GroupError {
    /// The group is being deleted, or its state could not be written: try again.
    #[error("the group's coordinator is not available")]
    CoordinatorNotAvailable,
    /// This broker stopped coordinating the group: find the coordinator again.
    #[error("the group's coordinator is elsewhere")]
    NotCoordinator,
    #[error("unknown member")]
    UnknownMember,
    #[error("illegal generation")]
    IllegalGeneration,
    #[error("inconsistent group protocol")]
    InconsistentProtocol,
    #[error("session timeout is out of bounds")]
    InvalidSessionTimeout,
    #[error("the group is rebalancing")]
    RebalanceInProgress,
    /// Join again with this id (KIP-394). The id is reserved for one session timeout.
    #[error("member id required")]
    MemberIdRequired(String),
    #[error("another member took this instance id")]
    FencedInstance,
    #[error("the group has reached its maximum size")]
    MaxSizeReached,
    #[error("the group is not empty")]
    NotEmpty,
    #[error("the group does not exist")]
    NotFound,
    #[error("the group is subscribed to the topic")]
    SubscribedToTopic,
    /// The write of the group's state failed for good, or it is too large to be written.
    #[error("{0}")]
    Failed(String),
}
