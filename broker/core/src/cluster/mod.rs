//! The cluster's metadata as one deterministic state machine.
//!
//! [`Image`] is immutable and cheap to clone; [`Image::apply`] gives the next one. The quorum
//! orders the commands, every broker applies them.

mod apply;
mod brokers;
mod command;
mod config_check;
mod config_def;
pub mod config_defs;
mod configs;
mod elections;
mod image;
mod log_ends;
mod near;
mod nested;
mod operators;
mod partitions;
mod placement;
mod reassign;
mod reassignment;
mod removal;
mod topics;

pub use command::{
    AlterPartition, ClusterCommand, ClusterError, ClusterReply, ConfigOp, ConfigResource, NewTopic,
    Reassign, Registration,
};
pub use configs::check_defaults;
pub use image::{Broker, Image, Listener, Partition, RaftNode, Topic, TopicOwner};
pub use log_ends::{LOG_ENDS_MAX, LogEnd, LogEnds, ReportedEnd};
pub use reassignment::Reassignment;
