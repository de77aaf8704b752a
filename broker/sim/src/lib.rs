//! A cluster of brokers in one thread, from a seed.
//!
//! The real replica and metadata state machines of `weir-core` and the real log of
//! `weir-storage` run over a simulated network, disk and clock. Clients write and read, faults
//! strike, and [`invariants`] watch. Then everything is healed: the cluster must come to rest
//! with everything that was ever acknowledged. The metadata quorum is idealised as one
//! linearizable log; what is not idealised is when a broker learns what.
//!
//! A seed gives the same run every time: [`run`] and the trace's hash say so.

mod broker;
mod clients;
mod dice;
mod disk;
mod faults;
pub mod invariants;
mod message;
mod net;
mod options;
mod queue;
mod quorum;
mod records;
mod stats;
mod trace;
mod world;

pub use options::{Options, Plant};
pub use stats::Stats;
pub use world::{Outcome, run};
