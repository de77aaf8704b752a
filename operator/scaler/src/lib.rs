//! How many consumers a backlog needs: pure decisions, no clock, no Kubernetes.

mod assign;
mod bound;
mod choose;
mod costs;
mod decide;
mod decision;
mod down;
mod facts;
mod inputs;
mod learn;
mod memory;
mod message;
mod need;
mod observation;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
mod spec;
#[cfg(test)]
mod tests;
mod tuning;
mod up;
mod wish;
mod work;

pub use decide::decide;
pub use decision::{Decision, Reason};
pub use inputs::Inputs;
pub use memory::Memory;
pub use observation::{
    Assignor, Freeze, GroupState, Member, Observation, PartitionBacklog, Pod, TopicPartition,
};
pub use spec::{NoCommit, Spec};
