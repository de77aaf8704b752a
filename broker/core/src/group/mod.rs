//! Consumer groups: the classic protocol (KIP-62, 345, 394, 559, 814) as a state machine.
//!
//! A [`Group`] takes requests, time and the outcomes of its own writes, and gives back
//! [`Effect`]s: answers to those who wait, and snapshots to be written to the offsets log. What
//! becomes visible only once it is written (an assignment, a static member's new id) waits for
//! [`Group::persisted`].
//!
//! The behaviour follows Kafka 4.1's coordinator for classic groups. [`Offsets`] holds what a
//! group has committed, and knows what has expired.

mod commit;
mod config;
mod effect;
mod error;
mod join;
mod leave;
mod machine;
mod member;
mod offsets;
mod rebalance;
mod request;
mod roster;
mod snapshot;
mod state;
mod static_member;
mod subscription;
mod sync;
#[cfg(test)]
mod tests;
mod timers;

pub use config::GroupConfig;
pub use effect::{Effect, Joined, JoinedMember, PersistId, Synced, Waiter};
pub use error::GroupError;
pub use machine::{Group, MemberView};
pub use offsets::{Committed, OffsetKey, Offsets};
pub use request::{Claim, Join, Leave, Sync, Time};
pub use snapshot::{MemberSnapshot, Snapshot};
pub use state::State;
