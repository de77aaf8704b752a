//! Who is who: brokers, folders, topics, partitions, producers.

use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id! {
    /// A broker of the cluster: its pool's fixed base plus its ordinal. Never negative.
    BrokerId(i32)
}
number_id! {
    /// One registration of a broker (KIP-631): grows with every registration, fences zombies.
    BrokerEpoch(i64)
}
number_id! {
    /// One operator's time in office: whoever takes the lease later has a greater one; 0 is none's.
    OperatorEpoch(u64)
}
number_id! {
    /// A member of the metadata quorum, allocated once per [`FolderId`] and never reused.
    RaftNodeId(u64)
}
number_id! {
    /// An idempotent producer (KIP-98).
    ProducerId(i64)
}
number_id! {
    /// One incarnation of a [`ProducerId`].
    ProducerEpoch(i16)
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id! {
    /// A topic's identity for life; its name may be used again by another topic.
    TopicId
}
uuid_id! {
    /// A data folder's identity: a new, empty folder is a new one.
    FolderId
}

/// One partition of one topic.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct PartitionId {
    pub topic: TopicId,
    /// 0 to the topic's partition count, exclusive.
    pub index: i32,
}

impl PartitionId {
    pub const fn new(topic: TopicId, index: i32) -> Self {
        Self { topic, index }
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.index)
    }
}
