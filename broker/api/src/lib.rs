//! What every face calls: the engine's contract.
//!
//! Faces (Kafka, AMQP, RocketMQ, gRPC) hold an `Arc<dyn Engine>` and nothing else of the broker:
//! they name neither the core nor the storage. A test of a face brings an engine of its own.

mod admin;
mod backlog;
mod caller;
mod engine;
mod error;
mod fetch;
mod group;
mod offsets;
mod placement;
mod produce;
mod record;
mod view;

pub use admin::{
    AlterConfig, ConfigEntry, ConfigOp, ConfigSource, ConfigTarget, NewTopic, RestartBlocker,
};
pub use backlog::{
    BacklogMember, BacklogReport, BacklogWatch, GroupBacklog, PartitionBacklog, WatchedGroup,
};
pub use caller::Caller;
pub use engine::Engine;
pub use error::{Error, Result};
pub use fetch::{
    FetchPartition, FetchRequest, FetchedPartition, Isolation, ReadFrom, RecordSlice, Waited,
};
pub use group::{
    CommitOffset, CommittedOffset, GroupDescription, GroupListing, GroupMember, JoinRequest,
    JoinedGroup, JoinedMember, LeaveMember, SyncRequest, SyncedGroup, TopicPartitionName,
};
pub use offsets::{EpochEnd, FoundOffset, OffsetSpec};
pub use placement::{Holdings, LogDir, LogView, Placement, Reassign, ReplicaView};
pub use produce::{Acks, Appended, ProducePartition, ProduceRequest, Produced};
pub use record::{ReadRecords, Record};
pub use view::{
    BrokerView, ClusterView, ListenerView, PartitionView, TopicOwner, TopicRef, TopicView,
};
