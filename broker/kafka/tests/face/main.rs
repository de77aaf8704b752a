//! The face over loopback, with a small engine in memory behind it.

mod admin;
mod bad_input;
mod by_hand;
mod connection;
mod data;
mod groups;
mod support;
