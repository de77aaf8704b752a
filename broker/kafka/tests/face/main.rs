//! The face over loopback, with a small engine in memory behind it.

mod admin;
mod bad_input;
mod budget;
mod by_hand;
mod cluster;
mod connection;
mod data;
mod groups;
mod placement;
mod support;
mod together;
