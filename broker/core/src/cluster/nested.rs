//! A command inside a command, and no deeper: who reads one from the network must not be led into
//! a recursion as deep as the message is long.

use serde::{Deserialize, Deserializer, de};
use std::cell::Cell;

use super::ClusterCommand;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Ends the stay inside, whichever way it is left.
struct Inside;

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(false);
    }
}

/// # Errors
/// The command is itself inside another.
pub(super) fn once<'de, D: Deserializer<'de>>(from: D) -> Result<Box<ClusterCommand>, D::Error> {
    if INSIDE.replace(true) {
        return Err(de::Error::custom("a command nested more than once"));
    }
    let _inside = Inside;
    ClusterCommand::deserialize(from).map(Box::new)
}
