//! Broker-to-broker transport.
//!
//! One TCP connection an address and [`Class`], multiplexed: every request carries a correlation
//! id, answers come back in any order. The client reconnects by itself and resolves the host anew
//! each time, because a pod keeps its name and changes its address. Frames, requests in flight and
//! bytes in flight are bounded on both sides.

mod connection;
mod error;
mod frame;
mod net;
mod router;
mod server;
#[cfg(test)]
mod tests;
pub mod wire;

pub use error::{PeerError, PeerFault};
pub use frame::{BODY_BYTES_MAX, Class};
pub use net::{PeerNet, Probe};
pub use router::{ConnectionId, PeerRouter, PeerService};
pub use server::serve;
