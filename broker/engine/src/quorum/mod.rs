//! The metadata quorum: one [`weir_core::cluster::Image`], decided by openraft, followed by every
//! broker. Nothing outside this module knows openraft or redb.
//!
//! - [`Quorum`] is the handle: proposals, the image, the end of the broker's life.
//! - `join` makes a folder part of a quorum; `lifecycle` registers the broker and keeps it heard;
//!   `controller` is what the leader's broker does for all others, decided by `sessions` (who is
//!   alive) and `membership` (who votes), which are pure.
//! - `store` (redb on its own thread), `log`, `machine` and `network` are openraft's four walls.
//!
//! **Invariant:** a node id belongs to one folder for ever; an empty folder is given a new one.
//! **Invariant:** nothing is acknowledged to openraft before redb has synced it.

mod balance;
mod config;
mod controller;
mod election_waits;
mod error;
mod handle;
mod heirs;
mod join;
mod knock;
mod lifecycle;
mod live;
mod log;
mod machine;
mod membership;
mod network;
mod propose;
mod record;
mod rpc;
mod service;
mod sessions;
mod shared;
mod store;
#[cfg(test)]
mod tests;
mod types;

pub use config::{QuorumConfig, QuorumTiming};
pub use error::{ProposeError, QuorumError};
pub use handle::{Member, Quorum};
