//! One partition's replica on this broker: leader or follower, ISR, high watermark.
//!
//! [`Replica::step`] takes an [`Event`] and `now`, changes state and pushes [`Command`]s. The
//! same code runs in the engine's shards and in the simulation. The rules it keeps are Kafka's
//! after KIP-966, with durable (synced) positions where Kafka has written ones.

mod config;
mod event;
mod leading;
mod machine;
mod membership;
mod progress;
mod proposal;
mod queries;
#[cfg(test)]
mod tests;

pub use config::{LogState, ReplicaConfig, Role};
pub use event::{Command, Event, IsrRefused, Membership};
pub use machine::Replica;
