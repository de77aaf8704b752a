//! The broker's rules, without any input or output.
//!
//! Everything here is a state machine: it takes events and, where time matters, `now`, and gives
//! back commands or replies. No tokio, no clock, no randomness, no file. The engine carries the
//! commands out; the simulation does the same over a simulated network, disk and clock.

pub mod cluster;
pub mod group;
pub mod replica;
