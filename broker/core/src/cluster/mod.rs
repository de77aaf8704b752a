//! The cluster's metadata as one deterministic state machine.
//!
//! [`Image`] is immutable and cheap to clone; [`Image::apply`] gives the next one. The quorum
//! orders the commands, every broker applies them.

mod apply;
mod brokers;
mod command;
pub mod config_defs;
mod configs;
mod elections;
mod image;
mod partitions;
mod placement;
mod topics;

pub use command::{
    AlterPartition, ClusterCommand, ClusterError, ClusterReply, ConfigOp, ConfigResource, NewTopic,
    Registration,
};
pub use image::{Broker, Image, Listener, Partition, RaftNode, Topic, TopicOwner};
