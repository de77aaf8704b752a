//! The broker's IO shell: what the faces call, and the tasks and threads behind it.
//!
//! The rules live in `weir-core`, the bytes in `weir-storage`; here they meet the network, the
//! clock and each other.

pub mod group;
pub mod partition;
pub mod peer;
pub mod quorum;
