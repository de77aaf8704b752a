//! The broker's IO shell: what the faces call, and the tasks and threads behind it.
//!
//! The rules live in `weir-core`, the bytes in `weir-storage`; here they meet the network, the
//! clock and each other.

pub mod facade;
pub mod group;
pub mod partition;
pub mod peer;
pub mod quorum;
pub mod store;

/// Where clients reach a broker on the listener `name`; an empty host is not known yet.
pub fn listener(name: String, host: String, port: u16) -> weir_core::cluster::Listener {
    weir_core::cluster::Listener { name, host, port }
}
