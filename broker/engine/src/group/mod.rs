//! The group coordinator over `__consumer_offsets`.
//!
//! [`Groups`] follows the metadata: for every partition of the offsets topic that this broker
//! leads it runs one coordinator task, which loads the partition's groups from the log and then
//! owns them. The rules are `weir-core`'s; here are the tasks, the log and the records.

mod backlog;
mod broker_log;
mod config;
mod convert;
mod coordinator;
mod format;
mod groups;
mod lag;
mod log;
mod requests;
mod slots;
#[cfg(test)]
mod tests;
mod topic;

pub use config::GroupsConfig;
pub use groups::Groups;
pub use log::{LogPage, LogRecord, OffsetsLog};
