//! Identities and positions that every layer of the broker shares.
//!
//! Nothing here does any work: newtypes, so that an offset is never passed where an epoch is
//! meant, and the limits that bound what the network can make the broker do.

mod ids;
pub mod limits;
mod position;
mod time;

/// The internal topic of group offsets, as Kafka names it.
pub const CONSUMER_OFFSETS: &str = "__consumer_offsets";

/// Names of topics that brokers alone make, whether this one has them yet or not. A client's own
/// topic would be in their way.
pub const INTERNAL_TOPICS: [&str; 4] = [
    CONSUMER_OFFSETS,
    "__transaction_state",
    "__share_group_state",
    "__cluster_metadata",
];

pub use ids::{
    BrokerEpoch, BrokerId, FolderId, OperatorEpoch, PartitionId, ProducerEpoch, ProducerId,
    RaftNodeId, TopicId,
};
pub use position::{LeaderEpoch, Offset, PartitionEpoch};
pub use time::Millis;
